"""Providers: what reads and changes the machine on behalf of a resource kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from converge.core.change import Changes
    from converge.core.resource import Adopted, Resource

R = TypeVar("R", bound="Resource")


class Provider(Generic[R]):
    """Serves one kind on one system. Its methods are those of :class:`Resource` that touch the machine.

    Implement ``check`` or ``check_many``, and ``apply`` or ``apply_many``.
    """

    @classmethod
    def check(cls, resource: R) -> Changes:
        """Compare with the live machine. Raises ResourceError or OSError where that cannot be told."""
        raise NotImplementedError

    @classmethod
    def check_many(cls, resources: Sequence[R]) -> Iterator[Changes | Exception]:
        """Check several; yields one result for each, in their order."""
        return check_each(cls.check, resources)

    @classmethod
    def apply(cls, resource: R, state: Changes) -> None:
        """Put right what ``state`` says. Raises ResourceError or OSError."""
        raise NotImplementedError

    @classmethod
    def apply_many(cls, work: Sequence[tuple[R, Changes]]) -> Iterator[Exception | None]:
        """Apply several; yields one result for each, in their order."""
        return apply_each(cls.apply, work)

    @classmethod
    def refresh(cls, resource: R, causes: Sequence[str]) -> None:
        """React to the change of what the resource is refreshed by."""
        raise NotImplementedError

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        """Declare what is on this machine by this name."""
        raise NotImplementedError

    @classmethod
    def tidy_many(cls, resources: Sequence[R]) -> None:
        """Remove what an interrupted run of ours may have left behind."""


def check_each(check: Callable[[R], Changes], resources: Sequence[R]) -> Iterator[Changes | Exception]:
    """Check one after the other; what one raises is its result."""
    for resource in resources:
        try:
            yield check(resource)
        except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
            yield error


def apply_each(apply: Callable[[R, Changes], None], work: Sequence[tuple[R, Changes]]) -> Iterator[Exception | None]:
    """Apply one after the other; what one raises is its result."""
    for resource, state in work:
        try:
            apply(resource, state)
            yield None
        except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
            yield error


@cache
def load(place: str) -> Any:  # Any: whatever is there
    """What is at ``module:name``, imported when it is first needed."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
