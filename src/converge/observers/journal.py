"""Writes changes, failures and notices to the system log; nothing that is in sync.

An entry is one line: readers of syslog show a newline within an entry as ``#012`` or ``\\n``. What has more lines,
such as a content diff, is that many entries, which follow each other and are indented.
"""

from __future__ import annotations

import os
import sys
import syslog
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from converge.core.change import Change, Changes
from converge.core.duration import show_duration
from converge.core.errors import Severity
from converge.engine.events import Began, Ended, Event, Notice, Outcome, Summary, Watching
from converge.observers.changes_only import ChangesOnly
from converge.observers.format import clean_ascii, counts_of, diff_of, lines_of

_SOCKET = "/dev/log"
"""Where syslog(3) of glibc and musl finds the log."""
_LONGEST: Final = 2000
"""Characters of one entry; syslog daemons cut off more than that where they please."""
_LONGEST_LINE: Final = 200
"""Characters of a line of a diff."""
_LONGEST_VALUE: Final = 80
_MOST_LINES: Final = 20
"""Entries for one diff or one error."""
_BURST: Final = 1000
"""Lines of diffs in a minute. More, as when thousands of files are rewritten, would have the log drop what matters."""
_PRIORITIES: dict[Severity, int] = {
    "info": syslog.LOG_INFO,
    "warning": syslog.LOG_WARNING,
    "error": syslog.LOG_ERR,
}


class Journal:
    """Writes to syslog(3), which on a systemd machine is the journal; with ``stderr`` there as well."""

    def __init__(
        self, ident: str = "converge", *, stderr: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        syslog.openlog(ident, syslog.LOG_PID | (syslog.LOG_PERROR if stderr else 0), syslog.LOG_DAEMON)
        self._stderr = stderr
        self._clock = clock
        self._listened_to: bool | None = None
        self._news = ChangesOnly(all_ok=False)
        self._news.only_news()
        self._minute = 0.0
        self._diff_lines = 0
        """How many were written since the minute began."""

    def see(self, event: Event) -> None:
        match event:
            case Outcome():
                if self._news.tells(event):
                    self._outcome(event)
            case Notice():
                about = f"{event.id}: " if event.id else ""
                self._log(_PRIORITIES[event.severity], about + event.text)
            case Began():
                self._log(syslog.LOG_INFO, f"converging {event.blueprint}: {event.total} resources")
            case Watching():
                self._log(syslog.LOG_INFO, f"watching {event.total} resources: {_counts(event.summary)}")
            case Ended():
                self._log(syslog.LOG_INFO, f"ended: {_counts(event.summary)}")

    def _outcome(self, event: Outcome) -> None:
        why = f" (why: {' '.join(event.why.split())})" if event.why else ""
        match event.status:
            case "failed":
                final = " (noncompliant: no more retries until something changes)" if event.noncompliant else ""
                self._log(syslog.LOG_ERR, f"{event.id} failed{final}{why}: {event.error}")
            case "changed":
                self._log(syslog.LOG_NOTICE, f"{event.id} changed: {_changes(event.changes)}{why}")
                self._diffs(syslog.LOG_NOTICE, event.changes)
            case "pending":
                how = "differs, and is only checked (noop)" if event.noop else "is pending"
                reason = f" {event.reason}" if event.reason else ""
                self._log(syslog.LOG_NOTICE, f"{event.id} {how}{reason}: {_changes(event.changes)}{why}")
                self._diffs(syslog.LOG_NOTICE, event.changes)
            case "skipped":
                self._log(syslog.LOG_INFO, f"{event.id} skipped" + (f": {event.reason}" if event.reason else ""))
            case "ok":
                self._log(syslog.LOG_INFO, f"{event.id} is right again")

    def _diffs(self, priority: int, changes: Changes) -> None:
        for change in changes:
            # What is new has no former content to compare with.
            if change.diff is not None and change.action != "create" and self._listens():
                for line in self._bounded_diff(change.diff):
                    self._entry(priority, f"  {line}")

    def _bounded_diff(self, make: Callable[[], str]) -> Iterator[str]:
        now = self._clock()
        if now - self._minute >= 60:
            self._minute, self._diff_lines = now, 0
        if self._diff_lines >= _BURST:
            return
        lines = diff_of(make)
        shown = lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], _more(len(lines) - _MOST_LINES + 1)]
        self._diff_lines += len(shown)
        yield from (_cut(clean_ascii(line.expandtabs()), _LONGEST_LINE) for line in shown)
        if self._diff_lines >= _BURST:
            yield f"(no more differences are written in this minute: there were {_BURST} lines of them)"

    def flush(self) -> None:
        """Each entry is written at once."""
        self._listened_to = None

    def _log(self, priority: int, text: str) -> None:
        """An entry, and one for each further line of it; of many only the last, which say what went wrong."""
        if not self._listens():
            return
        first, *rest = lines_of(text)
        self._entry(priority, first)
        if len(rest) > _MOST_LINES:
            rest[: len(rest) - _MOST_LINES + 1] = [_more(len(rest) - _MOST_LINES + 1)]
        for line in rest:
            self._entry(priority, f"  {line}")

    def _entry(self, priority: int, line: str) -> None:
        # Some readers escape tabs.
        syslog.syslog(priority, clean_ascii(line.expandtabs()[:_LONGEST]))

    def _listens(self) -> bool:
        if self._listened_to is None:
            # Where nobody listens, each entry would be three futile system calls; a daemon logger may come at any time.
            self._listened_to = self._stderr or sys.platform != "linux" or os.path.exists(_SOCKET)
        return self._listened_to

    def close(self) -> None:
        syslog.closelog()


def _counts(summary: Summary) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in counts_of(summary))
    return f"{counts or 'nothing to do'} in {show_duration(summary.duration)}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."


def _more(count: int) -> str:
    return f"... {count} more lines ..."


def _changes(changes: Iterable[Change]) -> str:
    return ", ".join(map(_change, changes))


def _change(change: Change) -> str:
    before, after = _value(change.from_), _value(change.to)
    if change.diff is not None and "\n" in f"{change.from_}{change.to}":
        return change.property  # its difference follows
    if change.action == "unknown":
        return f"{change.property} is unknown"
    if before is not None and after is not None:
        return f"{change.property} (its line end)" if before == after else f"{change.property} {before} -> {after}"
    return change.property if after is None else f"{change.property} {after}"


def _value(value: str | None) -> str | None:
    """One line of it, and how many there are."""
    if value is None:
        return None
    first, *rest = lines_of(value)
    shown = _cut(first, _LONGEST_VALUE)
    return f"{shown} ... ({len(rest) + 1} lines)" if rest else shown or '""'
