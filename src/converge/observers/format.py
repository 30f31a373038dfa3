"""Formats outcomes for people, shared by terminal and plain-text output."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from converge.core.change import Change
from converge.core.duration import show_duration
from converge.core.errors import ResourceError, Severity
from converge.engine.events import Began, Notice, Outcome, Recommended, Running, Status, Summary, Watching

_WORTH_SHOWING = 0.001
"""Durations below this many seconds are only shown when everything is."""
_LONGEST_VALUE = 200
_TAB = 8

STATUSES: tuple[Status, ...] = ("changed", "pending", "failed", "skipped", "ok")
"""In the order of what a reader wants to know first."""

_SEVERITIES: dict[Severity, str] = {"info": "note", "warning": "warning", "error": "error"}
_UNSAFE = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _clean(text: str) -> str:
    """``text`` on one line, with whatever could drive or mislead a terminal made visible."""
    return text if text.isprintable() else _UNSAFE.sub(_escape, text)


def clean_ascii(text: str) -> str:
    """The same, in ASCII."""
    if text.isascii() and text.isprintable():
        return text
    return _clean(text).encode("ascii", "backslashreplace").decode("ascii")


@dataclass(frozen=True, slots=True)
class Look:
    """Marks and colours. A colour is the parameter of an SGR escape sequence; none means plain text."""

    marks: dict[str, str]
    arrow: str
    more: str
    ascii: bool
    colours: dict[str, str]

    def paint(self, what: str, text: str) -> str:
        colour = self.colours.get(what)
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


_COLOURS = {
    "ok": "32",
    "create": "32",
    "update": "33",
    "remove": "31",
    "unknown": "35",
    "failed": "1;31",
    "skipped": "2",
    "changed": "33",
    "pending": "33",
    "dim": "2",
    "strong": "1",
    "warning": "33",
    "error": "31",
    "added": "32",
    "removed": "31",
    "hunk": "36",
}
_HAPPENINGS = ("ok", "create", "update", "remove", "failed", "skipped", "unknown")
_UNICODE_MARKS = {name: f"{mark} " for name, mark in zip(_HAPPENINGS, "✓+~-✗»?", strict=True)}
_ASCII_MARKS = {
    name: f"{mark:<7}" for name, mark in zip(_HAPPENINGS, ("ok", "+", "~", "-", "FAILED", "skip", "?"), strict=True)
}

ASCII = Look(_ASCII_MARKS, "->", "...", True, {})
UNICODE = Look(_UNICODE_MARKS, "→", "…", False, {})
COLOURED = Look(UNICODE.marks, UNICODE.arrow, UNICODE.more, False, _COLOURS)


class Formatter:
    """Puts events into lines, each with its newline."""

    """``columns`` is how wide a line of a diff may be."""

    def __init__(self, look: Look, *, verbose: bool, columns: Callable[[], int] = lambda: _LONGEST_VALUE) -> None:
        self._look = look
        self._verbose = verbose
        self._columns = columns
        self.clean = clean_ascii if look.ascii else _clean
        self._indent = " " * (2 + len(look.marks["ok"]))
        self._ok, _, self._end = look.paint("ok", f"{look.marks['ok']}\0").partition("\0")

    def began(self, event: Began) -> str:
        verb = "Planning" if event.command == "plan" else "Converging"
        return self._look.paint("strong", f"{verb} {self.clean(event.blueprint)}: {_count(event.total)}") + "\n"

    def heading(self, kind: str) -> str:
        return self._look.paint("strong", self.clean(kind)) + "\n"

    def outcome(self, event: Outcome, name: str, lead: str) -> str:
        """The line of an outcome, called ``name`` here, after ``lead``; below it what changed and what went wrong."""
        if event.status == "ok" and event.duration < _WORTH_SHOWING and not self._verbose and not event.changes:
            return f"{lead}{self._ok}{self.clean(name)}{self._end}\n"  # nearly all outcomes are of this kind
        return "".join(self._in_full(event, name, lead))

    def _in_full(self, event: Outcome, name: str, lead: str) -> Iterator[str]:
        look = self._look
        happened = _what_happened(event)
        line = lead + look.paint(happened, f"{look.marks[happened]}{self.clean(name)}")
        if remarks := ", ".join(filter(None, ("noop" if event.noop else "", event.reason))):
            line += look.paint("dim", f" ({self.clean(remarks)})")
        if event.duration >= _WORTH_SHOWING or (self._verbose and event.duration):
            line += look.paint("dim", f"  {show_duration(event.duration)}")
        yield f"{line}\n"
        for change in event.changes:
            yield from self._change(change)
        if event.error is not None:
            yield from self._error(event.error)
        if event.noncompliant:
            yield f"{self._indent}noncompliant: no more retries until something changes\n"
        if event.why and event.status != "skipped":
            yield self._indent + look.paint("dim", f"why: {self.clean(event.why)}") + "\n"
        if event.where and (self._verbose or event.status == "failed"):
            places = " and ".join((event.where, *event.also_at))
            yield self._indent + look.paint("dim", f"declared at {self.clean(places)}") + "\n"

    def notice(self, event: Notice) -> str:
        label = self._look.paint(event.severity, f"{_SEVERITIES[event.severity]}:")
        about = f"{self.clean(event.id)}: " if event.id else ""
        first, *rest = lines_of(event.text)
        return f"{label} {about}{self.clean(first)}\n" + "".join(
            f"{self._indent}{self._tabbed(line)}\n" for line in rest
        )

    def recommended(self, event: Recommended) -> str:
        """A line for each recommendation that is not kept, with what became of its resources; how many are kept."""
        lines = [self._look.paint("strong", "Recommendations") + "\n"]
        kept = 0
        for each in event.tallies:
            happened = _worst(each.counts)
            kept += happened == "ok"
            if happened == "ok" and not self._verbose:
                continue
            said = ", ".join(f"{each.counts[status]} {status}" for status in STATUSES if each.counts[status])
            name = self.clean(f"{each.label} {each.number}" + (f": {each.title}" if each.title else ""))
            mark = self._look.marks[happened]
            room = self._columns() - 2 - cells(mark) - cells(said) - 2
            name = cropped(name, room, self._look.more) if not self._verbose else name
            lines.append(f"  {self._look.paint(happened, mark + name)}  {self._look.paint('dim', said)}\n")
        hint = "" if self._verbose else " (-v lists them, and every resource)"
        return "".join(lines) + f"  {kept} of {len(event.tallies)} are kept{hint}\n"

    def summary(self, summary: Summary, *, interrupted: bool) -> str:
        stopped = self._look.paint("failed", "interrupted: ") if interrupted else ""
        return f"{stopped}{self._counts(summary)}\n"

    def watching(self, event: Watching) -> str:
        """The line that says that the first convergence is done, and with what result."""
        return f"WATCHING {_count(event.total)} ({self._counts(event.summary)})\n"

    def working(self, call: Running, now: float) -> str:
        """A call that takes long, and for how long it has."""
        return f"{self.clean(call.text)}  {elapsed(now - call.since)}"

    def _counts(self, summary: Summary) -> str:
        said = ", ".join(self._look.paint(status, f"{count} {status}") for status, count in counts_of(summary))
        return f"{said or 'nothing to do'} in {show_duration(summary.duration)}"

    def _change(self, change: Change) -> Iterator[str]:
        before, after = self._value(change.from_), self._value(change.to)
        name = self.clean(change.property)
        arrow = self._look.arrow
        if change.diff is not None and "\n" in f"{change.from_}{change.to}":
            said = f"{name}:"  # the lines themselves follow
        elif change.action == "unknown":
            said = f"{name}: unknown {arrow} {after}" if after else f"{name}: unknown"
        elif before is not None and after is not None:
            said = f"{name}: {before} {arrow} {after}"
        elif before is not None:
            said = f"{name}: {before} {arrow} (none)"
        else:
            said = name if after is None else f"{name}: {after}"
        yield f"{self._indent}{said}\n"
        if change.diff is not None:
            yield from self._diff(change.diff)

    def _value(self, value: str | None) -> str | None:
        if value is None:
            return None
        if len(value) > _LONGEST_VALUE and not self._verbose:
            value = value[:_LONGEST_VALUE] + self._look.more
        return self.clean(value) or '""'

    def _diff(self, make: Callable[[], str]) -> Iterator[str]:
        indent = f"{self._indent}  "
        columns = None if self._verbose else self._columns()
        for line in diff_of(make):
            shown = self._tabbed(line)
            if columns is not None:
                shown = cropped(shown, columns, self._look.more, begin=len(indent))
            yield f"{indent}{self._look.paint(_part_of_diff(line), shown)}\n"

    def _error(self, error: str) -> Iterator[str]:
        first, *rest = lines_of(error)
        yield self._indent + self._look.paint("error", self.clean(first)) + "\n"
        for line in rest:
            yield f"{self._indent}  {self._tabbed(line)}\n"

    def _tabbed(self, line: str) -> str:
        """A line of a file or of output: tabs are harmless there."""
        return "\t".join(map(self.clean, line.split("\t")))


def _what_happened(event: Outcome) -> str:
    if event.status in ("ok", "failed", "skipped"):
        return event.status
    known = (change.action for change in event.changes if change.action != "unknown")
    action = next(known, "unknown" if event.changes else "update")
    return "update" if action in ("run", "refresh") else action


def _worst(counts: Counter[Status]) -> str:
    return "failed" if counts["failed"] else "update" if counts["pending"] else "skipped" if counts["skipped"] else "ok"


def _part_of_diff(line: str) -> str:
    if line.startswith(("+++", "---")):
        return "strong"
    return {"+": "added", "-": "removed", "@": "hunk"}.get(line[:1], "")


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def lines_of(text: str) -> list[str]:
    """Only a newline ends a line, so that a stray carriage return in it is seen."""
    return text.removesuffix("\n").split("\n")


def _count(total: int) -> str:
    return f"{total} resource{'' if total == 1 else 's'}"


def counts_of(summary: Summary) -> list[tuple[Status, int]]:
    """Those that are not zero."""
    return [(status, summary.counts[status]) for status in STATUSES if summary.counts[status]]


def diff_of(make: Callable[[], str]) -> list[str]:
    """The lines of a content diff, or why there is none."""
    try:
        text = make()
    except (OSError, ResourceError) as error:  # the file went away, say; the change itself was told already
        text = f"(no diff: {error})"
    return lines_of(text)


def cropped(line: str, columns: int, more: str, *, begin: int = 0) -> str:
    """``line``, which begins at the column ``begin``, cut off where it would not fit into so many columns."""
    if begin + 2 * len(line) < columns and "\t" not in line:
        return line  # nearly all are short
    at, fits = begin, 0
    for index, char in enumerate(line):
        at += _TAB - at % _TAB if char == "\t" else cells(char)
        if at > columns:
            return line[:fits] + more
        if at <= columns - len(more):
            fits = index + 1
    return line


def cells(text: str) -> int:
    """How many columns of a terminal it takes, without tabs."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else not unicodedata.combining(char) for char in text)


def elapsed(seconds: float) -> str:
    """Whole seconds, for what goes on."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} m {rest} s" if minutes else f"{rest} s"


def stamp(now: datetime) -> str:
    """A moment, for a person on this machine."""
    return f"{now.astimezone():%Y-%m-%d %H:%M:%S} "
