"""Converters for each parameter type: from the command line, from TOML, from Python."""

from __future__ import annotations

import collections.abc
import math
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Literal, NamedTuple


class Text(str):
    """What was typed as a value: its meaning depends on the type of the parameter."""

    __slots__ = ()


class Unfit(Exception):
    """A value is not what the annotation asks for."""


class Reader(NamedTuple):
    """Makes the value of a parameter from what was given. Raises Unfit; the message is a hint, or empty."""

    read: Callable[[object], object]
    shown: str


def reader_for(hint: object) -> Reader:
    """The reader for an annotation. Raises Unfit, with a sentence, where there is none."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and (simple := _SIMPLE.get(hint)):
        return simple
    if hint is getattr(sys.modules.get("pathlib"), "Path", None):
        return Reader(_read_path, "a path")
    if origin in (typing.Union, types.UnionType):
        return _one_of([reader_for(arg) for arg in args])
    if origin is Literal:
        return _choice({str(each): each for each in args})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member(hint)
    if origin in (list, collections.abc.Sequence, collections.abc.Iterable) or (
        origin is tuple and len(args) == 2 and args[1] is Ellipsis
    ):
        return _list_of(reader_for(args[0]), tuple if origin is tuple else list)
    if origin in (dict, collections.abc.Mapping) and args[0] is str:
        return _dict_of(reader_for(args[1]))
    shown = getattr(hint, "__name__", str(hint)) if origin is None else str(hint)
    raise Unfit(
        f"cannot be a {shown}; there are str, int, float, bool, Path, Literal, enumerations, list[…], dict[str, …] "
        "and these with None or each other (|)"
    )


def _read_str(value: object) -> object:
    if isinstance(value, str):
        return str(value)
    raise Unfit


def _read_int(value: object) -> object:
    if isinstance(value, Text) and re.fullmatch(r"[+-]?(0|[1-9][0-9_]*|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)", value):
        return int(value, 0)
    if type(value) is int:
        return value
    raise Unfit


def _read_float(value: object) -> object:
    if isinstance(value, Text):
        try:
            number = float(value)
        except ValueError:
            raise Unfit from None
        if math.isfinite(number):
            return number
    elif type(value) in (int, float):
        return value
    raise Unfit


def _read_bool(value: object) -> object:
    if isinstance(value, Text) and value.lower() in _TRUTHS:
        return _TRUTHS[value.lower()]
    if isinstance(value, bool):
        return value
    raise Unfit("; write true or false" if isinstance(value, Text) else "")


def _read_none(value: object) -> object:
    if value is None or (isinstance(value, Text) and value.lower() == "none"):
        return None
    raise Unfit


def _read_path(value: object) -> object:
    from pathlib import Path  # here, as few blueprints have one

    if isinstance(value, str | Path):
        return Path(value)
    raise Unfit


_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}

_SIMPLE: dict[type, Reader] = {
    str: Reader(_read_str, "text"),
    int: Reader(_read_int, "a whole number"),
    float: Reader(_read_float, "a number"),
    bool: Reader(_read_bool, "true or false"),
    type(None): Reader(_read_none, "None"),
}


def _choice(choices: Mapping[str, object]) -> Reader:
    """One of these, which are typed as their keys."""

    def read(value: object) -> object:
        if isinstance(value, Text) and value in choices:
            return choices[value]
        for each in choices.values():
            if type(each) is type(value) and each == value:
                return each
        from converge.core.errors import nearest

        raise Unfit(nearest(value, choices) if isinstance(value, str) else "")

    return Reader(read, "one of " + ", ".join(choices))


def _member(enumeration: type[Enum]) -> Reader:
    """A member of an enumeration, by its value or its name."""
    by_value = _choice({str(member.value): member.value for member in enumeration})

    def read(value: object) -> object:
        if isinstance(value, enumeration):
            return value
        if isinstance(value, str) and value in enumeration.__members__:
            return enumeration[value]
        return enumeration(by_value.read(value))

    return Reader(read, by_value.shown)


def _one_of(readers: Sequence[Reader]) -> Reader:
    """The first that takes the value. Any typed text is a ``str``, so that comes last."""
    text = _SIMPLE[str]
    ordered = [*(reader for reader in readers if reader is not text), *(reader for reader in readers if reader is text)]

    def read(value: object) -> object:
        hint = ""
        for reader in ordered:
            if isinstance(value, Text) and reader is _SIMPLE[type(None)] and text in ordered:
                continue  # "none" is a text like any other where texts are taken
            try:
                return reader.read(value)
            except Unfit as error:
                hint = hint or str(error)
        raise Unfit(hint)

    return Reader(read, " or ".join(dict.fromkeys(reader.shown for reader in readers)))


def _list_of(item: Reader, make: Callable[[Iterator[object]], object]) -> Reader:
    """A list; typed with commas in between, or as TOML writes it."""

    def read(value: object) -> object:
        if isinstance(value, Text):
            if value.lstrip().startswith("["):
                value = _as_toml(value)
            else:
                value = [Text(part.strip()) for part in value.split(",")] if value.strip() else []
        if not isinstance(value, list | tuple):
            raise Unfit
        return make(item.read(each) for each in value)

    return Reader(read, f"a list of {_many(item.shown)}")


def _dict_of(item: Reader) -> Reader:
    """A table; typed as TOML writes it."""

    def read(value: object) -> object:
        if isinstance(value, Text) and value.lstrip().startswith("{"):
            value = _as_toml(value)
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise Unfit('; write it as {name = "value"}' if isinstance(value, Text) else "")
        return {str(key): item.read(each) for key, each in value.items()}

    return Reader(read, f"a table of {_many(item.shown)}")


def _many(shown: str) -> str:
    """More than one of what a reader makes."""
    if shown == "text" or (shown.startswith("a ") and " or " not in shown and " of " not in shown):
        return f"{shown.removeprefix('a ')}s"
    return f"{shown} each"


def _as_toml(text: str) -> object:
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError as error:
        raise Unfit(f" ({error})") from error
