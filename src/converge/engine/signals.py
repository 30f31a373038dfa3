"""Runs the loop on a thread of its own, while the main thread does nothing but wait for signals.

A call into the kernel that never comes back (a dead mount) may hold the loop; the second signal ends us all the same.
"""

from __future__ import annotations

import os
import queue
import signal
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

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            result.set_exception(error)
        news.put(True)

    def handle(number: int, _frame: object) -> None:
        if heard(number):
            news.put(False)

    former = {number: signal.signal(number, handle) for number in numbers}
    try:
        if start_thread(run, "converge-loop") is None:
            run()
        _wait(news, grace)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    return result.result()


def _wait(news: queue.SimpleQueue[bool], grace: float) -> None:
    deadline: float | None = None
    while True:
        try:
            if news.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic())):
                return
        except queue.Empty:
            raise Stuck from None
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
