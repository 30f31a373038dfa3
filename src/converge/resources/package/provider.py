"""Packages, by whichever manager: checking, applying, adopting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converge.core.change import Changes
from converge.core.provider import Provider
from converge.core.resource import Adopted
from converge.resources.package import Package
from converge.resources.package.adopt import adopt_package
from converge.resources.package.check import inspect
from converge.resources.package.managers import this_manager
from converge.resources.package.transaction import carry_out


class Packages(Provider[Package]):
    """Serves :class:`Package`. All of a call have the same manager."""

    @classmethod
    def check_many(cls, resources: Sequence[Package]) -> Iterator[Changes | Exception]:
        return iter(inspect(this_manager(resources[0].manager), resources))

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Package, Changes]]) -> Iterator[Exception | None]:
        return iter(carry_out(this_manager(work[0][0].manager), work))

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        return adopt_package(name)
