"""Kinds of resources that installed packages bring, through the entry points ``converge.resources``."""

from __future__ import annotations

import dataclasses
import inspect
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from converge.core.errors import ConvergeError
from converge.core.resource import Resource

ENTRY_POINTS = "converge.resources"


class BrokenPlugin(ConvergeError):
    """A package offers a kind that cannot be used. The text names the package."""


class Plugin(NamedTuple):
    """A kind, and the package that brings it, such as ``json-setting 1.0``."""

    kind: type[Resource]
    package: str


def kind_named(name: str) -> type[Resource] | None:
    """The kind that a package offers by this name, for ``r.NAME``. Raises BrokenPlugin."""
    found = _offered().get(name)
    return _loaded(name, found).kind if found else None


def names() -> list[str]:
    """What packages offer, without importing it."""
    return sorted(_offered())


def all_kinds() -> tuple[dict[str, Plugin], list[BrokenPlugin]]:
    """Import all of them; those that cannot be used are told, and the others go on."""
    found: dict[str, Plugin] = {}
    broken: list[BrokenPlugin] = []
    for name, points in sorted(_offered().items()):
        try:
            found[name] = _loaded(name, points)
        except BrokenPlugin as error:
            broken.append(error)
    return found, broken


def owner_of_kind(kind: type[Resource]) -> type:
    """The class that gives the kind its name; several may share it, as files and directories do."""
    return next(base for base in kind.__mro__ if "kind" in vars(base))


def _offered() -> dict[str, list[EntryPoint]]:
    offered: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        offered.setdefault(point.name, []).append(point)
    return offered


def _loaded(name: str, points: list[EntryPoint]) -> Plugin:
    from converge.blueprints.run import Declares, Run

    packages = [_package(point) for point in points]
    if len(points) > 1:
        raise BrokenPlugin(f"the kind {name} is offered by {' and by '.join(packages)}; remove one of them")
    if name in vars(Run):
        whose = "a kind" if isinstance(vars(Run).get(name), Declares) else "a method"
        raise BrokenPlugin(f"the kind {name} of {packages[0]} is called like {whose} of converge; it must be renamed")
    try:
        kind = points[0].load()
    except (Exception, SystemExit) as error:  # a broken package is told, and takes no other with it
        why = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise BrokenPlugin(f"the kind {name} of {packages[0]} cannot be imported: {why}") from error
    if why := why_no_kind(kind):
        raise BrokenPlugin(f"the kind {name} of {packages[0]} {why}")
    return Plugin(kind, packages[0])


def why_no_kind(kind: object) -> str:
    """What is wrong with a class as a kind of resource; "" where nothing is."""
    if not (inspect.isclass(kind) and issubclass(kind, Resource)):
        return f"is no class made from converge.core.resource.Resource, but {kind!r}"
    if "__dataclass_fields__" not in vars(kind):
        return f"is no dataclass: put @dataclass(frozen=True, slots=True) above class {kind.__name__}"
    if not isinstance(getattr(kind, "kind", None), str):
        return 'has no name for its ids: it lacks kind: ClassVar[str] = "…"'
    required = [field for field in dataclasses.fields(kind) if field.init and not field.kw_only]
    return "" if required else "has no field that names it"


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.module
