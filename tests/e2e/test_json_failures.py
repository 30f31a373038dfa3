"""``--out json``: one object on standard output, whatever goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from converge.cli import exit_codes

GOOD = """
from converge import Run, blueprint

@blueprint("site", "one file")
def site(r: Run) -> None:
    r.file({path!r}, content="x")
"""
BAD = GOOD.replace("content=", "kontent=")
SLOW = "import time\nprint('here', flush=True, file=__import__('sys').stderr)\ntime.sleep(60)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Blueprints: a good one, a wrong one, one that is no Python, and one that takes its time."""
    (tmp_path / "good.py").write_text(GOOD.format(path=str(tmp_path / "made")))
    (tmp_path / "bad.py").write_text(BAD.format(path=str(tmp_path / "made")))
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


def start(folder: Path, *words: str, **env: str) -> subprocess.Popen[str]:
    variables = os.environ | {"CONVERGE_STATE_DIR": f"{folder}/state", "CONVERGE_RUNTIME_DIR": f"{folder}/run"} | env
    return subprocess.Popen(
        [sys.executable, "-m", "converge", *words],
        cwd=folder,
        env=variables,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(folder: Path, *words: str, **env: str) -> tuple[int, object]:
    process = start(folder, *words, **env)
    out, err = process.communicate(timeout=60)
    try:
        return process.returncode, json.loads(out)
    except ValueError:
        pytest.fail(f"not one object: {out!r}\n{err}")


@pytest.mark.parametrize(
    "words",
    ["plan good.py", "serve --timeout 1s good.py", "check good.py", "graph --format json good.py", "init new",
     "adopt file good.py", "list", "version"],
)  # fmt: skip
def test_rightly(folder: Path, words: str) -> None:
    code, found = run(folder, *words.split(), "--out", "json")
    assert code == 0
    assert isinstance(found, dict)
    assert "error" not in found


@pytest.mark.parametrize("command", ["plan", "serve", "serve --timeout 1s", "check", "graph"])
@pytest.mark.parametrize(
    ("blueprint", "code"),
    [("bad.py", exit_codes.ERROR), ("broken.py", exit_codes.ERROR), ("nosuch", exit_codes.BLUEPRINT_NOT_FOUND),
     ("nosuch.py", exit_codes.BLUEPRINT_NOT_FOUND), ("good.py:none", exit_codes.BLUEPRINT_NOT_FOUND)],
)  # fmt: skip
def test_no_such_blueprint_and_mistakes(folder: Path, command: str, blueprint: str, code: int) -> None:
    got, found = run(folder, *command.split(), "--out", "json", blueprint)
    assert isinstance(found, dict)
    assert got == code == found["exit_code"]
    assert found["error"]
    if blueprint == "bad.py":
        assert [(each["line"], "content" in each["text"]) for each in found["mistakes"]] == [(6, True)]
    assert not (folder / "made").exists()


@pytest.mark.parametrize(
    "words",
    ["plan", "plan --nosuch good.py", "serve --timeout soon good.py", "nosuch", "plan a b", "list --out json x",
     "adopt nosuch x", "adopt file", "adopt file /nosuch", "init .", "secret", "secret edit nosuch", "completion tcsh",
     "help nosuch", "check --set x good.py"],
)  # fmt: skip
@pytest.mark.parametrize("how", ["after", "before", "equals", "environment"])
def test_bad_command_lines(folder: Path, words: str, how: str) -> None:
    (folder / "site.py").touch()
    env = {"CONVERGE_OUT": "json"} if how == "environment" else {}
    asked = {"after": [], "before": ["--out", "json"], "equals": ["--out=json"], "environment": []}[how]
    end = ["--out", "json"] if how == "after" else []
    code, found = run(folder, *asked, *words.split(), *end, **env)
    assert code == exit_codes.ERROR
    assert isinstance(found, dict)
    assert found.get("error") or found.get("errors")


@pytest.mark.parametrize("command", ["plan", "serve", "check"])
def test_interrupted(folder: Path, command: str) -> None:
    process = start(folder, command, "--out", "json", "slow.py")
    assert process.stderr is not None
    for line in process.stderr:
        if "here" in line:
            break
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == exit_codes.ERROR
    assert json.loads(out) == {"error": "interrupted", "exit_code": exit_codes.ERROR}
