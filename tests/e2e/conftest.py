"""The real program on real files: write a blueprint, run ``converge`` on it as a user does, and read what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

DEADLINE = 20.0  # for what is certain to come; reaching it is a failure
HEADER = """\
from __future__ import annotations
from pathlib import Path
from converge import Block, Line, Run, blueprint, file_exists

HERE = Path({here!r})
{before}
@blueprint("site", "what this test declares")
def site(r: Run) -> None:
"""


def wait_until(holds: Callable[[], T], what: str = "it", deadline: float = DEADLINE) -> T:
    """Wait for something that is certain to come; returns what ``holds`` returned at last."""
    end = time.monotonic() + deadline
    while not (found := holds()):
        if time.monotonic() > end:
            pytest.fail(f"still not after {deadline:g} s: {what}")
        time.sleep(0.005)
    return found


@dataclass(frozen=True)
class Said:
    """What a command that has ended said."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.out)
        except ValueError:
            pytest.fail(f"no JSON (exit code {self.code}): {self.out}\n{self.err}")
        return found

    def statuses(self) -> dict[str, str]:
        """The status of each resource, by id."""
        return {each["id"]: each["status"] for each in self.json()["resources"]}


@dataclass
class Daemon:
    """A running ``converge serve``, and all that it has said. Started with ``--out json``, ``events`` are its lines."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            reader = threading.Thread(target=lambda stream=stream, lines=lines: lines.extend(stream), daemon=True)
            reader.start()
            self.readers.append(reader)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines)]

    def said(self) -> str:
        """For a message: all of it."""
        return "".join(self.lines) + "".join(self.errors)

    def until(self, holds: Callable[[], T], what: str = "it") -> T:
        """Wait for something that this daemon is to bring about; it must not end before."""

        def look() -> T:
            if not (found := holds()) and self.process.poll() is not None:
                for reader in self.readers:
                    reader.join(DEADLINE)
                pytest.fail(f"it ended ({self.process.returncode}) before {what}:\n{self.said()}")
            return found

        try:
            return wait_until(look, what)
        except pytest.fail.Exception as error:
            pytest.fail(f"{error}\nit said:\n{self.said()}")

    def until_reads(self, path: Path, text: str) -> None:
        """Wait until a file has this content."""

        def reads() -> bool:
            try:
                return path.read_text() == text
            except FileNotFoundError:
                return False

        self.until(reads, f"{path} has the content {text!r}")

    def watching(self) -> Daemon:
        """Wait until the first convergence is done."""
        self.until(lambda: any("WATCHING" in line or '"watching"' in line for line in list(self.lines)), "WATCHING")
        return self

    def outcomes(self, id: str | Path, since: int = 0) -> list[dict[str, Any]]:
        """Its outcomes of one resource, given by its id or path, without the first ``since`` events."""
        name = f"file:{id}" if isinstance(id, Path) else id
        return [event for event in self.events[since:] if event["event"] == "outcome" and event["id"] == name]

    def notices(self, severity: str = "") -> list[str]:
        """The texts of its notices."""
        return [e["text"] for e in self.events if e["event"] == "notice" and e["severity"].startswith(severity)]

    def notice(self, part: str) -> None:
        """Wait until it has said so."""
        self.until(lambda: any(part in text for text in self.notices()), f"a notice with {part!r}")

    def outcome(self, id: str | Path, status: str, since: int = 0) -> dict[str, Any]:
        """Wait for an outcome with this status, after the first ``since`` events."""

        def found() -> dict[str, Any] | None:
            return next((each for each in self.outcomes(id, since) if each["status"] == status), None)

        result = self.until(found, f"{id} is {status}")
        assert result is not None
        return result

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end; returns its exit code."""
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it does not end; it said:\n{self.said()}")
        for reader in self.readers:
            reader.join(DEADLINE)
        return code

    def stop(self) -> int:
        """Tell it to stop; returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.ended()


class Place:
    """A scratch machine: a folder for blueprints, one that they manage, and state and run-time folders of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.managed = root / "managed"
        self.blueprints = root / "blueprints"
        self.managed.mkdir()
        self.blueprints.mkdir()
        self.site = self.blueprints / "site.py"
        self.python = [sys.executable, "-m", "converge"]
        self.user: int | None = None
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in ("CONVERGE_OUT", "NO_COLOR", "TERM")},
            "CONVERGE_STATE_DIR": str(root / "state"),
            "CONVERGE_RUNTIME_DIR": str(root / "run"),
            "PYTHONUNBUFFERED": "",
        }
        self.daemons: list[Daemon] = []

    def declare(self, body: str, *, before: str = "") -> Path:
        """Write the blueprint ``site``, whose declarations are ``body``; returns its path.

        ``HERE`` is the managed folder. It is replaced in one step, as editors do.
        """
        head = HEADER.format(here=str(self.managed), before=textwrap.dedent(before))
        return self.write(self.site, head + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n")

    def write(self, path: Path, text: str) -> Path:
        """Replace a file in one step."""
        new = path.with_name(path.name + ".writing")
        new.write_text(text)
        return new.rename(path)

    def run(self, *arguments: str | Path, **env: str) -> Said:
        """Run a command to its end."""
        done = subprocess.run(
            [*self.python, *map(str, arguments)],
            check=False, capture_output=True, text=True, env=self.env | env, cwd=self.blueprints, timeout=120,
            stdin=subprocess.DEVNULL, user=self.user, group=self.user, extra_groups=None if self.user is None else [],
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    def plan(self, *options: str, **env: str) -> Said:
        return self.run("plan", self.site, *options, **env)

    def once(self, *options: str, **env: str) -> Said:
        """Converge and end."""
        return self.run("serve", self.site, "--timeout", "200ms", *options, **env)

    def start(
        self, *options: str, command: str = "serve", site: Path | None = None, cwd: Path | None = None, **env: str
    ) -> Daemon:
        """Start ``serve``, or another command; whatever becomes of it, it is gone at the end of the test."""
        process = subprocess.Popen(
            [*self.python, command, str(site or self.site), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
            env=self.env | env, cwd=cwd or self.blueprints, start_new_session=True,
            user=self.user, group=self.user, extra_groups=None if self.user is None else [],
        )  # fmt: skip
        daemon = Daemon(process)
        self.daemons.append(daemon)
        return daemon

    def serve(self, *options: str, **env: str) -> Daemon:
        """Start a daemon that tells what it does as JSON lines, and wait until it watches."""
        return self.start("--out", "json", *options, command="serve", site=None, cwd=None, **env).watching()

    @staticmethod
    def until(holds: Callable[[], T], what: str = "it", deadline: float = DEADLINE) -> T:
        return wait_until(holds, what, deadline)

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.process.kill()
            daemon.process.wait(DEADLINE)
            for stream in (daemon.process.stdout, daemon.process.stderr):
                if stream is not None:
                    stream.close()


@pytest.fixture
def new_place() -> Iterator[Callable[[Path], Place]]:
    """Makes a scratch machine in some folder; its daemons are gone at the end."""
    made: list[Place] = []

    def make(root: Path) -> Place:
        made.append(Place(root))
        return made[-1]

    yield make
    for place in made:
        place.close()


@pytest.fixture
def place(new_place: Callable[[Path], Place], tmp_path: Path) -> Place:
    """A scratch machine."""
    return new_place(tmp_path.resolve())


@pytest.fixture(scope="module")
def module_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A scratch machine for all tests of a module, for what is run once and looked at from many sides."""
    return Place(tmp_path_factory.mktemp("place").resolve())


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mount a tmpfs with these options; whatever is left of it is taken away at the end."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    points: list[Path] = []

    def do(point: Path, options: str = "size=4m", *more: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, *more, "converge-test", str(point)], check=True)
        points.append(point)

    yield do
    for point in reversed(points):
        subprocess.run(["umount", "-l", str(point)], check=False, stderr=subprocess.DEVNULL)
