"""`make demo`: converge keeps a small site right while this script tampers with it, and the repairs are timed.

Everything happens in one temporary folder and without root. KEEP=1 leaves the folder there to go on playing with.
"""

from __future__ import annotations

import os
import pty
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

HERE = Path(__file__).parent
PATIENCE = 10.0
"""Seconds after which a repair that did not come counts as failed."""
PAUSE = 1.2 if sys.stdout.isatty() else 0.6
"""Seconds between two steps: time to read, and long enough for the daemon to be idle again."""

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """The whole demonstration. Returns the exit code."""
    try:
        with signals, scratch_folder() as folder:
            return demonstrate(folder)
    except Stop:
        console.print("\n[dim]stopped; nothing is left behind[/]")
        return 130


def demonstrate(folder: Path) -> int:
    """Plan, serve, tamper, and say how long each repair took."""
    shutil.copy(HERE / "site.py", folder)
    shutil.copytree(HERE / "templates", folder / "templates")
    www = folder / "www"

    title("The blueprint")
    say_code((folder / "site.py").read_text())
    title("What would be done")
    command("converge plan site.py")
    subprocess.run([*CONVERGE, "plan", "site.py"], cwd=folder, env=environment(folder), check=True)

    title("Doing it, and staying to watch")
    command("converge serve site.py")
    with Daemon(folder) as daemon:
        daemon.wait_for("WATCHING")
        right = picture(www)
        took: list[float] = []
        for number, (text, tamper) in enumerate(TAMPERING, start=1):
            time.sleep(PAUSE)
            title(f"Tampering {number} of {len(TAMPERING)}")
            command(text)
            daemon.listen()
            began = time.perf_counter()
            tamper(www)
            while picture(www) != right:
                if time.perf_counter() - began > PATIENCE:
                    console.print(f"[bold red]not repaired within {PATIENCE:.0f} s[/]")
                    return 1
            took.append(time.perf_counter() - began)
            daemon.settle()
            console.print(f"[bold green]everything as declared again after {took[-1] * 1000:.1f} ms[/]")
        time.sleep(PAUSE)  # the reload that the last repair called for

    title("In short")
    console.print(
        f"{len(took)} kinds of damage, each undone within {1000 * min(took):.1f} to {1000 * max(took):.1f} ms. "
        f"The reload ran {daemon.said.count('exec:reload')} times: once for each writing of the configuration."
    )
    title("Next: a service, on a machine with systemd")
    command("sudo install -D -m 0644 demo/service.py /etc/converge/service.py")
    command("sudo .venv/bin/converge serve /etc/converge/service.py")
    console.print("Then stop cron in another terminal, and look at it again: README.md, 'Your first service'.")
    return 0


# --- what is done to the site ----------------------------------------------------------------------------


def overwrite(www: Path) -> None:
    """As a careless editor does."""
    (www / "index.html").write_text("hacked\n")


def delete(www: Path) -> None:
    """The file goes."""
    (www / "server.conf").unlink()


def forbid(www: Path) -> None:
    """The script cannot be run any more."""
    (www / "health.sh").chmod(0o644)


def retarget(www: Path) -> None:
    """The link points elsewhere, in one step, as `ln -sfn` does."""
    (www / "new").symlink_to("releases/0.9")
    (www / "new").rename(www / "current")


def remove_all(www: Path) -> None:
    """The whole folder; the daemon may already be putting things back into it meanwhile."""
    subprocess.run(["rm", "-rf", www], check=False, stderr=subprocess.DEVNULL)


TAMPERING: list[tuple[str, Callable[[Path], None]]] = [
    ("echo hacked > www/index.html", overwrite),
    ("rm www/server.conf", delete),
    ("chmod -x www/health.sh", forbid),
    ("ln -sfn releases/0.9 www/current", retarget),
    ("rm -rf www", remove_all),
]


def picture(www: Path) -> dict[str, tuple[str, str]] | None:
    """All there is in the site: for each name its type and mode, and what is in it. None where it cannot be told."""
    try:
        seen = {".": (stat.filemode(www.lstat().st_mode), "")}
        for path in www.iterdir():
            status = path.lstat()
            inside = str(path.readlink()) if stat.S_ISLNK(status.st_mode) else path.read_text()
            seen[path.name] = (stat.filemode(status.st_mode), inside)
        return seen
    except OSError:
        return None  # something is just being taken away or put back


