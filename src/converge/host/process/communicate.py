"""Exchanges input and output with a running command, and ends it with all its children."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from typing import IO

_GRACE = 1.0
"""Seconds between asking a process group to end and ending it."""
_LINGER = 0.1
"""Seconds that what a command left running may still add to its output, once the command itself has ended."""
_POLL = 0.02
"""Seconds between two looks at a command on systems that cannot tell when it ends."""
_READ = 64 * 1024


def signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a child and all of its process group. It must not have been reaped yet."""
    # Already gone is as good; of one that only waits to be reaped, macOS says EPERM.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


class Conversation:
    """What is said to a command and what it answers, until it ends.

    The child is not reaped here: until it is, its number, which is also that of its group, cannot pass to somebody
    else's process, and so the group can be signalled safely even when the command itself has ended.
    """

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes | None, limit: int) -> None:
        self._child = child
        self._unsent = memoryview(stdin or b"")
        self._kept = _Bounded(limit)
        self._ended = False
        self._quiet = False
        self._exit = _exit_descriptor(child.pid)
        self._selector = selectors.DefaultSelector()
        if self._exit is not None:
            self._selector.register(self._exit, selectors.EVENT_READ, self._note_end)
        for pipe, events, action in (
            (child.stdout, selectors.EVENT_READ, self._read),
            (child.stdin, selectors.EVENT_WRITE, self._write),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, events, partial(action, pipe))

    def until_end(self, timeout: float | None) -> bool:
        """Talk until the command has ended. True where it had to be ended, as it took longer than ``timeout``."""
        in_time = self._talk(timeout)
        if not in_time:
            signal_group(self._child, signal.SIGTERM)
            self._talk(_GRACE, to_the_last=True)
            signal_group(self._child, signal.SIGKILL)
            self._talk(_GRACE)
        self._talk(_LINGER, to_the_last=True)
        return not in_time

    def output(self) -> str:
        return self._kept.text()

    def close(self) -> None:
        self._selector.close()
        if self._exit is not None:
            os.close(self._exit)
        for pipe in (self._child.stdout, self._child.stdin):
            if pipe is not None:
                pipe.close()

    def _talk(self, seconds: float | None, *, to_the_last: bool = False) -> bool:
        """Go on until the command has ended; ``to_the_last``: until nobody holds its output open any more, either.

        False where that takes longer than ``seconds``.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            if self._has_ended() and (self._quiet or not to_the_last):
                return True
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            if self._exit is None:
                left = _POLL if left is None else min(left, _POLL)
            for key, _ in self._selector.select(left):
                key.data()

    def _has_ended(self) -> bool:
        if not self._ended and self._exit is None:
            self._ended = _ended_unreaped(self._child)
        return self._ended

    def _note_end(self) -> None:
        self._ended = True
        if self._exit is not None:
            self._selector.unregister(self._exit)

    def _read(self, pipe: IO[bytes]) -> None:
        data = pipe.read(_READ)
        if data:
            self._kept.add(data)
        elif data is not None:  # None: not a byte there after all
            self._quiet = True
            self._selector.unregister(pipe)

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            self._unsent = self._unsent[pipe.write(self._unsent) or 0 :]
        except BrokenPipeError:  # it does not want the rest; whether that is wrong, its exit status says
            self._unsent = self._unsent[:0]
        if not self._unsent:
            self._selector.unregister(pipe)
            pipe.close()


def _exit_descriptor(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or a kernel or sandbox without it
        return None


def _ended_unreaped(child: subprocess.Popen[bytes]) -> bool:
    if hasattr(os, "waitid"):
        return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return child.poll() is not None


class _Bounded:
    """The head and the tail of a stream of bytes, with room for ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._half:  # not at every byte, as it moves all of the tail
            self._trim()

    def _trim(self) -> None:
        surplus = max(0, len(self._tail) - self._half)
        self._left_out += surplus
        del self._tail[:surplus]

    def text(self) -> str:
        self._trim()
        if not self._left_out:
            return _decode(bytes(self._head + self._tail))
        return f"{_decode(bytes(self._head))}\n... {self._left_out} bytes left out ...\n{_decode(bytes(self._tail))}"


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
