"""``converge adopt`` as a user types it: its blueprint plans clean where it was made."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from converge.cli import main
from converge.core.change import IN_SYNC, Changes
from converge.core.resource import Adopted, Resource


def adopt(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main(["adopt", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """Two files of which one is binary."""
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "text").write_text("a 'b' \"c\"\\\n" * 20 + "\x1b[2J")
    (folder / "binary").write_bytes(bytes(range(256)))
    (folder / "text").chmod(0o644)
    return folder


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CONVERGE_RUNTIME_DIR", str(tmp_path / "run"))


def test_the_printed_blueprint_is_complete_and_plans_clean(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, notes = adopt(capsys, "file", things / "text", things / "binary", things / "text")
    assert (code, notes) == (0, "")
    assert "\x1b" not in text
    assert 'add source="binary"' in " ".join(text.replace("#", "").split())
    assert text.count("r.file(") == 2
    path = tmp_path / "adopted.py"
    path.write_text(text)
    assert main(["plan", "--detailed-exit-codes", str(path)]) == 0
    (things / "text").write_text("other")
    assert main(["plan", "--detailed-exit-codes", str(path)]) == 5


def test_bare_lines_go_to_the_end_of_a_blueprint(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "adopted.py"
    path.write_text(adopt(capsys, "directory", things)[1] + adopt(capsys, "file", "--bare", things / "text")[1])
    assert main(["plan", "--out", "json", "--detailed-exit-codes", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["total"] == 2


def test_a_path_is_taken_from_here(
    things: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(things)
    assert f'"{things}/text"' in adopt(capsys, "file", "text")[1]


def test_what_is_not_there_is_told_and_the_others_are_printed(things: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, notes = adopt(capsys, "file", things / "nosuch\n", things / "text")
    assert code == 1
    assert "r.file(" in text
    assert "does not exist" in notes
    assert len(notes.splitlines()) == 1
    code, text, _ = adopt(capsys, "file", "--out", "json", things / "nosuch", things / "text")
    assert code == 1
    found = json.loads(text)
    assert found["resources"] == [f"file:{things}/text"]
    assert found["errors"] == {f"{things}/nosuch": f"{things}/nosuch does not exist"}


def test_several_names_of_one_resource_are_one_declaration(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{things}/text", f"{things}//text", f"{things}/../things/text"]
    code, text, notes = adopt(capsys, "file", *names)
    assert code == 0
    assert text.count("r.file(") == 1
    assert notes.splitlines() == [f"converge: {name}: the same as {names[0]}, declared once" for name in names[1:]]
    path = tmp_path / "adopted.py"
    path.write_text(text)
    assert main(["check", str(path)]) == 0
    assert main(["plan", "--detailed-exit-codes", str(path)]) == 0
    capsys.readouterr()
    code, text, _ = adopt(capsys, "directory", "--out", "json", things, f"{things}/")
    assert code == 0
    assert json.loads(text)["resources"] == [f"file:{things}"]
    assert json.loads(text)["errors"] == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["exec", "x"], "r.exec cannot be adopted; there is cron, directory,"),
        (["flie", "x"], "there is no kind called 'flie' (did you mean file?)"),
        (["file"], "which file? Give one name or more"),
        (["hostname", "web1"], "a machine has one hostname; leave out web1"),
        (["package", "-n"], "there is no option -n"),
        (["package", "a b"], "is no name of a package"),
        (["user", "../x"], "there is no user"),
        (["sysctl", "../../etc/shadow"], "is no key"),
        (["cron", "../shadow"], "cron would not read its file"),
        (["service", "a/b"], "is no name of a unit"),
    ],
)
def test_what_cannot_be_adopted_is_a_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code, text, notes = adopt(capsys, *arguments)
    except SystemExit as ended:
        code, text, notes = int(ended.code or 0), "", capsys.readouterr().err
    assert code == 1
    assert text == ""
    assert said in notes


def test_what_could_never_be_checked_is_not_declared(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a link that is not followed")
    link = tmp_path / "way"
    link.symlink_to(things)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    code, text, notes = adopt(capsys, "file", link / "text")
    assert (code, text) == (1, "")
    assert "symbolic link" in notes


@dataclass(frozen=True, slots=True)
class Lamp(Resource):
    """A kind that a package brings."""

    kind: ClassVar[str] = "lamp"
    adoption = "by name"

    name: str
    color: str = "white"

    def identity(self) -> str:
        return self.name

    def check(self) -> Changes:
        return IN_SYNC

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        return Adopted(cls(name, color="green"), ["It is on."], ["its power could not be read"])


def test_a_kind_that_a_package_brings_can_be_adopted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("converge.blueprints.kinds.kind_named", lambda name: Lamp if name == "lamp" else None)
    code, text, notes = adopt(capsys, "lamp", "--bare", "desk")
    assert code == 0
    assert text == '    # It is on.\n    r.lamp("desk", color="green")\n'
    assert notes == "converge: desk: its power could not be read\n"
