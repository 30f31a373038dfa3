"""``/etc/fstab``, of which only the line of one mount point is touched; see fstab(5)."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from typing import NamedTuple

from converge.host.fs.atomic import read_text, replace_text
from converge.host.mountinfo import unescaped
from converge.resources.mount.options import split

FSTAB = "/etc/fstab"
_ESCAPED = {" ": "\\040", "\t": "\\011", "\n": "\\012", "\\": "\\134", "#": "\\043"}
_BLANKS = " \t"
_lock = threading.Lock()
"""Held from reading until writing: several mounts are applied at the same time."""


class Entry(NamedTuple):
    """One line, decoded."""

    source: str
    point: str
    fstype: str
    options: str
    dump: int
    passno: int

    def line(self) -> str:
        """As it is written, without a newline."""
        texts = (_encoded(text) for text in (self.source, self.point, self.fstype, self.options))
        return " ".join((*texts, str(self.dump), str(self.passno)))

    def means(self, other: Entry) -> bool:
        """Whether both say the same: the order of the options does not count."""
        mine, others = (_meaning(each.options) for each in (self, other))
        return self._replace(options="") == other._replace(options="") and mine == others


def _meaning(options: str) -> tuple[set[str], dict[str, str]]:
    """All of them, and the last of each name, which is the one that counts where there can be only one."""
    single = split(options)
    return set(single), {option.partition("=")[0]: option for option in single}


def entries(text: str, point: str) -> list[Entry]:
    """All that is said of a mount point."""
    found = (_parse(line) for line in text.split("\n"))
    return [entry for entry in found if entry is not None and entry.point == point]


def with_entry(text: str, entry: Entry) -> str:
    """The text, with this line for its mount point in the place of the first that it had; all else as it was."""
    lines = list(_without_others(text, entry))
    if not any(line is None for line in lines):
        if lines and lines[-1] == "":
            lines.pop()
        return "\n".join([*(line for line in lines if line is not None), entry.line(), ""])
    return "\n".join(entry.line() if line is None else line for line in lines)


def without(text: str, point: str) -> str:
    """The text without the lines of a mount point."""
    return "\n".join(line for line in text.split("\n") if _point(line) != point)


def put(entry: Entry) -> None:
    """Write the line of a mount."""
    with _lock:
        text = read_text(FSTAB) or ""
        _write(text, with_entry(text, entry))


def remove(point: str) -> None:
    """Take the lines of a mount point away."""
    with _lock:
        text = read_text(FSTAB) or ""
        _write(text, without(text, point))


def _write(old: str, new: str) -> None:
    if new != old:
        replace_text(FSTAB, new)


def _without_others(text: str, entry: Entry) -> Iterator[str | None]:
    """The lines, with None in the place of the first one for this mount point, and without further ones."""
    met = False
    for line in text.split("\n"):
        if _point(line) != entry.point:
            yield line
        elif not met:
            met = True
            yield None


def _point(line: str) -> str | None:
    entry = _parse(line)
    return None if entry is None else entry.point


def _parse(line: str) -> Entry | None:
    if line.lstrip(_BLANKS).startswith("#"):
        return None
    # Other white space is a part of a name; str.split would end a field there.
    fields = [unescaped(os.fsencode(field)) for field in re.split(f"[{_BLANKS}]+", line.strip(f"{_BLANKS}\r"))]
    if len(fields) < 2:
        return None
    source, point, fstype, options, dump, passno = (*fields, "", "", "", "")[:6] if len(fields) < 6 else fields[:6]
    point = point.rstrip("/") or "/"
    return Entry(source, point, fstype or "auto", options or "defaults", _number(dump), _number(passno))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _encoded(text: str) -> str:
    return "".join(_ESCAPED.get(char, char) for char in text)
