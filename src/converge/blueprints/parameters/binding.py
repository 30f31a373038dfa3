"""Binds given values to the parameters of a blueprint's function."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from converge.blueprints.parameters.converters import Reader, Text, Unfit, reader_for
from converge.core.urls import hide_credentials

Function: TypeAlias = Callable[..., None]


class Parameter(NamedTuple):
    """One argument of a blueprint's function."""

    name: str
    reader: Reader
    required: bool
    default: object


class Signature(NamedTuple):
    """What a blueprint's function takes after ``r``; ``wrong`` says what nobody could give it."""

    parameters: dict[str, Parameter]
    wrong: tuple[str, ...]


def bind(
    function: Function, arguments: Sequence[object], given: Mapping[str, object]
) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """The keyword arguments to call ``function`` with, and what is wrong: (name of the parameter or "", sentence)."""
    parameters, wrong = signature(function)
    mistakes = [("", text) for text in wrong]
    if len(arguments) > len(parameters):
        mistakes.append(("", f"takes {len(parameters)} parameters, not {len(arguments)}"))
    in_order = dict(zip(parameters, arguments, strict=False))
    mistakes += [(name, f"{name} is given twice") for name in in_order if name in given]
    given = {**in_order, **given}
    values: dict[str, object] = {}
    for name, value in given.items():
        parameter = parameters.get(name)
        if parameter is None:
            mistakes.append((name, _unknown(name, parameters)))
            continue
        try:
            values[name] = parameter.reader.read(value)
        except Unfit as error:
            said = f"a value of type {type(value).__name__}" if _is_secret(name) else _shorten(value)
            mistakes.append((name, f"{name} must be {parameter.reader.shown}, not {said}{error}"))
    for name, parameter in parameters.items():
        if parameter.required and name not in given:
            mistakes.append((name, f"{name} ({parameter.reader.shown}) is missing"))
    return values, mistakes


def signature(function: Function) -> Signature:
    """Read what a function takes. Annotations are only evaluated for what comes after ``r``."""
    try:
        _, *after = inspect.signature(function).parameters.values()
    except ValueError:
        return Signature({}, ("takes no r, the first argument of every blueprint",))
    parameters: dict[str, Parameter] = {}
    wrong: list[str] = []
    for each in after:
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD, each.POSITIONAL_ONLY):
            wrong.append(f"has the parameter {str(each).partition(':')[0]}; name each one, without *, ** or /")
            continue
        try:
            reader = reader_for(_annotation(function, each))
        except Unfit as error:
            wrong.append(f"parameter {each.name} {error}")
            continue
        parameters[each.name] = Parameter(each.name, reader, each.default is each.empty, each.default)
    return Signature(parameters, tuple(wrong))


def _annotation(function: Function, parameter: inspect.Parameter) -> object:
    if parameter.annotation is parameter.empty:
        raise Unfit(f"has no type; write one, such as {parameter.name}: str")
    holder = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        names = getattr(inspect.unwrap(function), "__globals__", {})
        return typing.get_type_hints(holder, globalns=names)[parameter.name]
    except (NameError, TypeError, SyntaxError, AttributeError) as error:
        raise Unfit(f"has a type that cannot be understood: {error}") from error


def _unknown(name: str, parameters: Mapping[str, Parameter]) -> str:
    from converge.core.errors import nearest

    takes = f"; it takes {', '.join(parameters)}" if parameters else "; it takes none"
    return f"has no parameter {name}{nearest(name, parameters) or takes}"


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in ("password", "secret", "token", "key"))


def _shorten(value: object) -> str:
    text = hide_credentials(repr(str(value) if isinstance(value, Text) else value))
    return text if len(text) <= 60 else text[:57] + "…"
