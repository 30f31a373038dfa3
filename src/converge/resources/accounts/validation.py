"""What can be the name or the number of an account, and what can be in a field of the account files."""

from __future__ import annotations

import re
from collections.abc import Iterator

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
"""What can be made: what useradd takes on each distribution. A name of digits alone would be taken for a number."""
_FOREIGN = re.compile(r"[^-+~/:,\s\x00-\x1f\x7f][^/:,\s\x00-\x1f\x7f]*")
"""What may exist in a directory service, such as ``ann@corp.example``."""
_LONGEST = 32
"""Characters in a name (LOGIN_NAME_MAX of useradd)."""
HIGHEST = 2**32 - 2
"""The highest number; the one above stands for "leave it" in chown(2)."""


def name_mistakes(what: str, name: str) -> Iterator[str]:
    """Whatever is wrong with the name of something that is to be made."""
    if not NAME.fullmatch(name):
        yield (
            f"{name!r} is no name for a {what}; use letters, digits, '_', '-' and '.', and begin with a letter or '_'"
        )
    elif len(name) > _LONGEST:
        yield f"{name!r} is too long for a {what}'s name, which has {_LONGEST} characters at most"


def reference_mistakes(what: str, name: str) -> Iterator[str]:
    """Whatever is wrong with the name of something that is only referred to."""
    if not _FOREIGN.fullmatch(name):
        yield f"{name!r} is no name for a {what}"


def number_mistakes(what: str, number: int | None) -> Iterator[str]:
    """Whatever is wrong with a uid or gid."""
    if number is not None and not 0 <= number <= HIGHEST:
        yield f"{what}={number} is out of range; it lies between 0 and {HIGHEST}"


def field_mistakes(what: str, text: str | None) -> Iterator[str]:
    """Whatever would break a line of the account files."""
    if text is not None and (":" in text or not text.isprintable()):
        yield f"{what}={text!r} has a colon or a control character, which the account files cannot hold"


def path_mistakes(what: str, path: str | None) -> Iterator[str]:
    """Whatever is wrong with a path in a field of the account files."""
    if path is None:
        return
    if not path.startswith("/") or ".." in path.split("/"):
        yield f"{what} takes a full path without '..', not {path!r}"
    yield from field_mistakes(what, path)


NEVER = "never"


def days(text: str) -> int | None:
    """A day as shadow(5) counts them, from 1970-01-01; None for never."""
    if text == NEVER:
        return None
    from datetime import date

    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()
