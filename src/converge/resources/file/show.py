"""Modes, content and differences as a person reads them."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from converge.host.fs.content import SMALL, Content, digest, size_of

_SHORT = 1024
_LINE = 80
_MOST_LINES = 60
HIDDEN = "(sensitive)"
_CONTROL = frozenset(range(32)) - {9, 10, 12, 13} | {127}
"""What a terminal could take for a command."""


def show_size(size: int) -> str:
    """``12.3 KB``."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for unit in ("KB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95 or unit == "GB":
            break
    return f"{amount:.1f} {unit}"


def show_content(content: Content) -> str:
    """Short text as it is, everything else as its size and hash."""
    if size_of(content) == 0:
        return "(empty)"
    if size_of(content) <= _SHORT and (text := _text(content)) is not None:
        return text
    return f"{show_size(size_of(content))}, sha256:{digest(content)[:12]}"


def content_diff(old: Content, new: Content) -> Callable[[], str] | None:
    """What makes the text of the difference; None where both sides say all in a line, or are too large to hold."""
    if size_of(old) > SMALL or size_of(new) > SMALL or (_is_a_line(old) and _is_a_line(new)):
        return None
    return lambda: _diff(old, new)


def _is_a_line(content: Content) -> bool:
    return isinstance(content, bytes) and len(content) <= _LINE and content.find(b"\n", 0, -1) < 0


def _diff(old: Content, new: Content) -> str:
    before, after = _text(old), _text(new)
    if before is None or after is None:
        return f"binary: {_facts(old)} -> {_facts(new)}"
    lines = list(difflib.unified_diff(_lines(before), _lines(after), "now", "wanted", lineterm="", n=3))
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"... {len(lines) - _MOST_LINES} more lines"]
    return "\n".join(lines)


def _lines(text: str) -> list[str]:
    """Lines without their ends; a line end that is missing or CRLF is made visible."""
    lines = text.split("\n")
    last = lines.pop()
    shown = [line[:-1] + " (CRLF)" if line.endswith("\r") else line for line in lines]
    return [*shown, last + " (no line end)"] if last else shown


def _facts(content: Content) -> str:
    return f"{show_size(size_of(content))}, sha256:{digest(content)[:12]}"


def _text(content: Content) -> str | None:
    """The content as text; None for what a terminal must not be given."""
    if not isinstance(content, bytes) or not _CONTROL.isdisjoint(content):
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
