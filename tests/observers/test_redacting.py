"""Secrets are hidden from every observer, in all that it is told."""

from __future__ import annotations

import io
import syslog

import pytest

from converge.core.change import Change
from converge.engine.events import Began, Event, Notice, Outcome, Running, Working
from converge.observers import journal
from converge.observers.journal import Journal
from converge.observers.jsonout import JsonLines, JsonObject
from converge.observers.redacting import Redacted
from converge.observers.serial import Serial
from converge.observers.terminal import Terminal
from converge.secrets.redaction import Redactor

SECRET = "correct horse"
CHANGE = Change("content", SECRET, f"a\n{SECRET}", diff=lambda: f"-a\n+{SECRET}")
RUN: tuple[Event, ...] = (
    Began(SECRET, "serve", 2, kinds={"exec": 2}),
    Working((Running(f"exec:{SECRET}", 0.0),)),
    Outcome(f"exec:{SECRET}", "exec", "failed", (CHANGE,), error=f"no:\n{SECRET}", reason=SECRET, why=SECRET),
    Outcome(f"exec:2{SECRET}", "exec", "pending", (CHANGE,), noop=True, why=SECRET),
    Notice("info", f"stopping: exec:{SECRET}", SECRET),
)


def redactor() -> Redactor:
    it = Redactor()
    it.learn(SECRET)
    return it


@pytest.mark.parametrize("make", [Terminal, Serial, JsonObject, JsonLines])
def test_no_output_shows_a_secret(make: type[Terminal | Serial | JsonObject | JsonLines]) -> None:
    stream = io.StringIO()
    observer = Redacted(make(stream), redactor())
    for event in RUN:
        observer.see(event)
    observer.close()
    assert SECRET not in stream.getvalue()
    assert "***" in stream.getvalue()


def test_the_log_shows_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _, text: written.append(text))
    monkeypatch.setattr(journal.Journal, "_listens", lambda _: True)
    observer = Redacted(Journal(), redactor())
    for event in RUN:
        observer.see(event)
    observer.close()
    assert SECRET not in "\n".join(written)
    assert "  +***" in written


def test_what_runs_is_redacted() -> None:
    seen: list[Event] = []

    class Listener(Serial):
        def see(self, event: Event) -> None:
            seen.append(event)

    Redacted(Listener(io.StringIO()), redactor()).see(RUN[1])
    assert seen == [Working((Running("exec:***", 0.0),))]
