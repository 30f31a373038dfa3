"""A real Debian with systemd, booted in a container for one test and thrown away after it.

The root is made once by debootstrap and kept in /var/cache, for all checkouts; each machine is an overlay of it, so
that booting takes about a second and nothing that a test does is left. The checkout and the Python that runs the tests
are seen inside at the same paths, read-only, so that ``converge`` runs there as it is here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("CONVERGE_TEST_CACHE", "/var/cache/converge-tests"))
RELEASE = "bookworm"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "python3-minimal", "nftables", "iproute2", "procps",
    "libffi8", "libssl3", "zlib1g", "libbz2-1.0", "liblzma5", "libexpat1", "libsqlite3-0", "libreadline8",
    "git", "cron", "tzdata", "kmod", "openssh-server",
)  # fmt: skip
VERSION = "2"
"""Goes up when the root has to be made anew, in the cache too."""
DEADLINE = 30.0
T = TypeVar("T")


class Unavailable(Exception):
    """No machine can be had, and why."""


def why_not() -> str | None:
    """Why no machine can be had here; None where one can."""
    if sys.platform != "linux":
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root: containers are made with systemd-nspawn"
    if not Path("/etc/debian_version").exists():
        return "needs Debian, whose packages the container is made of"
    return None


def root() -> Path:
    """The folder with the system that all machines start from; made where it is not there. Takes a minute then.

    Raises Unavailable where it cannot be made, as without a way to a mirror of Debian's packages.
    """
    ready = CACHE / f"root-{RELEASE}-{VERSION}"
    if ready.exists():
        return ready
    try:
        _install_tools()
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"what makes it could not be installed: {error}") from error
    CACHE.mkdir(parents=True, exist_ok=True)
    making = CACHE / f"making-{os.getpid()}"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", RELEASE, str(making), _mirror()]
    try:
        _must(command, timeout=900)
        making.rename(ready)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"its root could not be made: {error}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return ready


def _install_tools() -> None:
    if shutil.which("debootstrap") and shutil.which("systemd-nspawn"):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _must(["apt-get", "-qq", "update"], timeout=300, env=environment)
    wanted = ["systemd-container", "debootstrap"]
    _must(["apt-get", "-qq", "-y", "--no-install-recommends", "install", *wanted], timeout=600, env=environment)


def _mirror() -> str:
    """Where this machine gets its own packages from."""
    for path in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        for line in path.read_text().splitlines():
            if line.startswith("URIs:"):
                return line.split()[1]
    return "http://deb.debian.org/debian"


def _must(command: Sequence[str], *, timeout: float, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")


class Machine:
    """A booted system. ``run`` does as root there what a user would type."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.top = folder / "top"
        self.python = Path(sys.executable)
        self._container: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def boot(self) -> None:
        """Start it, or start it again after it was powered off."""
        binds = dict.fromkeys([str(CHECKOUT), sys.base_prefix, sys.prefix])
        command = [
            "systemd-nspawn", "--quiet", f"--directory={self.top}", f"--machine={self.name}", "--register=no",
            "--keep-unit", "--private-network", *(f"--bind-ro={path}" for path in binds), "--boot",
        ]  # fmt: skip
        with (self.folder / "console").open("ab") as console:
            self._container = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        self._leader = self._until(self._find_leader)
        self._until(lambda: self.run("systemctl", "is-system-running", "--wait", check=False).stdout in _UP)

    def run(
        self, *command: str, check: bool = True, text: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside; its output is text."""
        done = subprocess.run(
            self._inside(command), input=text, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command inside and let it run; its output can be read from a pipe."""
        return subprocess.Popen(
            self._inside(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def converge(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """``converge …`` inside."""
        return self.run(str(self.python), "-m", "converge", *arguments, check=check)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file into it, as another program there would: by writing it."""
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"', "sh", path, f"{mode:o}",
                 text=text)  # fmt: skip

    def read(self, path: str) -> str:
        return self.run("cat", path).stdout

    def power_off(self) -> None:
        """Shut it down in order, as its owner would."""
        self.run("systemctl", "poweroff", check=False)
        self.wait_until_off()

    def wait_until_off(self) -> None:
        if self._container is not None:
            self._container.wait(DEADLINE)
            self._container = None

    def kill(self) -> None:
        """Pull the plug."""
        if self._container is None:
            return
        if self._leader:
            with _gone_is_fine():
                os.kill(self._leader, signal.SIGKILL)
        try:
            self._container.wait(10)
        except subprocess.TimeoutExpired:
            self._container.kill()
            self._container.wait()
        self._container = None

    def console(self) -> str:
        """What it wrote to its console while booting."""
        return (self.folder / "console").read_text(errors="replace")

    def _inside(self, command: Sequence[str]) -> list[str]:
        variables = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root"]
        return ["nsenter", "-t", str(self._leader), "-a", "--wdns=/", "env", "-i", *variables, *command]

    def _find_leader(self) -> int:
        """The process in which systemd runs: the container's only child."""
        assert self._container is not None
        if self._container.poll() is not None:
            raise AssertionError(f"the container ended:\n{self.console()}")
        children = Path(f"/proc/{self._container.pid}/task/{self._container.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(FileNotFoundError):  # it has just ended
                if os.readlink(f"/proc/{child}/exe").endswith("/systemd"):
                    return int(child)
        return 0

    def _until(self, look: Callable[[], T]) -> T:
        deadline = time.monotonic() + DEADLINE
        while not (found := look()):
            if time.monotonic() > deadline:
                raise AssertionError(f"the machine did not come up:\n{self.console()}")
            time.sleep(0.02)
        return found


_UP = ("running\n", "degraded\n")


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except ProcessLookupError:
        return


@contextmanager
def machine(folder: Path, name: str) -> Iterator[Machine]:
    """A machine for as long as this lasts."""
    base = root()
    for part in ("upper", "work", "top"):
        (folder / part).mkdir(parents=True)
    options = f"lowerdir={base},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    _must(["mount", "-t", "overlay", "overlay", "-o", options, str(folder / "top")], timeout=20)
    booted = Machine(folder, name)
    try:
        booted.boot()
        yield booted
    finally:
        booted.kill()
        _must(["umount", "--lazy", str(folder / "top")], timeout=20)
