"""Encrypted values inside text files of any format: re-encrypting, decrypting for an editor.

While a file is edited, each ``ENC[AES256:…]`` in it stands as ``DEC["the value"]``, the value written as a JSON string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from converge.secrets.cipher import SEALED, Key, seal, unseal
from converge.secrets.errors import SecretError
from converge.secrets.store import must_be_hidable

_ANY_SEALED = re.compile(r"ENC\[AES256:[^\]\s]*\]?")
_OPENED = re.compile(r'DEC\[("(?:[^"\\]|\\.)*")\]')
_LEFT_OPEN = re.compile(r"DEC\[")


def resealed(text: str, old: Key, new: Key) -> tuple[str, int]:
    """The text with every value encrypted with the new key, and how many there are. Raises SecretError."""
    new.must_be_strong()
    found = 0

    def again(value: str) -> str:
        nonlocal found
        found += 1
        return seal(value, new)

    return _with_each(text, old, again), found


def opened(text: str, key: Key) -> str:
    """The text with every value decrypted, for an editor. Raises SecretError."""
    if _LEFT_OPEN.search(text):
        raise SecretError('it has "DEC[" in it already, which is how values stand in the editor')
    return _with_each(text, key, lambda value: f"DEC[{json.dumps(value, ensure_ascii=False)}]")


def closed(text: str, before: str, key: Key) -> str:
    """The text that an editor left, with its values encrypted; those that ``before`` has keep their old encryption.

    Raises SecretError.
    """
    kept: dict[str, list[str]] = {}
    for sealed in SEALED.finditer(before):
        kept.setdefault(unseal(sealed[0], key), []).append(sealed[0])

    def sealed_again(found: re.Match[str]) -> str:
        try:
            value: str = json.loads(found[1], strict=False)
        except ValueError:
            where = f"line {_line(text, found)}"
            raise SecretError(f'{where}: DEC["…"] has a backslash that means nothing; write two') from None
        same = kept.get(value)
        if same:
            return same.pop(0)
        must_be_hidable(value, f"line {_line(text, found)}: the value")
        key.must_be_strong()
        return seal(value, key)

    rest = _OPENED.sub(_only_line_ends, text)
    if left := _LEFT_OPEN.search(rest):
        raise SecretError(f'line {_line(rest, left)}: write DEC["the value"], with its quotes')
    return _OPENED.sub(sealed_again, text)


def _only_line_ends(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def _with_each(text: str, key: Key, change: Callable[[str], str]) -> str:
    def changed(found: re.Match[str]) -> str:
        try:
            return change(unseal(found[0], key))
        except SecretError as error:
            raise SecretError(f"line {_line(text, found)}: the value {error}") from None

    return _ANY_SEALED.sub(changed, text)


def _line(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start()) + 1
