"""Blueprints: functions that declare resources, and the :class:`Run` that collects what they declare."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar, Generic, ParamSpec, TypeAlias, TypeVar, cast

from converge import sharding
from converge.errors import Mistake, nearest
from converge.platform import Platform, this_platform
from converge.resources.base import Location, Resource
from converge.resources.exec import Exec
from converge.resources.file import Directory, File, Symlink
from converge.resources.typecheck import describe, plainly_fit, wrong_types

P = ParamSpec("P")
R = TypeVar("R", bound=Resource)

BlueprintFunction: TypeAlias = "Callable[[Run], None]"


@dataclasses.dataclass(frozen=True, slots=True)
class Blueprint:
    """A named function that declares resources."""

    name: str
    description: str
    function: BlueprintFunction
    file: str


class Registry:
    """Blueprints by name. The one that the decorator fills is the only global state of the program."""

    def __init__(self) -> None:
        self._blueprints: dict[str, Blueprint] = {}

    def add(self, added: Blueprint) -> None:
        """Raises ValueError where another function has the name; the same place may come again (a reload)."""
        there = self._blueprints.get(added.name)
        if there is not None and there.file != added.file:
            raise ValueError(f"the blueprint {added.name!r} of {added.file} is declared in {there.file} already")
        self._blueprints[added.name] = added

    def get(self, name: str) -> Blueprint | None:
        return self._blueprints.get(name)

    def names(self) -> list[str]:
        return sorted(self._blueprints)

    def snapshot(self) -> dict[str, Blueprint]:
        return dict(self._blueprints)

    def restore(self, snapshot: Mapping[str, Blueprint]) -> None:
        self._blueprints = dict(snapshot)


registry = Registry()


def blueprint(name: str, description: str = "") -> Callable[[BlueprintFunction], BlueprintFunction]:
    """Give a function a name under which ``converge`` and ``r.include`` find it."""
    if not isinstance(name, str) or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ValueError(f"a blueprint's name is letters, digits, '-', '_' and '.', not {name!r}")

    def register(function: BlueprintFunction) -> BlueprintFunction:
        text = description or (function.__doc__ or "").strip().partition("\n")[0]
        registry.add(Blueprint(name, text, function, function.__code__.co_filename))
        return function

    return register


class Declares(Generic[P, R]):
    """A method of :class:`Run` that declares one kind, with the very options of that kind's constructor."""

    def __init__(self, kind: Callable[P, R]) -> None:
        # A class, seen by the type checker as the constructor that gives the method its signature.
        self.kind = cast("type[R]", kind)

    def __get__(self, run: Run, owner: type[Run]) -> Callable[P, R]:
        return partial(run._declare, self.kind)


