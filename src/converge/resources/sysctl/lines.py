"""The lines of a file in sysctl.d(5)."""

from __future__ import annotations

from collections.abc import Mapping

from converge.resources.sysctl.keys import canonical

_HEAD = "# Kept by converge; lines of others are left alone. See sysctl.d(5).\n"


def entry(line: str) -> tuple[str, str] | None:
    """Key, in its one spelling, and value of a line; None for a comment and the like."""
    line = line.strip()
    if not line or line[0] in "#;" or "=" not in line:
        return None
    key, _, value = line.removeprefix("-").partition("=")
    return canonical(key.strip()), " ".join(value.split())


def values(text: str) -> dict[str, list[str]]:
    """What each key is set to; more than once where it has several lines."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if pair := entry(line):
            found.setdefault(pair[0], []).append(pair[1])
    return found


def edited(text: str, wanted: Mapping[str, str | None]) -> str:
    """With these keys set once, or not at all for None, and everything else as it was."""
    left = dict(wanted)
    if not text and any(value is not None for value in wanted.values()):
        text = _HEAD
    kept: list[str] = []
    # From the end: the last line of several with one key is the one that counts, and the one that stays.
    for line in reversed(text.splitlines(keepends=True)):
        pair = entry(line)
        if pair is None or pair[0] not in wanted:
            kept.append(line)
        elif (value := left.pop(pair[0], None)) is not None:
            kept.append(line if pair[1] == value else f"{pair[0]} = {value}\n")
    kept.reverse()
    new = [f"{key} = {value}\n" for key, value in left.items() if value is not None]
    if new and kept and not kept[-1].endswith("\n"):
        kept[-1] += "\n"
    return "".join(kept + new)
