"""docs/adding-a-kind.md, followed from an empty folder: its files, its commands, and what they say."""

from __future__ import annotations

import ast
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT, Sandbox, blocks, commands

from converge.blueprints.kinds import KINDS
from converge.blueprints.run import Declares, Run
from converge.testing import declare

PAGE = (ROOT / "docs" / "adding-a-kind.md").read_text()
EXAMPLE = ROOT / "examples" / "json-setting"
OFFLINE = ("--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check")


class Reader:
    """Somebody who has the page before them, and a folder that holds what pip installs."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.site = sandbox.root / "site"
        self.env = sandbox.environment() | {"PYTHONPATH": str(self.site)}
        sandbox.put_files(PAGE)
        self.file = sandbox.root / "etc" / "docker" / "daemon.json"

    def type(self, command: str) -> str:
        """What it said. pip has no network here, and installs where it disturbs nobody."""
        command = self.sandbox.relocated(command)
        if command.startswith("pip install "):
            words = [sys.executable, "-m", "pip", "install", *OFFLINE, "--target", str(self.site)]
            command = f"{shlex.join(words)} {command.removeprefix('pip install ')}"
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.sandbox.work, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def reader(sandbox: Sandbox) -> Reader:
    return Reader(sandbox)


@pytest.fixture
def installed(reader: Reader) -> Reader:
    reader.type("pip install ./json-setting")
    return reader


def shown() -> Iterator[tuple[str, str]]:
    """Each command of the page, with what the page says that it says."""
    for block in blocks(PAGE):
        if block.language == "console":
            for part in ("\n" + block.text).split("\n$ ")[1:]:
                command, _, said = part.partition("\n")
                yield command, said


def test_the_page_followed_to_the_letter(reader: Reader) -> None:
    said = {}
    for command, expected in shown():
        said[command] = reader.type(command)
        assert not expected or said[command] == expected, command
    assert len(said) == len([line for block in blocks(PAGE) for line in commands(block.text)])
    listed = [line.split() for line in said["converge list -e"].splitlines()]
    assert ["json_setting", "One", "setting", "in", "a", "JSON", "file.", "(json-setting", "1.0)"] in listed
    assert "3 resources, no mistakes" in said["converge check docker.py"]
    assert "3 pending" in said["converge plan docker.py"]
    assert "error" not in said["converge plan docker.py"].lower()
    assert "3 ok" in reader.type("converge plan docker.py")


def test_it_is_the_example_that_is_shipped() -> None:
    files = {block.file: block.text for block in blocks(PAGE) if block.file is not None}
    for path in ("pyproject.toml", "src/json_setting/__init__.py"):
        assert files[f"json-setting/{path}"] == (EXAMPLE / path).read_text()


def test_the_line_for_a_part_of_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
    (line,) = (block.text for block in blocks(PAGE) if block.text.startswith('"json_setting": '))
    ((name, place),) = ast.literal_eval(f"{{{line}}}").items()
    monkeypatch.setitem(KINDS, name, place.removeprefix("converge.resources."))
    monkeypatch.setattr(Run, name, Declares(name), raising=False)
    declared = declare(lambda r: r.json_setting("/etc/x.json", "a", 1))  # type: ignore[attr-defined]  # set above
    assert [each.id for each in declared.resources] == ["json:/etc/x.json:a"]


def test_the_daemon_puts_drift_right_and_keeps_what_is_not_managed(installed: Reader) -> None:
    installed.type("converge serve docker.py --timeout 50ms")
    command = [sys.executable, "-m", "converge", "--out", "serial", "serve", "docker.py"]
    with subprocess.Popen(command, cwd=installed.sandbox.work, env=installed.env, stdout=subprocess.PIPE) as daemon:
        try:
            assert daemon.stdout is not None
            while b"WATCHING" not in daemon.stdout.readline():
                assert daemon.poll() is None
            new = Path(f"{installed.file}.new")
            new.write_text('{"debug": true, "log-driver": "json-file"}')
            os.rename(new, installed.file)
            wanted = {"debug": True, "log-driver": "journald"}
            deadline = time.monotonic() + 20
            while json.loads(installed.file.read_text()) != wanted:
                assert time.monotonic() < deadline, installed.file.read_text()
                time.sleep(0.01)
        finally:
            daemon.terminate()


@pytest.mark.parametrize(
    ("text", "said"), [("{", "daemon.json is not valid JSON"), ("[]", "daemon.json holds no JSON object")]
)
def test_what_is_no_json_is_an_error_in_words(installed: Reader, text: str, said: str) -> None:
    installed.file.parent.mkdir()
    installed.file.write_text(text)
    assert said in installed.type("converge plan docker.py || true")


def test_a_wrong_type_is_a_mistake_before_anything_happens(installed: Reader) -> None:
    blueprint = installed.sandbox.work / "docker.py"
    blueprint.write_text(blueprint.read_text().replace('"journald"', "1.5"))
    assert "value must be str or int or bool, not 1.5" in installed.type("converge plan docker.py 2>&1 || true")
