"""Escaped and encoded forms of a secret, each of which is redacted."""

from __future__ import annotations

import html
import json
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters below which text is not hidden: it would be found everywhere, and hiding it would tell what it is."""


def forms_of(value: str) -> frozenset[str]:
    """How a secret may be written, as a whole."""
    return _long_enough({*_escaped(value), *_escaped(value.strip()), *_encoded(value)})


def forms_of_lines(value: str) -> frozenset[str]:
    """How a line of it may be written by itself, as in a diff."""
    lines = [line.strip() for line in value.splitlines()]
    return _long_enough({form for line in lines if len(line) >= SHORTEST for form in _escaped(line)})


def _long_enough(forms: set[str]) -> frozenset[str]:
    return frozenset(form for form in forms if len(form.strip()) >= SHORTEST)


def _escaped(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield repr(value + "'\"")[1:-4]  # as in a longer text that has both quotes
    yield ascii(value)[1:-1]
    data = value.encode("utf-8", "surrogateescape")
    yield repr(data)[2:-1]
    yield repr(data + b"'\"")[2:-4]
    yield value.replace("'", "'\"'\"'")  # shlex.quote
    yield html.escape(value)
    yield html.escape(value, quote=False)
    yield quote(data)
    yield quote(data, safe="")
    yield quote_plus(data)


def _encoded(value: str) -> Iterator[str]:
    data = value.encode("utf-8", "surrogateescape")
    yield data.hex()
    yield data.hex().upper()
    for before in range(3):
        # In a longer text, its first and last characters may depend on the neighbours; those between do not.
        whole = b64encode(bytes(before) + data).decode()
        inner = whole[-(-8 * before // 6) : 8 * (before + len(data)) // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
