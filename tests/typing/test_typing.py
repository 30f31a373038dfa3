"""The types that blueprints are checked with: mypy and pyright accept what is right, and find what is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RIGHT, WRONG = HERE / "right.py", HERE / "wrong.py"
MARKED = {n for n, line in enumerate(WRONG.read_text().splitlines(), 1) if line.endswith("# error")}


def run(*command: str | Path) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=HERE.parents[1], capture_output=True, text=True, check=False, timeout=300
    )
    return done.stdout or done.stderr


def test_there_is_something_to_find() -> None:
    assert len(MARKED) > 30


def test_mypy_finds_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    said = run(sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", RIGHT, WRONG)
    assert "right.py" not in said, said
    found = {int(line) for line in re.findall(r"wrong\.py:(\d+): error:", said)}
    assert found == MARKED, said


def test_pyright_finds_what_is_wrong_and_nothing_else() -> None:
    said = run(sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, RIGHT, WRONG)
    assert said.startswith("{"), said
    errors = [each for each in json.loads(said)["generalDiagnostics"] if each["severity"] == "error"]
    right = [each for each in errors if Path(each["file"]).name == "right.py"]
    assert not right
    found = {each["range"]["start"]["line"] + 1 for each in errors if Path(each["file"]).name == "wrong.py"}
    assert found == MARKED, said
