"""Finds and hides credentials in URLs.

Every text that is shown goes through here. What is no valid URL is hidden too where somebody may have meant it as
one, such as a password with an ``@`` or a ``/`` that is not percent-encoded: hiding too much does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

HIDDEN: Final = "***"
"""What is shown in the place of a secret."""

_START: Final = re.compile(r"(?P<colon>:|%(?:25)*3A)(?P<slash>/|%(?:25)*2F)(?P=slash)", re.IGNORECASE)
"""Between scheme and host. A URL that is a parameter of another is percent-encoded, perhaps more than once."""
_END: Final = r"\s/?#\"<>\\"
_QUOTED: Final = r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\x[0-9a-f]{2}|\\'|'\"'\"'"
"""How Python, JSON and a shell's quotes write a character of a longer text."""
_WORD: Final = re.compile(r"\S{0,2000}")
_PORT: Final = re.compile(r"\d+(?!\w)")
_SSH: Final = re.compile(r"(?:^|[^a-z0-9])(?:[a-z0-9]+\+)?(?:ssh|sftp|scp|rsync)(?:\+[a-z0-9]+)?$", re.IGNORECASE)
"""Where a user without a password is no secret, as keys are used."""
_KEY: Final = re.compile(
    r"(?:[?&]|(?<=\S)[#;]|%(?:25)*(?:3F|26|23|3B))([\w.%~\[\]-]{1,100}?)(?P<equals>=|%(?:25)*3D)", re.IGNORECASE
)
_SECRET_KEY: Final = re.compile(
    r"token|passw|passphrase|secret|signature|credential|authorization|(?:^|[-_.])auth$"
    r"|(?:^|[-_.]|api|access|private|account|shared|subscription)key"
    r"|^(?:sig|pass|pwd|pw|code|jwt|sid|otp|hmac|ticket|session)$",
    re.IGNORECASE,
)
_TOKEN: Final = 16
"""Characters from which a name without a password is taken for a token."""
_CLOSING: Final = "'),:;.]}"
"""What follows a URL in a sentence, rather than ends it."""


class Credential(NamedTuple):
    """Its place in a text, and which part of it is surely a secret: empty for what may be a mere user's name."""

    start: int
    end: int
    secret: str


def hide_credentials(text: str) -> str:
    """The text without the credentials of the URLs in it."""
    return without(text, places(text))


def may_have_any(text: str) -> bool:
    """Quickly, for most texts have none: False where there is no credential for sure."""
    return "//" in text or "=" in text or "%" in text


def places(text: str) -> Iterator[tuple[int, int]]:
    """Where credentials are, from start to end, in no order."""
    return ((found.start, found.end) for found in credentials_in(text))


def without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with each of these places hidden."""
    parts: list[str] = []
    at = 0
    for start, end in _merged(sorted(spans)):
        parts += (text[at:start], HIDDEN)
        at = end
    return "".join((*parts, text[at:])) if parts else text


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Those that touch or overlap as one, so that nothing is left of either. They come in order."""
    start = end = -1
    for first, last in spans:
        if first > end >= 0:
            yield start, end
        if first > end:
            start = first
        end = max(end, last)
    if end >= 0:
        yield start, end


def credentials_in(text: str) -> Iterator[Credential]:
    """The passwords and tokens of the URLs in a text: before the host, and in the query or the fragment."""
    if may_have_any(text):
        yield from _before_hosts(text)
        yield from _in_queries(text)


# --- before the host --------------------------------------------------------------------------------------


def _before_hosts(text: str) -> Iterator[Credential]:
    for match in _START.finditer(text):
        start, escape = match.end(), match["slash"][:-2] or match["colon"][:-2]
        userinfo = _userinfo(text, start, escape)
        if not userinfo:
            continue
        user, colon, password = _halves(userinfo, escape)
        end = start + len(userinfo)
        if _SSH.search(text[max(0, match.start() - 20) : match.start()]):
            if colon:
                yield Credential(end - len(password), end, _secret(user, password))
        else:
            yield Credential(start, end, _secret(user, password))


def _secret(user: str, password: str) -> str:
    """Empty where it may be a user's name, which stands in many other texts."""
    if password:
        return "" if password == user else password
    return user if len(user) >= _TOKEN else ""


def _userinfo(text: str, start: int, escape: str) -> str:
    """What stands before the last ``@`` of the host's part; empty where there is none."""
    at = f"{escape}40" if escape else "@"
    authority = _authority(escape).match(text, start)[0]  # type: ignore[index]  # it may be empty, but is found
    userinfo, found, _ = authority.rpartition(at)
    if found:
        return userinfo
    host, colon, port = _halves(authority, escape)
    if not colon or host.endswith(("[", "5B", "5b")) or _PORT.match(port):
        return ""
    # No port: it is rather a password with a character that ends the host's part.
    return _WORD.match(text, start)[0].rpartition(at)[0]  # type: ignore[index]  # it may be empty, but is found


def _halves(userinfo: str, escape: str) -> tuple[str, str, str]:
    user, colon, password = userinfo.partition(":")
    return (user, colon, password) if colon or not escape else _split_at(userinfo, f"{escape}3A")


def _split_at(text: str, mark: str) -> tuple[str, str, str]:
    parts = re.split(f"({mark})", text, maxsplit=1, flags=re.IGNORECASE)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else (text, "", "")


@lru_cache(maxsize=16)
def _authority(escape: str) -> re.Pattern[str]:
    """The part of a URL that names the host. ``escape`` is how percent-encoding begins at its level: ``%``, ``%25``."""
    if not escape:
        return re.compile(f"(?:{_QUOTED}|[^{_END}])*")
    return re.compile(f"(?:(?!{escape}(?:2F|3F|23))[^{_END}&])*", re.IGNORECASE)


# --- in the query -----------------------------------------------------------------------------------------


def _in_queries(text: str) -> Iterator[Credential]:
    done = 0
    for match in _KEY.finditer(text):
        name = re.split(r"[?&;#]", _decoded(match[1]))[-1]
        if match.start() < done or not _SECRET_KEY.search(name):
            continue
        found = _value(match["equals"][:-2]).match(text, match.end())
        value = found[0] if found else ""
        value = value.rstrip(_CLOSING) or value
        done = match.end() + len(value)
        if value:
            yield Credential(match.end(), done, value)


@lru_cache(maxsize=16)
def _value(escape: str) -> re.Pattern[str]:
    end = r"\s&\"<>\\"
    return re.compile(f"(?:(?!{escape}26)[^{end}])*" if escape else f"(?:{_QUOTED}|[^{end}])*")


def _decoded(text: str) -> str:
    from urllib.parse import unquote  # for the few that have any; it takes a while to load

    while (plain := unquote(text)) != text:
        text = plain
    return text
