"""The worked example of docs/adding-a-kind.md: a whole kind, from declaration to repair."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator

import pytest
from pages import ROOT, Sandbox, as_blueprint, blocks

from converge.cli import main
from converge.declaration import Declares, Run

PAGE = (ROOT / "docs" / "adding-a-kind.md").read_text()


@pytest.fixture
def example(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The page's kind in its place, and the path of the page's blueprint."""
    module, line, blueprint = (block.text for block in blocks(PAGE) if block.language == "python")
    path = sandbox.put("jsonsetting.py", module)
    spec = importlib.util.spec_from_file_location("jsonsetting", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "jsonsetting", loaded)  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    assert line.strip() == "json_setting = Declares(JsonSetting)"
    monkeypatch.setattr(Run, "json_setting", Declares(loaded.JsonSetting), raising=False)
    yield str(sandbox.put("example.py", as_blueprint(blueprint)))


def serve(path: str) -> int:
    return main(["serve", "--out", "serial", "--timeout", "50ms", "--max-retries", "0", "--detailed-exit-codes", path])


def test_it_is_put_right_once_and_keeps_what_it_does_not_manage(
    example: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sandbox.root / "etc" / "daemon.json"
    file.write_text('{"debug": true, "log-driver": "json-file"}')
    file.chmod(0o600)
    assert main(["plan", "--detailed-exit-codes", example]) == 5
    assert 'log-driver: "json-file" -> "journald"' in capsys.readouterr().out
    assert serve(example) == 2
    assert json.loads(file.read_text()) == {"debug": True, "log-driver": "journald"}
    assert serve(example) == 0


def test_what_is_no_json_is_an_error_in_words(
    example: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sandbox.root / "etc" / "daemon.json"
    file.write_text("{")
    assert serve(example) == 3
    assert "daemon.json is not valid JSON" in capsys.readouterr().out


def test_a_wrong_type_is_a_mistake_before_anything_happens(
    example: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = sandbox.put("wrong.py", as_blueprint('r.json_setting("daemon.json", "log-driver", 1.5)\n'))
    assert main(["plan", str(wrong)]) == 1
    assert "value must be str or int or bool, not 1.5" in capsys.readouterr().err
