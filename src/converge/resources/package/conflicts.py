"""Declared packages that cannot be as declared together: no transaction takes one away to bring another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from converge.core.errors import ResourceError
from converge.core.resource import Resource
from converge.resources.package.manager import Manager, Step

if TYPE_CHECKING:
    from converge.resources.package import Package

T = TypeVar("T")
Fails: TypeAlias = Callable[[Sequence[T]], bool]


class Conflict(ResourceError):
    """Two declarations exclude each other, as the package manager has it."""


@dataclass(frozen=True, slots=True)
class Declared:
    """All packages of a blueprint. Two are equal where they say the same, whatever is declared where."""

    said: int
    packages: Mapping[str, Package] = field(compare=False, repr=False)

    def clashes(self, manager: Manager, package: Package, steps: Iterable[Step], named: set[str]) -> Iterator[Package]:
        """The declared packages, other than those that it is about, that a transaction would make wrong."""
        for step in steps:
            other = self.packages.get(step.name)
            if other is None or other.manager != package.manager or step.name in named:
                continue
            if _makes_wrong(manager, other, step):
                yield other


def _package(resource: Resource) -> Package | None:
    return cast("Package", resource) if resource.kind == "package" else None


def _makes_wrong(manager: Manager, other: Package, step: Step) -> bool:
    if other.is_removal():
        return step.after is not None
    if step.after is None:
        return True
    return other.version is not None and step.before is not None and not manager.fits(step.after, other.version)


def declared_packages(resources: Mapping[str, Resource]) -> Declared:
    """Those of a blueprint."""
    found = {each.name: each for each in map(_package, resources.values()) if each is not None}
    return Declared(hash(tuple((each.name, each.state, each.version, each.manager) for each in found.values())), found)


def conflict(
    manager: Manager, packages: Sequence[Package], others: Sequence[Package], steps: Iterable[Step]
) -> Conflict:
    """What is said where what these packages need makes others wrong."""
    wrong = {other.name for other in others}
    done = ", ".join(_in_words(step) for step in steps if step.name in wrong)
    return Conflict(f"{_named(packages)} and {_named(others)} cannot both be as declared: {manager.name} would {done}")


def exclude(packages: Sequence[Package], error: Exception) -> Conflict:
    """What is said where the manager refuses these packages together, and takes each without the others."""
    return Conflict(f"{_named(packages)} cannot be installed together: {error}")


def culprits(left: Sequence[T], right: Sequence[T], fails: Fails[T]) -> list[T]:
    """The few of both that fail together, where neither half fails alone."""
    left = _fewest(left, lambda part: fails([*part, *right]))
    return [*left, *_fewest(right, lambda part: fails([*left, *part]))]


def _fewest(items: Sequence[T], fails: Fails[T]) -> Sequence[T]:
    while len(items) > 1:
        half = len(items) // 2
        part = next((part for part in (items[:half], items[half:]) if fails(part)), None)
        if part is None:
            break
        items = part
    return items


def _named(packages: Sequence[Package]) -> str:
    return " and ".join(f"{package.id} ({package.where})" if package.where.line else package.id for package in packages)


def _in_words(step: Step) -> str:
    if step.after is None:
        return f"remove {step.name} {step.before or ''}".rstrip()
    return f"install {step.name} {step.after}"