class Run:
    """What a blueprint is called with: declares resources and tells about the machine.

    Mistakes are collected, not raised, so that an owner sees all of them at once.
    """

    file = Declares(File)
    directory = Declares(Directory)
    symlink = Declares(Symlink)
    exec = Declares(Exec)

    def __init__(self, *, platform: Platform | None = None, resource_timeout: float = 300.0) -> None:
        if platform is not None:
            self.platform = platform
        self._resource_timeout = resource_timeout
        self._declared: dict[str, Resource] = {}
        self._mistakes: list[Mistake] = []
        self._included: set[int] = set()
        self._including: list[str] = []

    @cached_property
    def platform(self) -> Platform:
        """os, distro, package_manager, init_system and arch of this machine."""
        return this_platform()

    def include(self, name: str) -> None:
        """Declare what another registered blueprint declares. A second time does nothing."""
        found = registry.get(name) or _from_a_package(name)
        where = _caller()
        if name in self._including:
            chain = " → ".join([*self._including[self._including.index(name) :], name])
            self._mistakes.append(Mistake(where, None, f"blueprints include each other in a circle: {chain}"))
        elif found is None:
            hint = nearest(name, registry.names())
            self._mistakes.append(Mistake(where, None, f"include: no blueprint is called {name!r}{hint}"))
        elif id(found.function) not in self._included:
            self._included.add(id(found.function))
            self._including.append(name)
            found.function(self)
            self._including.pop()

    def in_shard(self, percent: int) -> bool:
        """Whether this machine is among ``percent`` % of the fleet; the same answer as long as its hardware lives."""
        return self.in_shard_with_serial(percent, sharding.hardware_serial() if 0 < percent < 100 else "")

    def in_shard_with_serial(self, percent: int, serial: str) -> bool:
        """The same for another serial than this machine's own."""
        try:
            return sharding.in_shard_with_serial(percent, serial)
        except ValueError as error:
            self._mistakes.append(Mistake(_caller(2), None, str(error)))
            return False

    def _declare(self, kind: type[R], *args: Any, **kwargs: Any) -> R:  # Any: __get__ gives callers the true signature
        frame = sys._getframe(1)
        where = Location(frame.f_code.co_filename, frame.f_lineno)
        # Nearly all declarations are right, and there may be many: looked at closely is only what is not plain.
        mistakes = [] if plainly_fit(kind, args, kwargs) else list(wrong_types(kind, args, kwargs))
        if not mistakes:
            resource = kind(*args, **_by_id(kwargs))
            object.__setattr__(resource, "where", where)
            mistakes = [*resource.common_mistakes(), *resource.mistakes()]
        if mistakes:
            resource = _hollow(kind, args, kwargs)
            object.__setattr__(resource, "where", where)
            subject = resource.id if not resource.id.endswith(":") else kind.kind
            self._mistakes += [Mistake(where, subject, text) for text in mistakes]
            self._add(_StandIn(of=resource))
            return resource
        if resource.timeout is None:
            object.__setattr__(resource, "timeout", self._resource_timeout)
        self._add(resource)
        return resource

    def _add(self, resource: Resource) -> None:
        if resource.id.endswith(":"):
            return
        there = self._declared.setdefault(resource.id, resource)
        if there is not resource:
            self._mistakes.append(_twice(resource, there))


def _from_a_package(name: str) -> Blueprint | None:
    from converge.loading import load_entry_points

    load_entry_points(name)
    return registry.get(name)


def _by_id(kwargs: dict[str, Any]) -> dict[str, Any]:  # Any: checked against the annotations already
    """Name other resources by their ids, so that a declaration says nothing of how those are declared."""
    for name, value in kwargs.items():
        if isinstance(value, Resource):
            kwargs[name] = (value.id,)
        elif isinstance(value, list | tuple) and any(isinstance(item, Resource) for item in value):
            kwargs[name] = tuple(item.id if isinstance(item, Resource) else item for item in value)
    return kwargs


def _twice(resource: Resource, there: Resource) -> Mistake:
    first, second = _what(there), _what(resource)
    what = f"as a {second} here and as a {first}" if first != second else "here and"
    return Mistake(resource.where, resource.id, f"is declared twice, {what} at {there.where}; keep one")


def _what(resource: Resource) -> str:
    return type(resource.of if isinstance(resource, _StandIn) else resource).__name__.lower()


@dataclasses.dataclass(frozen=True, slots=True)
class _StandIn(Resource):
    """Takes the place of a declaration with mistakes, so that what depends on it can still be looked at."""

    kind: ClassVar[str] = ""
    of: Resource

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.of.id)
        object.__setattr__(self, "where", self.of.where)


def _hollow(kind: type[R], args: Sequence[object], kwargs: Mapping[str, object]) -> R:
    """What a declaration with mistakes returns: it can be named in depends_on, and holds nothing but its name."""
    resource = object.__new__(kind)
    for field in dataclasses.fields(kind):
        default = field.default if field.default is not dataclasses.MISSING else None
        object.__setattr__(resource, field.name, default)
    name_option = next(iter(describe(kind).options))
    name = args[0] if args else kwargs.get(name_option)
    text = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""
    object.__setattr__(resource, name_option, text)
    object.__setattr__(resource, "id", f"{kind.kind}:{text}")
    return resource


def _caller(depth: int = 1) -> Location:
    """The line of the blueprint that called a method of Run."""
    frame = sys._getframe(depth + 1)
    return Location(frame.f_code.co_filename, frame.f_lineno)
