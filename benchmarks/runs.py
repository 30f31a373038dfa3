"""Programs that run once: how long, at what price."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.scratch import Scratch

PYTHON = sys.executable
_BESIDE = os.path.join(os.path.dirname(PYTHON), "converge")
CONVERGE = [_BESIDE] if os.access(_BESIDE, os.X_OK) else [PYTHON, "-m", "converge"]
EMPTY = [PYTHON, "-c", "pass"]
BARE = [PYTHON, os.path.join(os.path.dirname(os.path.abspath(__file__)), "bare.py")]
LIMIT = 120.0
"""Seconds after which a run counts as hung."""


class BenchmarkError(Exception):
    """A run went wrong, so that there is no figure."""


class Slow(BenchmarkError):
    """A run did not end in time."""


@dataclass(frozen=True, slots=True)
class Run:
    """``wall`` and ``cpu`` (user and system) in seconds, ``peak`` memory in bytes."""

    wall: float
    cpu: float
    peak: int
    output: bytes


def run(command: Sequence[str], scratch: Scratch, *, until: bytes | None = None, limit: float = LIMIT) -> Run:
    """Run it to its end; or until it says ``until``, and then end it: ``wall`` is the time to there.

    Raises BenchmarkError where it fails or takes too long. The peak cannot be told where it is below our own, which
    the kernel counts in until the program starts; so this process stays small.
    """
    with tempfile.TemporaryFile(dir=scratch.folder) as complaints:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=scratch.folder, env=scratch.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=complaints,
        )  # fmt: skip
        try:
            output, wall = _listen(process, until, began, limit)
            if until is not None:
                process.terminate()
            _await_end(process, began + limit)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall = wall or time.perf_counter() - began
        except TimeoutError as error:
            raise Slow(f"{_named(command)} did not end within {limit:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        complaints.seek(0)
        if process.returncode != 0:
            said = complaints.read().decode(errors="replace").strip() or output[-500:].decode(errors="replace")
            raise BenchmarkError(f"{_named(command)} ended with {process.returncode}: {said[-500:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, bytes(output))


def _listen(
    process: subprocess.Popen[bytes], until: bytes | None, began: float, limit: float
) -> tuple[bytearray, float | None]:
    """All that it says, or all up to ``until`` and when that was."""
    assert process.stdout is not None
    handle, output = process.stdout.fileno(), bytearray()
    while _readable(handle, began + limit) and (piece := os.read(handle, 1 << 16)):
        output += piece
        if until is not None and until in output[-len(piece) - len(until) :]:
            return output, time.perf_counter() - began
    return output, None


def _await_end(process: subprocess.Popen[bytes], end: float) -> None:
    handle = os.pidfd_open(process.pid)
    try:
        _readable(handle, end)
    finally:
        os.close(handle)


def _readable(handle: int, end: float) -> bool:
    """Wait for it. Raises TimeoutError."""
    ready, _, _ = select.select([handle], [], [], max(0.0, end - time.perf_counter()))
    if not ready:
        raise TimeoutError
    return True


def _named(command: Sequence[str]) -> str:
    return " ".join([os.path.basename(command[0]), *command[1:]])[:120]


def best(runs: Sequence[Run]) -> Run:
    """The quickest, with the highest peak of all."""
    first = min(runs, key=lambda each: each.wall)
    return Run(first.wall, first.cpu, max(each.peak for each in runs), first.output)
