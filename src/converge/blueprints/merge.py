"""Merges identical declarations of one resource by several blueprints, or reports the contradiction."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from converge.blueprints.typecheck import describe
from converge.core.errors import Location, Mistake, Places
from converge.core.recommendation import WHYS, recommendations, title_of
from converge.core.resource import Resource

R = TypeVar("R", bound=Resource)

_UNSET_IS_NONE = frozenset(("retry", "limit", "timeout"))
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One run of a blueprint's function; ``where`` is the line that includes it, None where none does."""

    name: str
    function: Callable[..., None]
    values: Mapping[str, Any]  # Any: parameters, of whatever types they are
    where: Location | None = None
    within: Entry | None = None

    def route(self) -> str:
        """How it got in: the include lines, the nearest first."""
        lines = []
        entry: Entry | None = self
        while entry is not None and entry.where is not None:
            lines.append(str(entry.where))
            entry = entry.within
        return f"{self.name}, included at {' from '.join(lines)}" if lines else self.name

    def __str__(self) -> str:
        # A text may be a secret; of a recursion, a number says more anyhow.
        given = ", ".join(f"{name}={value!r}" for name, value in self.values.items() if isinstance(value, int | float))
        return f"{self.name}({given})" if given else self.name


@dataclass(frozen=True, slots=True)
class Declared:
    """One declaration of a resource, and the entry that made it; None is the blueprint that was asked for."""

    resource: Resource
    entry: Entry | None

    def __str__(self) -> str:
        return f"{self.resource.where}" + (f" ({self.entry.route()})" if self.entry is not None else "")


def merged(first: R, second: R, places: Sequence[Declared], timeout: float) -> R | list[str]:
    """One resource with the options of both, or what contradicts.

    An option of which unset means *left as it is* takes the value that is set; ids and other additive lists are
    united; everything else has to be equal. ``timeout`` is what an unset one has become.
    """
    if wrong := contradictions(first, second, timeout):
        return wrong
    changes: dict[str, Any] = {}
    for name, ours, theirs in _differing(first, second):
        if name in _added(first, second):
            changes[name] = _united(ours, theirs)
        elif name in first.either or name == "critical":
            changes[name] = True
        elif _is_unset(name, ours, timeout):
            changes[name] = theirs
    whole = dataclasses.replace(first, **changes)
    # A relative path is one beside the blueprint that names it.
    where = (second if first.beside_blueprint & changes.keys() else first).where
    others = dict.fromkeys(str(each) for each in places if each.resource.where != where)
    object.__setattr__(whole, "where", Places.of(where, tuple(others)))
    whys = dict.fromkeys(each.resource.why for each in places if each.resource.why)
    object.__setattr__(whole, "why", WHYS.join(whys) or None)
    return [*whole.common_mistakes(), *whole.mistakes()] or whole


def contradictions(first: Resource, second: Resource, timeout: float) -> list[str]:
    """The options that cannot both hold: ``second`` is here, ``first`` there."""
    if type(first) is not type(second):
        return [f"a {type(second).__name__.lower()} here, a {type(first).__name__.lower()} there"]
    adding = _added(first, second) | first.either | {"critical"}
    may_be_unset = first.left_as_is | _UNSET_IS_NONE
    return [
        _differs(first, second, name, theirs, ours)
        for name, ours, theirs in _differing(first, second)
        if name not in adding
        and not (name in may_be_unset and (_is_unset(name, ours, timeout) or _is_unset(name, theirs, timeout)))
    ]


def _added(first: Resource, second: Resource) -> frozenset[str]:
    return (first.adds_up() & second.adds_up()) | {"depends_on"}


def _differing(first: Resource, second: Resource) -> Iterator[tuple[str, Any, Any]]:
    """The options with two values, and these. Not the one that names it: the ids are equal, however it is written."""
    named_by = next(iter(describe(type(first)).options))
    for field in dataclasses.fields(first):
        name = field.name
        if not field.init or not field.compare or name == named_by:
            continue
        ours, theirs = getattr(first, name), getattr(second, name)
        beside = name in first.beside_blueprint and _means_another_file(first, second, ours, theirs)
        if beside or _items(ours) != _items(theirs):
            yield name, ours, theirs


def contradiction(here: Declared, there: Declared, wrong: Sequence[str]) -> Mistake:
    """Both places, what differs, and how to leave one of them out."""
    route = f" ({here.entry.route()})" if here.entry is not None else ""
    both = f"here{route}{_reason(here)} and at {there}{_reason(there)}"
    ways = [*filter(None, (_skipping(each) for each in (here, there))), "make them agree"]
    text = f"is declared twice, {both}, and they contradict each other: {'; '.join(wrong)}; {' or '.join(ways)}"
    return Mistake(here.resource.where, here.resource.id, text)


def _reason(declared: Declared) -> str:
    """The number and title of a recommendation; all of the reason is too long for an error."""
    why = declared.resource.why
    return f" for {title_of(why)}" if why else ""


def _skipping(declared: Declared) -> str:
    """What to write so that the blueprint leaves it out; empty where none on the way can."""
    entry = declared.entry
    while entry is not None and "skip" not in inspect.signature(entry.function).parameters:
        entry = entry.within
    if entry is None:
        return ""
    numbers = [each.number for each in recommendations(declared.resource.why or "")]
    named = ", ".join(f'"{number}"' for number in numbers) or "…"
    return f"leave that one out with r.include({entry.name}, …, skip=[{named}])"


def _differs(first: Resource, second: Resource, name: str, theirs: object, ours: object) -> str:
    sensitive = any(getattr(each, "sensitive", False) for each in (first, second))
    if sensitive or name in second.keeps_secret or "password" in name or not (_is_short(theirs) and _is_short(ours)):
        return f"{name} differs"
    show = "0o{:03o}".format if name == "mode" else repr
    return f"{name}={show(theirs)} here, {name}={show(ours)} there"


def _is_short(value: object) -> bool:
    """Whether it can be shown whole and unescaped: the redaction of secrets finds no other form of one."""
    if isinstance(value, str):
        return len(value) <= _LONGEST_SHOWN and repr(value) == f"'{value}'"
    return isinstance(value, int | float | None)


def _items(value: object) -> object:
    """A list equals a tuple, one item a list of it, and a path its text."""
    if isinstance(value, list | tuple):
        return [*value]
    return [os.fsdecode(value) if isinstance(value, os.PathLike) else value]


def _is_unset(name: str, value: object, timeout: float) -> bool:
    if name == "timeout":
        return value == timeout
    return value is None or (isinstance(value, list | tuple | Mapping) and not value)


def _means_another_file(first: Resource, second: Resource, ours: object, theirs: object) -> bool:
    """Whether one relative path leads from two blueprints to two files."""
    folders = [os.path.dirname(each.where.file) for each in (first, second)]
    if ours is None or folders[0] == folders[1] or not isinstance(ours, str) or ours != theirs:
        return False
    return os.path.join(folders[0], ours) != os.path.join(folders[1], ours)


def _united(ours: Any, theirs: Any) -> tuple[Any, ...]:  # Any: items of an option, of whatever types they are
    from converge.graph.graph import as_ids

    def items(value: Any) -> Iterator[Any]:
        yield from (as_ids(value) if isinstance(value, str | Resource) else value)

    return tuple(dict.fromkeys([*items(ours), *items(theirs)]))
