"""JSON output: one object per run, or one line per event of a daemon."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TextIO, TypeAlias

from converge.core.change import Change
from converge.engine.events import Began, Ended, Event, Notice, Outcome, Recommended, Summary, Tally, Watching, Working
from converge.observers.changes_only import ChangesOnly
from converge.observers.format import STATUSES, utc_now

_Object: TypeAlias = dict[str, Any]


class JsonObject:
    """Writes one object when it is closed, with the last outcome of each resource."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began: Began | None = None
        self._outcomes: dict[str, Outcome] = {}
        self._notices: list[_Object] = []
        self._recommended: list[_Object] = []
        self._ended: Ended | None = None

    def see(self, event: Event) -> None:
        match event:
            case Outcome():
                self._keep(event)
            case Notice():
                self._notices.append(_notice(event))
            case Began():
                self._began = event
            case Ended():
                self._ended = event
            case Recommended():
                self._recommended = [_tally(each) for each in event.tallies]
            case Watching() | Working():
                pass  # the object is about where things ended

    def _keep(self, outcome: Outcome) -> None:
        # One that was changed and is found right later has still been changed in this run.
        if outcome.status != "ok" or (before := self._outcomes.get(outcome.id)) is None or before.status != "changed":
            self._outcomes[outcome.id] = outcome

    def flush(self) -> None:
        """Nothing yet."""

    def close(self) -> None:
        if self._began is None:
            return
        whole: _Object = {
            "blueprint": _text(self._began.blueprint),
            "resources": [_outcome(outcome) for outcome in self._outcomes.values()],
        }
        if self._recommended:
            whole["recommendations"] = self._recommended
        if self._notices:
            whole["notices"] = self._notices
        if self._ended is not None:
            whole |= _ended(self._ended)
        self._began = None  # closing twice writes once
        self._stream.write(_dump(whole))
        self._stream.flush()


class JsonLines:
    """Writes each event as an object on a line of its own."""

    def __init__(self, stream: TextIO, *, now: Callable[[], datetime] = utc_now) -> None:
        self._stream = stream
        self._now = now
        self._news = ChangesOnly(all_ok=True)
        self._lines: list[str] = []

    def see(self, event: Event) -> None:
        match event:
            case Outcome():
                if self._news.tells(event):
                    self._say("outcome", _outcome(event))
            case Notice():
                self._say("notice", _notice(event))
            case Began():
                blueprint = _text(event.blueprint)
                self._say("began", {"blueprint": blueprint, "command": event.command, "total": event.total})
            case Watching():
                self._news.only_news()
                self._say("watching", {"total": event.total})
            case Working() | Recommended():
                pass  # how it looks at a moment is for a person who waits
            case Ended():
                self._say("ended", _ended(event))

    def _say(self, what: str, keys: _Object) -> None:
        time = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._lines.append(_dump({"event": what, "time": time} | keys))

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()

    def close(self) -> None:
        self.flush()


_encode = json.JSONEncoder(check_circular=False).encode


def _dump(value: _Object) -> str:
    return _encode(value) + "\n"


def _outcome(outcome: Outcome) -> _Object:
    keys: _Object = {"id": _text(outcome.id), "status": outcome.status}
    if outcome.changes:
        keys["action"] = outcome.action
        keys["changes"] = [_change(change) for change in outcome.changes]
    if milliseconds := _milliseconds(outcome.duration):
        keys["duration_ms"] = milliseconds
    if outcome.error:
        keys["error"] = _text(outcome.error)
    if outcome.reason:
        keys["reason"] = _text(outcome.reason)
    if outcome.why:
        keys["why"] = _text(outcome.why)
    if outcome.also_at:
        keys["declared_at"] = [_text(place) for place in (outcome.where, *outcome.also_at)]
    if outcome.noncompliant:
        keys["noncompliant"] = True
    if outcome.noop:
        keys["noop"] = True
    return keys


def _tally(tally: Tally) -> _Object:
    keys: _Object = {"label": tally.label, "number": tally.number}
    if tally.title:
        keys["title"] = _text(tally.title)
    return keys | {status: tally.counts[status] for status in STATUSES if tally.counts[status]}


def _change(change: Change) -> _Object:
    keys: _Object = {"property": _text(change.property)}
    if change.from_:
        keys["from"] = _text(change.from_)
    if change.to:
        keys["to"] = _text(change.to)
    keys["action"] = change.action
    return keys


def _notice(notice: Notice) -> _Object:
    keys: _Object = {"severity": notice.severity, "text": _text(notice.text)}
    if notice.id:
        keys["id"] = _text(notice.id)
    return keys


def _ended(ended: Ended) -> _Object:
    keys: _Object = {"summary": _summary(ended.summary)}
    if ended.interrupted:
        keys["interrupted"] = True
    return keys


def _summary(summary: Summary) -> _Object:
    counts = {status: summary.counts[status] for status in STATUSES if summary.counts[status]}
    return counts | {"total": summary.total, "duration_ms": _milliseconds(summary.duration)}


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _text(text: str) -> str:
    """Lone surrogates, as in names that are not UTF-8, are no valid JSON; they are written as their escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
