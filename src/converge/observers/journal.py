"""The system's log: what was changed, what failed, and what else a person should know; nothing of what is in sync."""

from __future__ import annotations

import os
import sys
import syslog

from converge.engine.events import Began, Ended, Event, Notice, Outcome, Severity, Watching
from converge.observers.news import News
from converge.observers.text import clean_ascii
from converge.resources.base import Change

_SOCKET = "/dev/log"
"""Where syslog(3) of glibc and musl finds the log."""
_LONGEST = 2000
"""Characters of one entry; syslog daemons cut off more than that where they please."""
_PRIORITIES: dict[Severity, int] = {
    "info": syslog.LOG_INFO,
    "warning": syslog.LOG_WARNING,
    "error": syslog.LOG_ERR,
}


class Journal:
    """Writes to syslog(3), which on a systemd machine is the journal; with ``stderr`` there as well."""

    def __init__(self, ident: str = "converge", *, stderr: bool = False) -> None:
        syslog.openlog(ident, syslog.LOG_PID | (syslog.LOG_PERROR if stderr else 0), syslog.LOG_DAEMON)
        self._stderr = stderr
        self._heard: bool | None = None
        self._news = News()
        self._news.only_news()

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
                self._log(syslog.LOG_INFO, f"watching {event.total} resources")
            case Ended():
                counts = ", ".join(
                    f"{count} {status}" for status, count in sorted(event.summary.counts.items()) if count
                )
                self._log(syslog.LOG_INFO, f"ended: {counts or 'nothing to do'}")

    def _outcome(self, event: Outcome) -> None:
        match event.status:
            case "failed":
                final = " (noncompliant: no more retries until something changes)" if event.noncompliant else ""
                self._log(syslog.LOG_ERR, f"{event.id} failed{final}: {event.error}")
            case "changed":
                self._log(syslog.LOG_NOTICE, f"{event.id} changed: {', '.join(map(_change, event.changes))}")
            case "skipped" | "pending":
                self._log(syslog.LOG_INFO, f"{event.id} {event.status}" + (f": {event.reason}" if event.reason else ""))
            case "ok":
                self._log(syslog.LOG_INFO, f"{event.id} is right again")

    def flush(self) -> None:
        """Each entry is written at once."""
        self._heard = None

    def _log(self, priority: int, text: str) -> None:
        if self._heard is None:
            # Where nobody listens, each entry would be three futile system calls; a daemon logger may come at any time.
            self._heard = self._stderr or sys.platform != "linux" or os.path.exists(_SOCKET)
        if self._heard:
            syslog.syslog(priority, clean_ascii(text[:_LONGEST]))

    def close(self) -> None:
        syslog.closelog()


def _change(change: Change) -> str:
    if change.from_ is not None and change.to is not None:
        return f"{change.property} {change.from_} -> {change.to}"
    return change.property if change.to is None else f"{change.property} {change.to}"
