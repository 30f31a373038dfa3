"""A run with something of everything in it, for all observers to tell."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import pytest

from converge.core.change import Change
from converge.engine.events import Began, Ended, Event, Notice, Observer, Outcome, Summary, Watching

DIFF = "--- now\n+++ wanted\n@@ -1,2 +1,2 @@\n kept\n-old\tone\r\n+new \x1b[31mé\n"

RUN: tuple[Event, ...] = (
    Began("web", "serve", 9, kinds={"file": 6, "exec": 1, "service": 1, "user": 1}),
    Outcome("file:/etc/motd", "file", "ok", duration=0.0002, where="site.py:1"),
    Outcome(
        "file:/etc/x",
        "file",
        "changed",
        (Change("mode", "0600", "0644"), Change("content", "12 bytes", "14 bytes", diff=lambda: DIFF)),
        duration=0.012,
        where="site.py:2",
    ),
    Outcome("file:/new", "file", "changed", (Change("content", None, "3 bytes", "create"),), duration=0.0002),
    Notice("warning", "the limit of watches is reached", "file:/a"),
    Outcome("file:/old", "file", "changed", (Change("state", "file", None, "remove"),)),
    Outcome(
        "exec:tést",
        "exec",
        "failed",
        (Change("run", None, "nginx -t", "run"),),
        duration=1.2,
        error="command nginx -t ended with exit status 1; the end of its output:\nbad\x07 line\n\tmore",
        where="site.py:12",
    ),
    Outcome("service:nginx", "service", "skipped", reason="exec:tést failed"),
    Outcome("file:/root/x", "file", "pending", (Change("content", None, None, "unknown"),)),
    Outcome(
        "file:/y", "file", "pending", (Change("owner", "root", "deploy"),), reason="after user:deploy", why="a\x07"
    ),
    Outcome(
        "user:guest", "user", "pending", (Change("shell", "/bin/sh", "/bin/false"),), noop=True, where="site.py:20"
    ),
    Watching(9, Summary(Counter(ok=1, failed=1, changed=3, skipped=1, pending=2), 0.1)),
    Outcome("file:/etc/motd", "file", "ok"),
    Outcome("exec:tést", "exec", "failed", error="command nginx -t ended", where="site.py:12", noncompliant=True),
    Outcome("exec:tést", "exec", "failed", error="command nginx -t ended", where="site.py:12", noncompliant=True),
    Outcome("exec:tést", "exec", "ok"),
    Outcome("file:/etc/motd", "file", "changed", (Change("mode", "0600", "0644"),), duration=0.003),
    Notice("info", "the blueprint was read again"),
    Ended(Summary(Counter(ok=3, failed=0, changed=3, skipped=1, pending=2), 0.12)),
)


class Tell(Protocol):
    def __call__(self, make: Callable[[io.StringIO], Observer], events: Sequence[Event] = RUN) -> str: ...


@pytest.fixture
def tell() -> Tell:
    """Tells an observer of a run, and returns what it wrote."""

    def telling(make: Callable[[io.StringIO], Observer], events: Sequence[Event] = RUN) -> str:
        stream = io.StringIO()
        observer = make(stream)
        for event in events:
            observer.see(event)
        observer.flush()
        observer.close()
        return stream.getvalue()

    return telling


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> Callable[[], datetime]:
    """A clock that stands, in a place without daylight saving."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return lambda: datetime(2025, 11, 24, 12, 0, 5, 678000, tzinfo=UTC)
