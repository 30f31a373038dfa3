"""What a property list can hold, and when two such things are the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from converge.core.urls import hide_credentials

_INTEGERS = range(-(2**63), 2**64)


def type_name(value: object) -> str:
    """Its type, as defaults(1) calls it; what a property list cannot hold counts as a dict."""
    import datetime

    if isinstance(value, bool):  # before int, of which it is a kind
        return "bool"
    types = {str: "string", int: "int", float: "float", bytes: "data", datetime.datetime: "date"}
    types |= {list: "array", tuple: "array"}
    return next((name for type_, name in types.items() if isinstance(value, type_)), "dict")


def unfit(value: object) -> str | None:
    """What a property list cannot hold."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            return "a dict with a key that is no text"
        return next((wrong for each in value.values() if (wrong := unfit(each))), None)
    if isinstance(value, list | tuple):
        return next((wrong for each in value if (wrong := unfit(each))), None)
    return _unfit_single(value)


def _unfit_single(value: object) -> str | None:
    from datetime import datetime

    if type_name(value) == "dict":
        return f"a {type(value).__name__}, which a property list cannot hold"
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - that is what NaN is
        return "NaN, which equals nothing"
    if isinstance(value, int) and value not in _INTEGERS:
        return "a number that is too large for a property list"
    if isinstance(value, datetime) and (value.tzinfo is not None or value.microsecond):
        return "a date with a time zone or parts of a second; give it in UTC, without a zone, in whole seconds"
    if isinstance(value, str) and re.search(r"[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]", value):
        return "text with characters that a property list cannot hold"
    return None


def plain(value: object) -> Any:  # Any: what plistlib takes
    """The same in dicts and lists of Python's own."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def same(one: object, other: object) -> bool:
    """Alike in value and in type, all the way down: True is not 1."""
    if type_name(one) != type_name(other):
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def shown(value: object) -> str:
    """For a person, on one line that is not too long."""
    text = hide_credentials(repr(value))
    return text if len(text) <= 60 else f"{text[:59]}…"


def as_xml(value: object) -> str:
    """The value alone, as XML."""
    import plistlib

    whole = plistlib.dumps(plain(value), fmt=plistlib.FMT_XML, sort_keys=False).decode()
    return whole.partition('<plist version="1.0">\n')[2].rpartition("</plist>")[0].strip()
