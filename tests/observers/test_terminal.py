"""A terminal: colour, marks and headings; and on a real one, a line of progress that leaves nothing behind."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.change import Change
from converge.engine.events import Began, Notice, Outcome, Running, Working
from converge.observers.terminal import Terminal

RUN_TOLD = r"""
<1>Converging web: 9 resources<0>
<33>warning:<0> file:/a: the limit of watches is reached
<1>exec<0>
  <1;31>✗ tést<0><2>  1.2 s<0>
    run: nginx -t
    <31>command nginx -t ended with exit status 1; the end of its output:<0>
      bad\x07 line
      <TAB>more
    <2>declared at site.py:12<0>
<1>service<0>
  <2>» nginx<0><2> (exec:tést failed)<0>
<1>file<0>
  <33>~ /etc/x<0><2>  12 ms<0>
    mode: 0600 → 0644
    content: 12 bytes → 14 bytes
      <1>--- now<0>
      <1>+++ wanted<0>
      <36>@@ -1,2 +1,2 @@<0>
       kept
      <31>-old<TAB>one\r<0>
      <32>+new \x1b[31mé<0>
  <32>+ /new<0>
    content: 3 bytes
  <31>- /old<0>
    state: file → (none)
  <35>? /root/x<0>
    content: unknown
  <33>~ /y<0><2> (after user:deploy)<0>
    owner: root → deploy
    <2>why: a\x07<0>
<1>user<0>
  <33>~ guest<0><2> (noop)<0>
    shell: /bin/sh → /bin/false
WATCHING 9 resources (<33>3 changed<0>, <33>2 pending<0>, <1;31>1 failed<0>, <2>1 skipped<0>, <32>1 ok<0> in 100 ms)
2025-11-24 12:00:05 <1;31>✗ exec:tést<0>
    <31>command nginx -t ended<0>
    noncompliant: no more retries until something changes
    <2>declared at site.py:12<0>
2025-11-24 12:00:05 <32>✓ exec:tést<0>
2025-11-24 12:00:05 <33>~ file:/etc/motd<0><2>  3.0 ms<0>
    mode: 0600 → 0644
2025-11-24 12:00:05 note: the blueprint was read again
<33>3 changed<0>, <33>2 pending<0>, <2>1 skipped<0>, <32>3 ok<0> in 120 ms
"""


@pytest.fixture(autouse=True)
def in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the person who runs the tests prefers."""
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_run_is_told(tell: Any, noon: Callable[[], datetime]) -> None:
    told = tell(lambda stream: Terminal(stream, now=noon))
    assert re.sub(r"\x1b\[([\d;]*)m", r"<\1>", told).replace("\t", "<TAB>") == RUN_TOLD.lstrip()


def test_without_colour_it_is_the_same_without_escapes(
    tell: Any, noon: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    told = tell(lambda stream: Terminal(stream, now=noon))
    assert told.replace("\t", "<TAB>") == re.sub(r"<[\d;]+>", "", RUN_TOLD).lstrip()


def test_kinds_that_go_on_side_by_side_are_a_group_each(tell: Any) -> None:
    outcomes = [Outcome(f"{kind}:{number}", kind, "changed") for number in range(2) for kind in ("file", "exec")]
    later = Outcome("file:0", "file", "changed")  # looked at again, when its group is complete
    told = tell(Terminal, [Began("x", "serve", 4, kinds={"file": 2, "exec": 2}), *outcomes, later])
    lines = re.sub(r"\x1b\[[\d;]*m", "", told).splitlines()[1:]
    assert lines == ["file", "  ~ 0", "  ~ 1", "exec", "  ~ 0", "  ~ 1", "~ file:0"]


def test_what_is_right_is_listed_when_asked_for(tell: Any) -> None:
    events = [
        Began("x", "plan", 2, kinds={"file": 2}),
        Outcome("file:/a", "file", "ok"),
        Outcome("file:/b", "file", "ok"),
    ]
    assert tell(Terminal, events).count("\n") == 1
    assert "✓ /b" in tell(lambda stream: Terminal(stream, verbose=True), events)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (80, "[1/3] apt-get install nginx, curl  14 s, and 1 more"),
        (40, "[1/3] apt-get install…  14 s, and 1 more"),
    ],
)
def test_progress_tells_what_takes_long_and_for_how_long(columns: int, told: str) -> None:
    terminal = Terminal(io.StringIO(), clock=lambda: 114.2)
    terminal.see(Began("x", "serve", 3))
    terminal.see(Outcome("file:/a", "file", "ok"))
    assert terminal._progress(columns) == "[1/3]"
    terminal.see(Working((Running("apt-get install nginx, curl", 100.0), Running("exec:b", 113.0))))
    assert terminal._progress(columns) == told
    terminal.see(Working(()))
    assert terminal._progress(columns) == "[1/3]"


any_text = st.text(st.characters(exclude_categories=()), max_size=20)


