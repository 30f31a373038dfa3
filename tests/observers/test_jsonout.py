"""JSON: one object for a run, one line for each event of a daemon; always valid, whatever the names are."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.change import Change
from converge.engine.events import Began, Ended, Notice, Outcome, Summary, Watching
from converge.observers.jsonout import JsonLines, JsonObject

MODE = {"property": "mode", "from": "0600", "to": "0644", "action": "update"}


def test_a_run_is_one_object(tell: Any) -> None:
    told = tell(JsonObject)
    assert told.count("\n") == 1
    assert json.loads(told) == {
        "blueprint": "web",
        "resources": [
            {"id": "file:/etc/motd", "status": "changed", "action": "update", "changes": [MODE], "duration_ms": 3.0},
            {
                "id": "file:/etc/x",
                "status": "changed",
                "action": "update",
                "changes": [
                    MODE,
                    {"property": "content", "from": "12 bytes", "to": "14 bytes", "action": "update"},
                ],
                "duration_ms": 12.0,
            },
            {
                "id": "file:/new",
                "status": "changed",
                "action": "create",
                "changes": [{"property": "content", "to": "3 bytes", "action": "create"}],
                "duration_ms": 0.2,
            },
            {
                "id": "file:/old",
                "status": "changed",
                "action": "remove",
                "changes": [{"property": "state", "from": "file", "action": "remove"}],
            },
            {"id": "exec:tést", "status": "ok"},
            {"id": "service:nginx", "status": "skipped", "reason": "exec:tést failed"},
            {
                "id": "file:/root/x",
                "status": "pending",
                "action": "unknown",
                "changes": [{"property": "content", "action": "unknown"}],
            },
            {
                "id": "file:/y",
                "status": "pending",
                "action": "update",
                "changes": [{"property": "owner", "from": "root", "to": "deploy", "action": "update"}],
                "reason": "after user:deploy",
                "why": "a\x07",
            },
            {
                "id": "user:guest",
                "status": "pending",
                "action": "update",
                "changes": [{"property": "shell", "from": "/bin/sh", "to": "/bin/false", "action": "update"}],
                "noop": True,
            },
        ],
        "notices": [
            {"severity": "warning", "text": "the limit of watches is reached", "id": "file:/a"},
            {"severity": "info", "text": "the blueprint was read again"},
        ],
        "summary": {"changed": 3, "pending": 2, "skipped": 1, "ok": 3, "total": 9, "duration_ms": 120.0},
    }


def test_total_and_duration_are_there_even_when_zero(tell: Any) -> None:
    told = json.loads(tell(JsonObject, [Began("x", "plan", 0), Ended(Summary(Counter(ok=0)))]))
    assert told == {"blueprint": "x", "resources": [], "summary": {"total": 0, "duration_ms": 0}}


def test_what_was_changed_stays_changed_when_it_is_found_right_later(tell: Any) -> None:
    events = [Began("x", "serve", 1), Outcome("a", "kind", "changed"), Outcome("a", "kind", "ok")]
    assert json.loads(tell(JsonObject, events))["resources"] == [{"id": "a", "status": "changed"}]


def test_a_failure_has_its_error_and_whether_it_was_the_last(tell: Any) -> None:
    failed = Outcome("a", "kind", "failed", error="no\nreally", noncompliant=True, why="ticket 1")
    assert json.loads(tell(JsonObject, [Began("x", "serve", 1), failed]))["resources"] == [
        {"id": "a", "status": "failed", "error": "no\nreally", "why": "ticket 1", "noncompliant": True}
    ]


def test_an_interrupted_run_says_so(tell: Any) -> None:
    told = json.loads(tell(JsonObject, [Began("x", "plan", 3), Ended(Summary(), interrupted=True)]))
    assert told["interrupted"] is True


def test_a_run_that_never_began_writes_nothing(tell: Any) -> None:
    assert tell(JsonObject, []) == ""


def test_it_is_written_once(tell: Any) -> None:
    stream = io.StringIO()
    observer = JsonObject(stream)
    observer.see(Began("x", "plan", 0))
    observer.close()
    observer.close()
    assert json.loads(stream.getvalue()) == {"blueprint": "x", "resources": []}


def test_a_daemon_writes_a_line_for_each_event(tell: Any, noon: Callable[[], datetime]) -> None:
    now = {"time": "2025-11-24T12:00:05.678Z"}
    events = [
        Began("web", "serve", 2, daemon=True),
        Outcome("a", "kind", "ok", duration=0.001),
        Outcome("b", "kind", "changed", (Change("mode", "0600", "0644"),)),
        Notice("warning", "look", "a"),
        Watching(2),
        Outcome("a", "kind", "ok"),
        Outcome("a", "kind", "failed", error="no"),
        Ended(Summary(Counter(ok=1, failed=1), 1.5)),
    ]
    told = tell(lambda stream: JsonLines(stream, now=noon), events)
    assert [json.loads(line) for line in told.splitlines()] == [
        {"event": "began", **now, "blueprint": "web", "command": "serve", "total": 2},
        {"event": "outcome", **now, "id": "a", "status": "ok", "duration_ms": 1.0},
        {"event": "outcome", **now, "id": "b", "status": "changed", "action": "update", "changes": [MODE]},
        {"event": "notice", **now, "severity": "warning", "text": "look", "id": "a"},
        {"event": "watching", **now, "total": 2},
        {"event": "outcome", **now, "id": "a", "status": "failed", "error": "no"},
        {"event": "ended", **now, "summary": {"failed": 1, "ok": 1, "total": 2, "duration_ms": 1500.0}},
    ]


def test_lines_are_there_after_a_flush() -> None:
    stream = io.StringIO()
    observer = JsonLines(stream)
    observer.see(Watching(1))
    observer.flush()
    assert json.loads(stream.getvalue())["event"] == "watching"


@pytest.mark.parametrize("make", [JsonObject, JsonLines])
def test_names_that_are_no_text_are_escaped(tell: Any, make: Any) -> None:
    told = tell(make, [Began("x", "plan", 1), Outcome("file:/caf\udce9", "file", "ok")])
    assert "file:/caf\\\\udce9" in told


any_text = st.text(st.characters(exclude_categories=()), max_size=20)


@given(any_text, any_text, any_text)
@pytest.mark.parametrize("make", [JsonObject, JsonLines])
def test_whatever_the_names_are_it_is_valid_json(make: Any, name: str, value: str, error: str) -> None:
    stream = io.StringIO()
    observer = make(stream)
    for event in (
        Began(name, "plan", 1),
        Outcome(name, "kind", "failed", (Change(name, value, error),), error=error, reason=value),
        Notice("error", error, name),
    ):
        observer.see(event)
    observer.flush()
    observer.close()
    for line in stream.getvalue().splitlines():
        json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8")
