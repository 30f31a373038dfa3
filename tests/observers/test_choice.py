"""Which observer is chosen for a stream, and what choosing it costs."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from converge.observers import _shows_marks, observer_for
from converge.observers.jsonout import JsonLines, JsonObject
from converge.observers.serial import Serial
from converge.observers.terminal import Terminal


class Tty(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def able_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_terminal_gets_marks_and_colour() -> None:
    assert isinstance(observer_for("terminal", Tty(), daemon=False, verbose=False), Terminal)


def test_serial_and_json_are_what_was_asked_for_also_on_a_terminal() -> None:
    assert isinstance(observer_for("serial", Tty(), daemon=True, verbose=False), Serial)
    assert isinstance(observer_for("json", Tty(), daemon=False, verbose=False), JsonObject)
    assert isinstance(observer_for("json", Tty(), daemon=True, verbose=False), JsonLines)


@pytest.mark.parametrize("stream", [io.StringIO(), io.TextIOWrapper(io.BytesIO(), "utf-8"), Tty("latin-1")])
def test_what_is_no_terminal_or_lacks_the_marks_gets_plain_text(stream: io.TextIOBase) -> None:
    assert isinstance(observer_for("terminal", stream, daemon=False, verbose=False), Serial)  # type: ignore[arg-type]


@pytest.mark.parametrize("term", ["dumb", "unknown", None])
def test_so_does_a_terminal_that_knows_nothing(term: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if term is None:
        monkeypatch.delenv("TERM")
    else:
        monkeypatch.setenv("TERM", term)
    assert isinstance(observer_for("terminal", Tty(), daemon=False, verbose=False), Serial)


def test_a_console_of_windows_needs_no_term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERM")
    monkeypatch.setattr("sys.platform", "win32")
    assert _shows_marks(Tty())
    monkeypatch.setenv("TERM", "dumb")
    assert not _shows_marks(Tty())


def test_rich_is_only_loaded_for_a_terminal() -> None:
    script = (
        "import sys; from converge.observers import _shows_marks, observer_for\n"
        "for out in ('terminal', 'serial', 'json'): observer_for(out, sys.stdout, daemon=False, verbose=False)\n"
        "print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
