"""The registry of named blueprints."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Concatenate, TypeAlias, TypeVar

from converge.core.errors import NOWHERE, Location

if TYPE_CHECKING:
    from converge.blueprints.run import Run


BlueprintFunction: TypeAlias = "Callable[Concatenate[Run, ...], None]"


F = TypeVar("F", bound="Callable[Concatenate[Run, ...], None]")


_SHIPPED = os.path.join(os.path.dirname(os.path.dirname(__file__)), "shipped", "")
"""The folder of the blueprints that come with converge."""


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
        """Raises ValueError where another function has the name; the same place may come again (a reload).

        One that comes with converge gives its name up to an owner's.
        """
        there = self._blueprints.get(added.name)
        if there is not None and there.file != added.file and not there.file.startswith(_SHIPPED):
            raise ValueError(f"the blueprint {added.name!r} of {added.file} is declared in {there.file} already")
        self._blueprints[added.name] = added

    def get(self, name: str) -> Blueprint | None:
        return self._blueprints.get(name)

    def name_of(self, function: BlueprintFunction) -> str:
        """Under which a function is registered; its own name where it is not."""
        for name, found in self._blueprints.items():
            if found.function is function:
                return name
        return getattr(function, "__name__", str(function))

    def names(self) -> list[str]:
        return sorted(self._blueprints)

    def snapshot(self) -> dict[str, Blueprint]:
        return dict(self._blueprints)

    def restore(self, snapshot: Mapping[str, Blueprint]) -> None:
        self._blueprints = dict(snapshot)


registry = Registry()


def blueprint(name: str, description: str = "") -> Callable[[F], F]:
    """Give a function a name under which ``converge`` and ``r.include`` find it.

    Its arguments after ``r`` are the parameters of the blueprint, from ``--set`` or ``r.include``.
    """
    if not isinstance(name, str) or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ValueError(f"a blueprint's name is letters, digits, '-', '_' and '.', not {name!r}")

    def register(function: F) -> F:
        text = description or (function.__doc__ or "").strip().partition("\n")[0]
        registry.add(Blueprint(name, text, function, line_of(function).file))
        return function

    return register


def line_of(function: BlueprintFunction) -> Location:
    """Where a blueprint's function is written."""
    import inspect

    code = getattr(inspect.unwrap(function), "__code__", None)
    return Location(code.co_filename, code.co_firstlineno) if code is not None else NOWHERE


def _from_a_package(name: str) -> Blueprint | None:
    load_entry_points(name)
    return registry.get(name)


ENTRY_POINTS = "converge.blueprints"


def load_entry_points(name: str | None = None) -> list[tuple[str, BaseException]]:
    """Import installed packages' blueprints, or the one called ``name``; returns those that failed to import."""
    from importlib.metadata import entry_points

    failed: list[tuple[str, BaseException]] = []
    for point in entry_points(group=ENTRY_POINTS):
        if name is not None and point.name != name:
            continue
        try:
            point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken package is reported, and takes no other with it
            failed.append((point.name, error))
    return failed
