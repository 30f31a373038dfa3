"""Lines of an authorized_keys file, as sshd(8) reads them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

_TYPE = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+")
_BLANKS = " \t"


class Key(NamedTuple):
    """One public key. What it *is*, is its type and its blob; the rest is how it is used and called."""

    type: str
    blob: str
    options: str
    comment: str

    def same(self) -> tuple[str, str]:
        """What two lines with the same key have in common."""
        return self.type, self.blob

    def line(self) -> str:
        """As it stands in the file."""
        return " ".join(part for part in (self.options, self.type, self.blob, self.comment) if part)

    def shown(self) -> str:
        """For a person: what it is called, or else its end, which tells keys apart."""
        return f"{self.type} {self.comment or '…' + self.blob[-12:]}"


def parse(line: str) -> Key | None:
    """The key in a line; None for a blank line, a comment, and what is no key."""
    text = line.strip(_BLANKS + "\r\n")
    if not text or text.startswith("#"):
        return None
    options = ""
    if not _TYPE.fullmatch(text.split(maxsplit=1)[0]):
        end = _end_of_options(text)
        options, text = text[:end], text[end:].lstrip(_BLANKS)
    type_, _, rest = text.partition(" ") if " " in text else text.partition("\t")
    blob, _, comment = rest.strip(_BLANKS).replace("\t", " ").partition(" ")
    if not _TYPE.fullmatch(type_) or not _holds(blob, type_):
        return None
    return Key(type_, blob, options, comment.strip())


def _end_of_options(text: str) -> int:
    """Where the options end: at the first blank outside of quotes."""
    quoted = False
    at = 0
    while at < len(text):
        if text.startswith('\\"', at):
            at += 1
        elif text[at] == '"':
            quoted = not quoted
        elif text[at] in _BLANKS and not quoted:
            break
        at += 1
    return at


def _holds(blob: str, type_: str) -> bool:
    """Whether the base64 text is a key of this type: it begins with the type's own name (RFC 4253, 6.6)."""
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return False
    length = int.from_bytes(raw[:4], "big")
    return len(raw) > 4 + length and raw[4 : 4 + length] == type_.encode()


def is_entry(line: str) -> bool:
    """Whether sshd may read something into the line."""
    text = line.strip(_BLANKS + "\r\n")
    return bool(text) and not text.startswith("#")


def merged(lines: list[str], keys: list[Key], revoked: list[Key], *, exact: bool) -> list[str]:
    """The lines that are to be: what is right stays where it is, and what is missing comes at the end.

    Without ``exact``, lines of other keys stay, and so do the options of a key that is declared without any. Blank
    lines and comments always stay.
    """
    wanted = {key.same(): key for key in keys}
    gone = {key.same() for key in revoked}
    placed: set[tuple[str, str]] = set()
    new: list[str] = []
    for line in lines:
        key = parse(line)
        if key is None:
            if not (exact and is_entry(line)):
                new.append(line)
        elif key.same() in wanted:
            declared = wanted[key.same()]
            if key.same() not in placed:
                right = key.options == declared.options or not (exact or declared.options)
                new.append(line if right else declared.line())
            placed.add(key.same())
        elif not exact and key.same() not in gone:
            new.append(line)
    return new + [key.line() for key in keys if key.same() not in placed]
