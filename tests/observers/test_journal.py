"""The system's log: repairs, failures and notices, each in one entry; nothing about what is in sync."""

from __future__ import annotations

import os
import syslog

import pytest

from converge.engine.events import Ended, Event, Notice, Outcome, Summary, Watching
from converge.observers import journal
from converge.observers.journal import Journal
from converge.resources.base import Change

Entries = list[tuple[int, str]]


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> Entries:
    """What would reach the system's log."""
    written: Entries = []
    monkeypatch.setattr(syslog, "syslog", lambda priority, text: written.append((priority, text)))
    monkeypatch.setattr(journal, "_SOCKET", os.devnull)
    return written


def tell(*events: Event) -> None:
    journal = Journal()
    for event in events:
        journal.see(event)
    journal.flush()
    journal.close()


def test_changes_and_failures_are_logged(entries: Entries) -> None:
    def never() -> str:
        raise AssertionError("content has no place in the log")

    changes = (
        Change("mode", "0600", "0644"),
        Change("content", "1 byte", "2 bytes", diff=never),
        Change("owner", None, "root"),
        Change("state", "file", None, "remove"),
    )
    tell(
        Outcome("file:/a", "file", "ok"),
        Outcome("file:/a", "file", "changed", changes),
        Outcome("file:/b", "file", "failed", error="no\nreally"),
        Outcome("file:/b", "file", "failed", error="no", noncompliant=True),
        Outcome("file:/c", "file", "skipped", reason="file:/b failed"),
        Outcome("file:/b", "file", "ok"),
    )
    assert entries == [
        (
            syslog.LOG_NOTICE,
            "file:/a changed: mode 0600 -> 0644, content 1 byte -> 2 bytes, owner root, state",
        ),
        (syslog.LOG_ERR, r"file:/b failed: no\nreally"),
        (syslog.LOG_ERR, "file:/b failed (noncompliant: no more retries until something changes): no"),
        (syslog.LOG_INFO, "file:/c skipped: file:/b failed"),
        (syslog.LOG_INFO, "file:/b is right again"),
    ]


def test_notices_keep_their_severity(entries: Entries) -> None:
    tell(Notice("info", "a"), Notice("warning", "b", "file:/x"), Notice("error", "c"))
    assert entries == [(syslog.LOG_INFO, "a"), (syslog.LOG_WARNING, "file:/x: b"), (syslog.LOG_ERR, "c")]


def test_the_stages_of_a_run_are_logged(entries: Entries) -> None:
    summary = Summary()
    summary.counts.update({"ok": 2, "changed": 1})
    tell(Watching(3), Ended(summary))
    assert [text for _, text in entries] == ["watching 3 resources", "ended: 1 changed, 2 ok"]


def test_an_entry_is_one_bounded_line_of_ascii(entries: Entries) -> None:
    tell(Notice("error", "a\0b\nc\udcff\x1b[2Jé" + "x" * 5000))
    (_, text), *_ = entries
    assert text.startswith(r"a\x00b\nc\udcff\x1b[2J\xe9xxx")
    assert len(text) < 2100
