"""Runs the loop on its own thread while the main thread waits for signals.

A call into the kernel that never comes back (a dead mount) may hold the loop; the second signal ends us all the same.

The kernel may hand a signal to any thread. Python notes it there, and calls the handler on the main thread once that
does something; so the main thread waits on a descriptor that every signal makes readable, and not for a lock.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Final, TypeVar

from converge.engine.threads import start_thread

T = TypeVar("T")

SLACK: Final = 2.0
"""Seconds in which the loop ends once it need not wait for anything any more."""


class Stuck(Exception):
    """The loop does not end, although it was told to; whoever waits for it must not."""


def attended(work: Callable[[], T], heard: Callable[[int], bool], numbers: Collection[int], grace: float) -> T:
    """Call ``work`` on a thread, and ``heard`` here for each signal of these; it says whether that means to stop.

    Raises Stuck where ``work`` goes on for longer than ``grace`` seconds after the first stop, or after a second one.
    """
    result: Future[T] = Future()
    news: queue.SimpleQueue[bool] = queue.SimpleQueue()  # a handler may put into it at any moment
    awake, wake = socket.socketpair()
    wake.setblocking(False)

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            result.set_exception(error)
        news.put(True)
        with contextlib.suppress(OSError):  # full of signals, which wake it as well, or closed by now
            wake.send(b"\0")

    def handle(number: int, _frame: object) -> None:
        if heard(number):
            news.put(False)

    former = {number: signal.signal(number, handle) for number in numbers}
    others = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    try:
        if start_thread(run, "converge-loop") is None:
            run()
        _wait(news, awake, grace)
    finally:
        signal.set_wakeup_fd(others)
        for number, handler in former.items():
            signal.signal(number, handler)
        awake.close()
        wake.close()
    return result.result()


def _wait(news: queue.SimpleQueue[bool], awake: socket.socket, grace: float) -> None:
    deadline: float | None = None
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            ended = news.get_nowait()
        except queue.Empty:
            if left == 0:
                raise Stuck from None
            awake.settimeout(left)
            with contextlib.suppress(TimeoutError):
                awake.recv(4096)
            continue
        if ended:
            return
        now = time.monotonic()
        deadline = now + grace + 2 * SLACK if deadline is None else min(deadline, now + SLACK)


class ControllingTerminal:
    """The terminal that we were started from, if any."""

    def __init__(self) -> None:
        # With nohup, SIGHUP is ignored when we are started: whoever did that wants us to outlive the terminal.
        self._ends_us = sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        self._there = self._ends_us and _has_terminal()

    def hung_up(self) -> bool:
        """Whether SIGHUP means that it is gone, rather than to load the blueprint again."""
        return self._there and not _has_terminal()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
