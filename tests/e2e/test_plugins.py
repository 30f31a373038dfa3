"""Installed packages that bring blueprints and kinds: the worked examples, broken ones, and two that collide."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both examples, installed by pip into a folder, as a user would; without a network."""
    folder = tmp_path_factory.mktemp("packages")
    sources = [tmp_path_factory.mktemp(each) / each for each in ("corp-blueprints", "json-setting")]
    for source in sources:
        subprocess.run(["cp", "-R", EXAMPLES / source.name, source], check=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
               "--disable-pip-version-check", "--target", str(folder), *map(str, sources)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def examples(place: Place, installed: Path) -> Place:
    place.env["PYTHONPATH"] = str(installed)
    return place


def fake(place: Place, name: str, group: str, *points: str, **modules: str) -> None:
    """One more installed package."""
    site = place.root / "site"
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n" + "".join(f"{point}\n" for point in points))
    for module, text in modules.items():
        (site / f"{module}.py").write_text(text)
    paths = place.env.get("PYTHONPATH", "").split(":")
    place.env["PYTHONPATH"] = ":".join([str(site), *(path for path in paths if path and path != str(site))])


def test_the_examples_own_tests_pass(examples: Place) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib",
         "--rootdir", str(examples.root), *map(str, EXAMPLES.glob("*/tests"))],
        capture_output=True, text=True, check=False, timeout=120, env=examples.env | {"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=examples.root,
    )  # fmt: skip
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_they_are_listed_with_their_package(examples: Place) -> None:
    said = examples.run("list")
    assert said.err == ""
    lines = [line.strip() for line in said.out.splitlines()]
    assert ["corp-web", "a", "web", "server", "of", "ours"] in [line.split() for line in lines]
    words = ["json_setting", "One", "setting", "in", "a", "JSON", "file.", "(json-setting", "1.0)"]
    assert any(line.split() == words for line in lines)


def test_a_packages_blueprint_takes_parameters_and_converges(examples: Place) -> None:
    said = examples.run("check", "corp-web")
    assert "corp-web: sites (a list of texts) is missing; give it with --set sites=…" in said.err
    folder = examples.managed / "corp"
    options = ("corp-web", "--set", "sites=shop,blog", "--set", f"folder={folder}", "--detailed-exit-codes")
    assert examples.run("serve", *options, "--timeout", "200ms").code == 2
    assert {path.name for path in folder.iterdir()} == {"stage", "shop.conf", "blog.conf"}
    assert (folder / "stage").read_text() == "production\n"
    assert examples.run("plan", *options).code == 0


def test_a_packages_kind_is_declared_either_way_and_kept_right(examples: Place) -> None:
    file = examples.managed / "daemon.json"
    file.write_text('{"debug": true}')
    examples.declare(
        """
        r.file(HERE / "daemon.json", mode=0o644)
        r.json_setting(str(HERE / "daemon.json"), "a", 1, limit=1000)
        r.declare(JsonSetting, str(HERE / "daemon.json"), key="b", value="two", limit=1000)
        """,
        before="from json_setting import JsonSetting",
    )
    daemon = examples.serve()
    assert json.loads(file.read_text()) == {"debug": True, "a": 1, "b": "two"}
    file.write_text('{"a": 2, "b": "two"}')
    daemon.until(lambda: file.read_text() and json.loads(file.read_text()).get("a") == 1, "it is put right")
    assert daemon.stop() == 0


def test_mistakes_in_a_packages_kind_are_told_like_any(examples: Place) -> None:
    examples.declare(
        """
        r.json_setting("daemon.json", "a", 1.5, kye=1)
        r.json_settin("/x", "a", 1)
        """
    )
    lines = examples.plan().err.splitlines()[1:]
    where = f"{examples.site}:9: json:daemon.json"
    assert lines[0].startswith(f"{where}: has no option kye (did you mean key?)") or "kye" in lines[0]
    assert any("value must be str or int or bool, not 1.5" in line for line in lines)
    assert lines[-1] == (f"{examples.site}:10: there is no r.json_settin (did you mean json_setting?)")


def test_one_that_fails_to_import_is_named_and_the_others_go_on(examples: Place) -> None:
    fake(
        examples, "broken", "converge.resources", "gone = nowhere:Gone", "odd = odd:Odd", "bare = odd:Bare",
        odd="from converge.core.resource import Resource\nOdd = 5\nclass Bare(Resource): pass\n",
    )  # fmt: skip
    said = examples.run("list", "-e")
    assert said.code == 0
    assert "json_setting" in said.out
    assert said.err.splitlines() == [
        "converge: the kind bare of broken 1.0 "
        "is no dataclass: put @dataclass(frozen=True, slots=True) above class Bare",
        "converge: the kind gone of broken 1.0 cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
        "converge: the kind odd of broken 1.0 is no class made from converge.core.resource.Resource, but 5",
    ]
    examples.declare('r.json_setting(str(HERE / "x"), "a", 1)')
    assert examples.run("check", examples.site).code == 0
    examples.declare('r.gone("x")')
    said = examples.plan()
    assert said.code == 1
    assert f"{examples.site}:9: the kind gone of broken 1.0 cannot be imported: ModuleNotFoundError" in said.err


def test_two_packages_with_one_kind_are_both_named(examples: Place) -> None:
    fake(examples, "other", "converge.resources", "json_setting = json_setting:JsonSetting", "file = json_setting:X")
    text = "the kind json_setting is offered by other 1.0 and by json-setting 1.0; remove one of them"
    said = examples.run("list", "-e")
    assert f"converge: {text}" in said.err.splitlines()
    assert "the kind file of other 1.0 is called like a kind of converge; it must be renamed" in said.err
    examples.declare('r.json_setting(str(HERE / "x"), "a", 1)')
    said = examples.plan()
    assert said.code == 1
    assert f"{examples.site}:9: {text}" in said.err


def test_two_classes_with_the_ids_of_one_kind_are_both_named(examples: Place) -> None:
    examples.declare(
        """
        r.json_setting(str(HERE / "x"), "a", 1)
        r.declare(Mine, "x")
        r.declare(Theirs, "x")
        r.declare(int, "x")
        """,
        before="""
        from dataclasses import dataclass
        from typing import ClassVar
        from converge.core.resource import Resource

        @dataclass(frozen=True, slots=True)
        class Mine(Resource):
            kind: ClassVar[str] = "json"
            name: str
            def identity(self): return self.name

        @dataclass(frozen=True, slots=True)
        class Theirs(Resource):
            kind: ClassVar[str] = "file"
            name: str
            def identity(self): return self.name
        """,
    )
    said = examples.plan()
    assert said.code == 1
    assert "converge_blueprint.Mine and json_setting.JsonSetting are both called 'json'" in said.err
    assert "converge_blueprint.Theirs and converge.resources.file.entry.Entry are both called 'file'" in said.err
    assert "TypeError: what r.declare is given is no class made from converge.core.resource.Resource" in said.err


def test_two_packages_with_one_blueprint_are_both_named(examples: Place) -> None:
    module = "from converge import blueprint\n@blueprint('corp')\ndef corp(r): pass\n"
    fake(examples, "other", "converge.blueprints", "corp = other:corp", other=module)
    said = examples.run("check", "corp")
    assert said.code == 11
    assert "/corp_blueprints/__init__.py" in said.err
    assert "/other.py" in said.err
