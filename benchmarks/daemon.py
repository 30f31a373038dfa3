"""A process that stays: started, waited for, looked at, ended."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from benchmarks.runs import BARE, CONVERGE, BenchmarkError
from benchmarks.scratch import Scratch, Site

_PATIENCE = 60.0
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Daemon:
    """Says WATCHING once it is ready. What it says goes to a file, so that it never waits for a reader."""

    def __init__(self, scratch: Scratch, command: Sequence[str], name: str) -> None:
        self._scratch = scratch
        self._command = command
        self._log = f"{scratch.folder}/{name}.log"

    def __enter__(self) -> Self:
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._scratch.folder, env=self._scratch.environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            end = time.monotonic() + _PATIENCE
            while b"WATCHING" not in self._said():
                self.must_live()
                if time.monotonic() > end:
                    raise BenchmarkError(f"{self._command[0]} was not ready within {_PATIENCE:g} s")
                time.sleep(0.01)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def must_live(self) -> None:
        """Raises BenchmarkError where it has ended."""
        if self._process.poll() is not None:
            last = self._said()[-500:].decode(errors="replace")
            raise BenchmarkError(f"{self._command[0]} ended with {self._process.returncode}: {last}")

    def cpu(self) -> float:
        """Seconds of user and system time so far."""
        with open(f"/proc/{self._process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK

    def resident(self) -> int:
        """Bytes of memory now."""
        with open(f"/proc/{self._process.pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE

    def _said(self) -> bytes:
        with open(self._log, "rb") as log:
            return log.read()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def converge(scratch: Scratch, site: Site) -> Daemon:
    """``converge serve``, which makes what is missing first."""
    return Daemon(scratch, [*CONVERGE, "serve", site.blueprint(), "--out", "serial"], site.name)


def bare_watcher(scratch: Scratch, site: Site) -> Daemon:
    """The floor: the kernel's news, and at once the file written anew."""
    return Daemon(scratch, [*BARE, "watch", *site.directories()], site.name)


def flapper(scratch: Scratch, path: str) -> Daemon:
    """Writes one file every 50 ms. A process of its own, so that it takes no time from who measures."""
    return Daemon(scratch, [*BARE, "flap", path], "flapper")
