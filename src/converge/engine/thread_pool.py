"""A bounded pool of threads for blocking work.

It differs from the standard library's pool in what happens to a call that never comes back (a dead NFS server, a stuck
driver): its thread is given up and replaced, so that such calls never use up the pool, and it does not hold up exit.
And where the system has no more threads, it goes on with those there are.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from converge.engine.threads import start_thread


class Workers:
    """At most ``most`` threads that are not given up; started when there is work for them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._waiting = 0
        self._stuck = 0
        self.short = False
        """The last thread that was wanted could not be started."""

    def submit(self, call: Callable[[], None]) -> None:
        """Have a thread call this. It must not raise."""
        with self._lock:
            self._waiting += 1
            start = self._waiting > 0 and self._threads < self._most
            self._threads += start
        self._calls.put(call)
        if start:
            self._start()

    def press_on(self) -> Callable[[], None] | None:
        """Where threads were wanting, try to start one again; returns a call that has to be done without one."""
        with self._lock:
            start = self.short and self._waiting > 0 and self._threads < self._most
            self._threads += start
        if start:
            self._start()
        if self._threads > self._stuck or not self.short:
            return None
        try:
            call = self._calls.get_nowait()
        except queue.Empty:
            return None
        if call is None:  # meant for a thread that hangs
            self._calls.put(None)
            return None
        with self._lock:
            self._waiting -= 1
        return call

    def idle(self) -> int:
        """How many more calls could start at once."""
        with self._lock:
            threads = self._threads if self.short else self._most
            return max(0, threads - self._threads) + max(0, -self._waiting)

    def abandon_thread(self) -> None:
        """A thread hangs; another may take its place. It ends by itself if it ever comes back."""
        with self._lock:
            self._most += 1
            self._stuck += 1

    def got_back_one(self) -> None:
        """The thread that hung is there again; one fewer is wanted."""
        with self._lock:
            self._most -= 1
            self._stuck -= 1
            surplus = self._threads > self._most
            self._threads -= surplus
            self._waiting += surplus
        if surplus:
            self._calls.put(None)

    def close(self) -> None:
        """Let idle threads end. Does not wait: one may hang for ever."""
        with self._lock:
            threads, self._threads, self._most = self._threads, 0, 0
            self._waiting += threads
        for _ in range(threads):
            self._calls.put(None)

    def _start(self) -> None:
        self.short = start_thread(self._work, "converge-worker") is None
        if self.short:
            with self._lock:
                self._threads -= 1

    def _work(self) -> None:
        while True:
            # ``_waiting`` counts calls without a thread; below zero it counts threads without a call.
            with self._lock:
                self._waiting -= 1
            call = self._calls.get()
            if call is None:
                return
            call()
