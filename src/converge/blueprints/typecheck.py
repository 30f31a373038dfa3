"""Checks declared options against the annotations of their kind.

The same annotations serve the static type checker and this: one place says what an option takes.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import os
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from converge.core.condition import Condition
from converge.core.resource import Resource

Check: TypeAlias = Callable[[object], bool]


class Option(typing.NamedTuple):
    """How one option is checked, and how its type is named to a person."""

    check: Check
    shown: str
    plain: frozenset[type]
    """Types whose values are right without a closer look."""


class Described(typing.NamedTuple):
    """What the constructor of a kind takes, in its order, and which of that has no default."""

    options: dict[str, Option]
    positional: tuple[str, ...]
    required: tuple[str, ...]


def describe(kind: type[Resource]) -> Described:
    """Read the annotations of a kind; once, since that is slow."""
    known = _described.get(kind)
    if known is None:
        hints = typing.get_type_hints(kind, localns={"Condition": Condition, "Resource": Resource})
        fields = sorted(
            (field for field in dataclasses.fields(kind) if field.init), key=lambda field: bool(field.kw_only)
        )
        known = _described[kind] = Described(
            {field.name: _option(hints[field.name]) for field in fields},
            tuple(field.name for field in fields if not field.kw_only),
            tuple(field.name for field in fields if _has_no_default(field)),
        )
    return known


_described: dict[type[Resource], Described] = {}


def _option(hint: object) -> Option:
    return Option(_check_for(hint), _show(hint), frozenset(_plain_types(hint)))


def _plain_types(hint: object) -> Iterator[type]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for arg in typing.get_args(hint):
            yield from _plain_types(arg)
    elif hint is float:
        yield from (int, float)
    elif hint in (str, bytes, int, bool, type(None)):
        yield hint


def plainly_fit(kind: type[Resource], args: Sequence[object], kwargs: Mapping[str, object]) -> bool:
    """Whether all that was passed is right beyond doubt. False only means that :func:`wrong_types` has to look."""
    options, positional, required = describe(kind)
    if not len(required) <= len(args) <= len(positional):
        return False
    for name, value in kwargs.items():
        option = options.get(name)
        if option is None or type(value) not in option.plain:
            return False
    return all(
        type(value) in options[name].plain and name not in kwargs for name, value in zip(positional, args, strict=False)
    )


def _has_no_default(field: dataclasses.Field[object]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def wrong_types(kind: type[Resource], args: Sequence[object], kwargs: Mapping[str, object]) -> Iterator[str]:
    """A sentence for each option that is unknown, missing, given twice or of a wrong type."""
    options, positional, required = describe(kind)
    hidden = bool(kwargs.get("sensitive"))
    if len(args) > len(positional):
        yield f"takes only {' and '.join(positional)} without a name; write the others as option=value"
    given: dict[str, object] = dict(zip(positional, args, strict=False))
    for name, value in kwargs.items():
        option = options.get(name)
        if option is None:
            from converge.core.errors import nearest

            # Nearer than elsewhere: options are short words, and many are alike by chance (source, force).
            yield f"has no option {name}{nearest(name, options, cutoff=0.75)}"
        elif name in given:
            yield f"{name} is given twice"
        elif not option.check(value):
            yield _wrong(name, option, value, hidden or "password" in name)
    for name, value in given.items():
        if not options[name].check(value):
            yield _wrong(name, options[name], value, hidden or "password" in name)
    for name in required:
        if name not in given and name not in kwargs:
            yield f"{name} is missing"


def _wrong(name: str, option: Option, value: object, hidden: bool) -> str:
    hint = ""
    if hidden:
        return f"{name} must be {option.shown}, not a value of type {type(value).__name__}"
    if name == "mode":
        digits = value.strip().removeprefix("0o").lstrip("0") if isinstance(value, str) else ""
        hint = f"; write it as mode=0o{digits if digits.isdecimal() else '644'}"
    elif option.shown.startswith("one of") and isinstance(value, str):
        from converge.core.errors import nearest

        hint = nearest(value, option.shown.removeprefix("one of ").split(", "))
    return f"{name} must be {option.shown}, not {_shorten(value)}{hint}"


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _check_for(hint: object) -> Check:
    origin = typing.get_origin(hint)
    args = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _any_of([_check_for(arg) for arg in args])
    if origin is Literal:
        return lambda value: isinstance(value, str | int) and value in args
    if origin in (collections.abc.Sequence, tuple, list):
        item = _check_for(args[0])
        return lambda value: isinstance(value, list | tuple) and all(map(item, value))
    if origin in (collections.abc.Set, frozenset, set):
        member = _check_for(args[0])
        return lambda value: isinstance(value, set | frozenset) and all(map(member, value))
    if origin in (collections.abc.Mapping, dict):
        key, item = map(_check_for, args)
        return lambda value: isinstance(value, Mapping) and all(key(k) and item(v) for k, v in value.items())
    if origin is os.PathLike:
        return lambda value: isinstance(value, os.PathLike)
    if isinstance(hint, type):
        return _instance_of(hint)
    return lambda _: True


def _any_of(checks: Sequence[Check]) -> Check:
    return lambda value: any(check(value) for check in checks)


def _instance_of(wanted: type) -> Check:
    if wanted is int:
        return lambda value: type(value) is int
    if wanted is float:
        return lambda value: type(value) in (int, float)
    return lambda value: isinstance(value, wanted)


def _show(hint: object) -> str:
    origin = typing.get_origin(hint)
    args = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_show(arg) for arg in args))
    if origin is Literal:
        return "one of " + ", ".join(map(str, args))
    if origin in (collections.abc.Sequence, tuple, list):
        return f"a list of {_show(args[0])}"
    if origin in (collections.abc.Set, frozenset, set):
        return f"a set of {_show(args[0])}"
    if origin in (collections.abc.Mapping, dict):
        return f"a dict of {_show(args[0])} to {_show(args[1])}"
    if origin is os.PathLike:
        return "a path"
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))