@given(any_text, any_text, any_text)
def test_whatever_the_names_are_they_do_not_drive_the_terminal(name: str, value: str, error: str) -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    change = Change(name, value, error, diff=lambda: value)
    for event in (
        Began(name, "plan", 0),
        Outcome(name, value, "failed", (change,), error=error, reason=value, where=name),
        Notice("error", error, name),
    ):
        terminal.see(event)
    terminal.close()
    told = re.sub(r"\x1b\[[\d;]+m", "", stream.getvalue())
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", told)
    told.encode("utf-8")


# --- on a real terminal -----------------------------------------------------------------------------------

PATIENCE = 30
"""Seconds to wait for what should take a moment."""

SCRIPT = """
import fcntl, signal, sys, termios
from collections import Counter
from converge.engine.events import Began, Ended, Notice, Outcome, Summary, Watching
from converge.observers import observer_for

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background of a shell
observer = observer_for("terminal", sys.stdout, daemon=False, verbose=False)
try:
    observer.see(Began("web", "serve", 4, kinds={"file": 2, "exec": 1, "user": 1}))
    observer.see(Outcome("file:/a", "file", "changed"))
    observer.see(Outcome("user:u", "user", "ok"))
    observer.see(Notice("info", "waits", "exec:b"))
    observer.flush()
    sys.stdin.readline()
    observer.see(Outcome("exec:b" + "-long" * 30, "exec", "changed"))
    observer.flush()
    sys.stdin.readline()
    observer.see(Outcome("file:/c", "file", "changed"))
    observer.see(Watching(4, Summary(Counter(ok=1, changed=3), 0.09)))
    observer.see(Ended(Summary(Counter(ok=1, changed=3), 0.1)))
except KeyboardInterrupt:
    observer.see(Ended(Summary(Counter(ok=1), 0.1), interrupted=True))
finally:
    observer.close()
"""


class Screen:
    """What a terminal shows after all that was written to it. Knows just what may be used, and refuses the rest."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = 0
        self.column = 0
        self.cursor_shown = True

    def write(self, text: str) -> None:
        for piece in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[^\x1b]", text):
            self._put(piece)

    def _put(self, piece: str) -> None:
        match piece:
            case "\r":
                self.column = 0
            case "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            case "\x1b[2K":
                self.lines[self.row] = ""
            case "\x1b[1A":
                self.row -= 1
            case "\x1b[?25l" | "\x1b[?25h":
                self.cursor_shown = piece.endswith("h")
            case _ if piece.startswith("\x1b"):
                assert piece.endswith("m"), f"unexpected escape sequence {piece!r}"
            case _:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + piece + line[self.column + 1 :]
                self.column += 1


class Session:
    """A program on a terminal of its own, of which it is the controlling one, so that Ctrl-C reaches it."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        settings = termios.tcgetattr(slave)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        self.written = ""
        self.screen = Screen()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )
        os.close(slave)

    def until(self, text: str) -> None:
        while text not in self.written:
            assert self.read(), f"{text!r} was never shown: {self.written!r}"

    def until_shown(self, row: int, lines: list[str]) -> None:
        while [line.rstrip() for line in self.screen.lines[row : row + len(lines)]] != lines:
            assert self.read(), f"{lines!r} was never shown: {self.written!r}"

    def read(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], PATIENCE)
        assert ready, f"nothing more was shown after {self.written!r}"
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other end open any more
            return False
        text = data.decode()
        self.written += text
        self.screen.write(text)
        return bool(data)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> None:
        while self.read():
            pass
        assert self.process.wait() == 0


@pytest.fixture
def session() -> Iterator[Session]:
    running = Session()
    yield running
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
    os.close(running.master)


def test_progress_is_shown_while_it_lasts_and_gone_afterwards(session: Session) -> None:
    session.until("[2/4]")
    assert [line.rstrip() for line in session.screen.lines[:4]] == [
        "Converging web: 4 resources",
        "note: exec:b: waits",
        "file",
        "  ~ /a",
    ]
    assert not session.screen.cursor_shown
    session.type("\n")
    # What is complete is there for good, above what is not, which is drawn again below it.
    session.until_shown(2, ["exec", "  ~ b" + "-long" * 30, "file", "  ~ /a"])
    session.type("\n")
    session.end()
    assert session.screen.lines == [
        "Converging web: 4 resources",
        "note: exec:b: waits",
        "exec",
        "  ~ b" + "-long" * 30,
        "file",
        "  ~ /a",
        "  ~ /c",
        "WATCHING 4 resources (3 changed, 1 ok in 90 ms)",
        "3 changed, 1 ok in 100 ms",
        "",
    ]
    assert session.screen.cursor_shown


def test_ctrl_c_leaves_a_clean_terminal(session: Session) -> None:
    session.until("[2/4]")
    session.type("\x03")
    session.end()
    assert session.screen.lines == [
        "Converging web: 4 resources",
        "note: exec:b: waits",
        "file",
        "  ~ /a",
        "interrupted: 1 ok in 100 ms",
        "",
    ]
    assert session.screen.cursor_shown
    assert session.screen.column == 0
