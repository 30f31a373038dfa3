"""What a person at a terminal sees, and what their terminal is like afterwards."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Place


class Terminal:
    """A person at a terminal, who runs ``converge`` there."""

    def __init__(self, place: Place, *arguments: str, **env: str) -> None:
        self.keyboard, self.line = pty.openpty()
        self.before = termios.tcgetattr(self.line)
        self.text = ""
        line = self.line
        self.process = subprocess.Popen(
            [*place.python, *arguments], stdin=line, stdout=line, stderr=line,
            env=place.env | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | env, cwd=place.blueprints,
            preexec_fn=lambda: os.login_tty(os.dup(line)),  # noqa: PLW1509 - it makes two system calls and takes no lock
        )  # fmt: skip

    def read(self) -> None:
        while select.select([self.keyboard], [], [], 0.05)[0]:
            self.text += os.read(self.keyboard, 65536).decode(errors="replace")

    def until(self, holds: Callable[[str], Any]) -> None:
        end = time.monotonic() + 20
        while not holds(self.text):
            assert time.monotonic() < end, self.text
            self.read()

    def ended(self) -> int:
        end = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text
            self.read()
        self.read()
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.keyboard)
        os.close(self.line)


Sit = Callable[..., Terminal]


@pytest.fixture
def sit(place: Place) -> Iterator[Sit]:
    terminals: list[Terminal] = []

    def down(*arguments: str, **env: str) -> Terminal:
        terminals.append(Terminal(place, *arguments, **env))
        return terminals[-1]

    yield down
    for terminal in terminals:
        terminal.close()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def is_clean(terminal: Terminal) -> bool:
    """The cursor is shown, colours are off, the line discipline is as it was and the cursor is on a line of its own."""
    hidden = terminal.text.rfind("\x1b[?25l")
    colours = re.findall(r"\x1b\[([0-9;]*)m", terminal.text)
    return (
        terminal.text.rfind("\x1b[?25h") >= hidden
        and (not colours or colours[-1] in ("0", ""))
        and termios.tcgetattr(terminal.line) == terminal.before
        and plain(terminal.text).endswith("\n")
    )


def test_control_c_ends_a_daemon_and_leaves_a_clean_terminal(place: Place, sit: Sit) -> None:
    place.declare('r.file(HERE / "a", content="x")\nr.exec("no", "false", retries=0)')
    terminal = sit("serve", "site.py")
    terminal.until(lambda text: "WATCHING" in text)
    os.write(terminal.keyboard, b"\x03")
    assert terminal.ended() == 0
    assert is_clean(terminal)
    assert "Traceback" not in terminal.text
    assert "interrupted" in plain(terminal.text).splitlines()[-1]


def test_control_c_while_the_progress_spins_leaves_a_clean_terminal(place: Place, sit: Sit) -> None:
    place.declare('r.file(HERE / "a", content="x")\nr.exec("slow", f"touch {HERE}/begun; sleep 1.5", shell=True)')
    terminal = sit("serve", "site.py")
    terminal.until(lambda text: "[1/2]" in text)
    os.write(terminal.keyboard, b"\x03")
    assert terminal.ended() == 0
    assert is_clean(terminal)


def test_control_c_while_planning_leaves_a_clean_terminal(place: Place, sit: Sit) -> None:
    place.declare('r.file(HERE / "a", content="x")\nr.exec("slow", "true", unless="sleep 100")')
    terminal = sit("plan", "site.py")
    terminal.until(lambda text: "[1/2]" in text)
    os.write(terminal.keyboard, b"\x03")
    assert terminal.ended() == 1
    assert is_clean(terminal)
    assert "Traceback" not in terminal.text


def test_a_terminal_gets_marks_and_colours_and_no_color_is_honoured(place: Place, sit: Sit) -> None:
    place.declare(
        """
        r.file(HERE / "changes", content="new\\nlines\\n", mode=0o600)
        r.file(HERE / "right", content="right")
        r.file(HERE / "gone", state="absent")
        r.file(HERE / "wrong/way", content="x")
        """
    )
    (place.managed / "changes").write_text("old\n")
    for name in ("right", "gone"):
        (place.managed / name).write_text("right")
    for env, options in (({}, []), ({"NO_COLOR": "1"}, ["-v"])):
        terminal = sit("plan", *options, "site.py", **env)
        assert terminal.ended() == 1
        lines = [line.strip() for line in plain(terminal.text).splitlines()]
        for line in ("mode: 0644 → 0600", "-old", "+new", "+lines"):
            assert line in lines
        marks = {line[0] for line in lines if line[:2] in ("✓ ", "~ ", "+ ", "- ", "✗ ")}
        assert marks == {"~", "-", "✗"} | ({"✓"} if options else set())
        assert bool(re.search(r"\x1b\[[0-9;]+m", terminal.text)) is (not env)
        assert re.search(r"^2 pending, 1 failed, 1 ok in ", lines[-1])


def test_what_takes_long_is_shown_with_its_time_and_control_c_says_what_it_waits_for(place: Place, sit: Sit) -> None:
    place.declare('r.file(HERE / "a", content="x")\nr.exec("slow", "sleep 100")\nr.exec("fails", "false", retries=0)')
    terminal = sit("serve", "site.py")
    terminal.until(lambda text: re.search(r"\[2/3\] exec:slow  2 s", plain(text)))
    assert "✗ fails" in plain(terminal.text), "it is shown although its group is not complete"
    os.write(terminal.keyboard, b"\x03")
    terminal.until(lambda text: "ends at once" in text)
    os.write(terminal.keyboard, b"\x03")
    assert terminal.ended() == 0
    assert is_clean(terminal)
    assert "note: stopping, as soon as this is done, or in 30 s: exec:slow" in plain(terminal.text)
    assert re.fullmatch("interrupted: 1 changed, 1 failed in .*", plain(terminal.text).splitlines()[-1])


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_terminal_that_can_show_neither_gets_serial_output(place: Place, sit: Sit, env: dict[str, str]) -> None:
    place.declare('r.file(HERE / "a", content="ü")')
    terminal = sit("plan", "site.py", **env)
    assert terminal.ended() == 0
    assert terminal.text.isascii()
    assert "\x1b" not in terminal.text


def test_a_terminal_that_is_lost_ends_a_daemon(place: Place, sit: Sit) -> None:
    place.declare('r.file(HERE / "a", content="x", limit=1000)')
    terminal = sit("serve", str(place.site))
    terminal.until(lambda text: "WATCHING" in text)
    hang_up(terminal)
    assert terminal.process.wait(20) == 0


def test_one_that_was_started_with_nohup_outlives_its_terminal(place: Place, sit: Sit) -> None:
    place.declare('r.file(HERE / "a", content="x", limit=1000)')
    place.python = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *place.python]  # what nohup does
    terminal = sit("serve", str(place.site))
    terminal.until(lambda text: "WATCHING" in text)
    hang_up(terminal)
    for _ in range(4):
        (place.managed / "a").write_text("tampered")
        place.until(lambda: (place.managed / "a").read_text() == "x")
    place.declare('r.file(HERE / "a", content="y", limit=1000)')
    place.until(lambda: (place.managed / "a").read_text() == "y")
    terminal.process.terminate()
    assert terminal.process.wait(20) == 0


def test_sighup_of_a_terminal_that_is_there_loads_the_blueprint_again(place: Place, sit: Sit) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    terminal = sit("serve", str(place.site))
    terminal.until(lambda text: "WATCHING" in text)
    terminal.process.send_signal(signal.SIGHUP)
    terminal.until(lambda text: "loaded site again" in text)
    assert terminal.process.poll() is None


def hang_up(terminal: Terminal) -> None:
    """As where the window is closed, or the connection lost."""
    for descriptor in (terminal.line, terminal.keyboard):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
