"""Lines of an authorized_keys file, as sshd(8) reads them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

Same: TypeAlias = tuple[str, str]
"""The type and the blob of a key."""

_TYPE = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+")
_BLANKS = " \t"


class Key(NamedTuple):
    """One public key. What it *is*, is its type and its blob; the rest is how it is used and called."""

    type: str
    blob: str
    options: str
    comment: str

    def same(self) -> Same:
        """What two lines with the same key have in common."""
        return self.type, self.blob

    def entry(self) -> tuple[str, str, str]:
        """What two lines that mean the same have in common."""
        return self.type, self.blob, self.options

    def line(self) -> str:
        """As it stands in the file."""
        return " ".join(part for part in (self.options, self.type, self.blob, self.comment) if part)

    def described(self) -> str:
        """The same with its options, which tell lines of one key apart."""
        return f"{self.options} {self.shown()}".lstrip()

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


def merged(lines: list[str], keys: Sequence[Key], revoked: Sequence[Key], *, exact: bool) -> list[str]:
    """The lines that are to be: what is right stays where it is, and what is missing comes at the end.

    sshd tries the lines of a key one after the other until the options of one let the user in. So of one key, several
    lines with different options are different lines, and those that are declared come before the others.

    Without ``exact``, lines that are not declared stay, but for a line without options of a key that is declared with
    some: it would let in everybody whom the options keep out. A key that is declared without options is there with
    whatever options. Blank lines and comments always stay.
    """
    plan = _Merge(keys, revoked, exact=exact)
    new: list[str | None] = [line if plan.stays(line) else None for line in lines]
    at: dict[Same, list[int]] = {}
    for number, line in enumerate(lines):
        if (key := parse(line)) and key.same() in plan.wanted:
            at.setdefault(key.same(), []).append(number)
    end: list[str] = []
    for same, declared in plan.wanted.items():
        places = at.get(same, [])
        right = plan.in_order(declared, [text for number in places if (text := new[number]) is not None])
        if right != [new[number] for number in places if new[number] is not None]:
            for number in places:
                new[number] = None
            for number, placed in zip(places, right, strict=False):
                new[number] = placed
            end += right[len(places) :]
    return [*(line for line in new if line is not None), *end]


class _Merge:
    """What becomes of each line."""

    def __init__(self, keys: Sequence[Key], revoked: Sequence[Key], *, exact: bool) -> None:
        self._exact = exact
        self._gone = {key.same() for key in revoked if not key.options}
        self._gone_entries = {key.entry() for key in revoked if key.options}
        self.wanted: dict[Same, list[Key]] = {}
        for key in keys:
            self.wanted.setdefault(key.same(), []).append(key)
        self._declared = {key.entry() for key in keys}

    def stays(self, line: str) -> bool:
        key = parse(line)
        if key is None:
            return not (self._exact and is_entry(line))
        if key.entry() in self._declared:
            return True
        if self._exact or key.same() in self._gone or key.entry() in self._gone_entries:
            return False
        return bool(key.options) or key.same() not in self.wanted

    def in_order(self, declared: list[Key], there: list[str]) -> list[str]:
        """All lines of one key: those that are declared, as they stand in the file where they do, then the others."""
        found: dict[str, str] = {}
        others: list[str] = []
        for line in there:
            key = parse(line)
            if key is None or key.entry() not in self._declared:
                others.append(line)
            else:
                found.setdefault(key.options, line)
        if others and not any(key.options for key in declared):
            return there  # it was asked for without options, and is there with whatever somebody gave it
        return [*(found.get(key.options) or key.line() for key in declared), *others]
