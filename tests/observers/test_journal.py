"""The system's log: repairs, failures and notices, an entry a line; nothing about what is in sync."""

from __future__ import annotations

import os
import re
import syslog

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converge.core.change import Change
from converge.engine.events import Ended, Event, Notice, Outcome, Summary, Watching
from converge.observers import journal
from converge.observers.journal import Journal

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
    changes = (
        Change("mode", "0600", "0644"),
        Change("content", "1 byte", "2 bytes"),
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
        (syslog.LOG_ERR, "file:/b failed: no"),
        (syslog.LOG_ERR, "  really"),
        (syslog.LOG_ERR, "file:/b failed (noncompliant: no more retries until something changes): no"),
        (syslog.LOG_INFO, "file:/c skipped: file:/b failed"),
        (syslog.LOG_INFO, "file:/b is right again"),
    ]


def test_notices_keep_their_severity(entries: Entries) -> None:
    tell(Notice("info", "a"), Notice("warning", "b", "file:/x"), Notice("error", "c"))
    assert entries == [(syslog.LOG_INFO, "a"), (syslog.LOG_WARNING, "file:/x: b"), (syslog.LOG_ERR, "c")]


def test_the_stages_of_a_run_are_logged(entries: Entries) -> None:
    summary = Summary(duration=1.2)
    summary.counts.update({"ok": 2, "changed": 1})
    tell(Watching(3, summary), Ended(summary))
    assert [text for _, text in entries] == [
        "watching 3 resources: 1 changed, 2 ok in 1.2 s",
        "ended: 1 changed, 2 ok in 1.2 s",
    ]


def test_a_content_diff_has_an_entry_for_each_line(entries: Entries) -> None:
    diff = "--- now\n+++ wanted\n@@ -1 +1,2 @@\n-\told\n+new\n+" + "é" * 300
    change = Change("content", "old\n", "new\n" + "é" * 300, diff=lambda: diff)
    tell(Outcome("file:/a", "file", "changed", (change,), why="CIS 1.2\nand more"))
    assert [text for _, text in entries] == [
        "file:/a changed: content (why: CIS 1.2 and more)",
        "  --- now",
        "  +++ wanted",
        "  @@ -1 +1,2 @@",
        "  -       old",
        "  +new",
        "  +" + r"\xe9" * 49 + r"\xe...",
    ]
    assert {priority for priority, _ in entries} == {syslog.LOG_NOTICE}


def test_what_is_only_checked_says_what_differs(entries: Entries) -> None:
    change = Change("content", "a\n", "b\nc\n", diff=lambda: "-a\n+b\n+c")
    tell(Outcome("file:/a", "file", "pending", (Change("mode", "0600", "0644"), change), noop=True, why="CIS 1.2"))
    assert entries[0][0] == syslog.LOG_NOTICE
    assert [text for _, text in entries] == [
        "file:/a differs, and is only checked (noop): mode 0600 -> 0644, content (why: CIS 1.2)",
        "  -a",
        "  +b",
        "  +c",
    ]


def test_a_diff_is_bounded_and_the_whole_of_what_is_new_is_not_written(entries: Entries) -> None:
    def diff() -> str:
        return "\n".join(f"+{number}" for number in range(100))

    tell(
        Outcome("file:/a", "file", "changed", (Change("content", "x\n", "y\nz\n", diff=diff),)),
        Outcome("file:/b", "file", "changed", (Change("content", None, "y\nz\n", "create", diff=diff),)),
    )
    texts = [text for _, text in entries]
    assert texts[:2] == ["file:/a changed: content", "  +0"]
    assert texts[19:] == ["  +18", "  ... 81 more lines ...", "file:/b changed: content"]


def test_thousands_of_diffs_do_not_flood_the_log(entries: Entries) -> None:
    now = 100.0
    journal = Journal(clock=lambda: now)
    outcomes = [
        Outcome(f"file:/{n}", "file", "changed", (Change("content", "a\n", "b\nc\n", diff=lambda: "-a\n+b\n+c"),))
        for n in range(1000)
    ]
    for outcome in outcomes:
        journal.see(outcome)
    assert sum(text.endswith("changed: content") for _, text in entries) == 1000
    assert len(entries) == 1000 + 1002 + 1
    assert sum("no more differences" in text for _, text in entries) == 1
    now += 61
    entries.clear()
    journal.see(outcomes[0])
    assert len(entries) == 4


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change("content", "listen 80;\n", "listen 8080;\n"), "content listen 80; -> listen 8080;"),
        (Change("content", "a", "a\n"), "content (its line end)"),
        (Change("content", None, "a\nb\nc\n", "create"), "content a ... (3 lines)"),
        (Change("content", None, "", "create"), 'content ""'),
        (Change("run", None, "x" * 300, "run"), f"run {'x' * 80}..."),
        (Change("mode", None, None, "unknown"), "mode is unknown"),
    ],
)
def test_a_change_is_one_line_that_reads_well(entries: Entries, change: Change, told: str) -> None:
    tell(Outcome("it", "kind", "changed", (change,)))
    assert [text for _, text in entries] == [f"it changed: {told}"]


def test_of_a_long_error_the_end_is_told(entries: Entries) -> None:
    tell(Outcome("it", "kind", "failed", error="failed:\n" + "\n".join(map(str, range(50))), why="why"))
    texts = [text for _, text in entries]
    assert texts[:2] == ["it failed (why: why): failed:", "  ... 31 more lines ..."]
    assert texts[2:] == [f"  {number}" for number in range(31, 50)]


def test_an_entry_is_one_bounded_line_of_ascii(entries: Entries) -> None:
    tell(Notice("error", "a\0b\nc\udcff\x1b[2Jé" + "x" * 5000))
    (_, first), (_, second) = entries
    assert first == r"a\x00b"
    assert second.startswith(r"  c\udcff\x1b[2J\xe9xxx")
    assert len(second) < 2100


any_text = st.text(st.characters(exclude_categories=()), max_size=20)


@given(any_text, any_text, any_text)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_entry_has_a_newline_in_any_writing(entries: Entries, name: str, value: str, error: str) -> None:
    entries.clear()
    name, value, error = (text.replace("\\", "/") for text in (name, value, error))
    change = Change(name, value, error, diff=lambda: value)
    tell(
        Outcome(name, "kind", "failed", (change,), error=error, why=value),
        Outcome(name, "kind", "changed", (change,), why=value),
        Outcome(name, "kind", "pending", (change,), noop=True),
        Outcome(name, "kind", "skipped", reason=error),
        Notice("info", error, name),
    )
    for _, text in entries:
        assert re.fullmatch(r"[\x20-\x7e]*", text)
        assert r"\n" not in text