# --- the program -----------------------------------------------------------------------------------------

CONVERGE = [sys.executable, "-m", "converge"]


def environment(folder: Path) -> dict[str, str]:
    """This process's own, with converge's state and locks inside the folder too."""
    return os.environ | {"CONVERGE_STATE_DIR": f"{folder}/state", "CONVERGE_RUNTIME_DIR": f"{folder}/run"}


class Daemon:
    """`converge serve`, with its output passed on to ours as it comes; on a terminal it gets one of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.said = ""
        self._said_at = 0.0

    def __enter__(self) -> Daemon:
        ours, its = pty.openpty() if sys.stdout.isatty() else os.pipe()
        with signals.held():
            # A session of its own, so that Ctrl-C reaches only this script, which then ends it in an orderly way.
            self._process = subprocess.Popen(
                [*CONVERGE, "serve", "site.py"], cwd=self._folder, env=environment(self._folder),
                stdin=subprocess.DEVNULL, stdout=its, stderr=its, start_new_session=True,
            )  # fmt: skip
            os.close(its)
            self._reader = threading.Thread(target=self._pass_on, args=(ours,), daemon=True)
            self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE)

    def wait_for(self, word: str) -> None:
        """Until it has said so."""
        while word not in self.said:
            if self._process.poll() is not None:
                raise SystemExit(f"converge serve ended with {self._process.returncode}")
            time.sleep(0.01)

    def listen(self) -> None:
        """From now on, for :meth:`settle`."""
        self._said_at = 0.0

    def settle(self) -> None:
        """Until it has told what it did, so that our lines do not come between its own."""
        until = time.monotonic() + 2.0
        while time.monotonic() < until and not (self._said_at and time.monotonic() - self._said_at > 0.2):
            time.sleep(0.02)

    def _pass_on(self, source: int) -> None:
        while data := read(source):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            self._said_at = time.monotonic()
            self.said += data.decode(errors="replace")
        os.close(source)


def read(source: int) -> bytes:
    """What there is to read; nothing once the other side has closed, which a terminal reports as an error."""
    try:
        return os.read(source, 65536)
    except OSError:
        return b""


# --- the stage -------------------------------------------------------------------------------------------


class Stop(BaseException):
    """Ctrl-C, or a signal that asks us to end: unwinds, so that everything is cleaned up on the way."""


class Signals:
    """Turns signals into :class:`Stop`, but not between making a thing and promising to remove it."""

    def __init__(self) -> None:
        self._held = False
        self._came = False

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._arrived)

    def __exit__(self, *_: object) -> None:
        self._held = True

    @contextmanager
    def held(self, *, let_go: bool = True) -> Iterator[None]:
        """Signals that come meanwhile count afterwards, or not at all."""
        self._held = True
        try:
            yield
        finally:
            self._held = not let_go
        if self._came and let_go:
            raise Stop

    def _arrived(self, *_: object) -> None:
        self._came = True
        if not self._held:
            raise Stop


signals = Signals()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder that is gone afterwards, however we end."""
    folder: Path | None = None
    try:
        with signals.held():
            folder = Path(tempfile.mkdtemp(prefix="converge-demo-"))
        yield folder
    finally:
        with signals.held(let_go=False):
            if folder is None:
                pass
            elif os.environ.get("KEEP"):
                console.print(f"\nKept in {folder}; go on with: [bold].venv/bin/converge serve {folder}/site.py[/]")
            else:
                shutil.rmtree(folder)


def title(text: str) -> None:
    """A heading."""
    console.print(f"\n[bold cyan]── {text}[/]")


def command(text: str) -> None:
    """A command as if it were typed."""
    console.print(Text.assemble(("$ ", "dim"), (text, "bold")))


def say_code(text: str) -> None:
    """A program, in colour where there is any."""
    console.print(Syntax(text.rstrip(), "python", theme="ansi_dark", background_color="default"))


if __name__ == "__main__":
    sys.exit(main())
