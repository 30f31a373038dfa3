"""Which recommendations are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from converge.errors import ConvergeError, nearest


class Recommendation(Protocol):
    """What can be chosen."""

    @property
    def section(self) -> str:
        """The part of a benchmark that it belongs to."""
        ...

    def all_numbers(self) -> Iterable[str]:
        """Its numbers, in whatever edition."""
        ...


R = TypeVar("R", bound=Recommendation)


def chosen(everything: Sequence[R], sections: Sequence[str], skip: Sequence[str], blueprint: str = "cis") -> list[R]:
    """Those of these sections that are not to be skipped. Raises ConvergeError for what is called like none."""
    known = dict.fromkeys(each.section for each in everything)
    for name in sections:
        if name not in known:
            raise ConvergeError(
                f"sections: {blueprint} has no section {name!r}{nearest(name, known)}; it has {', '.join(known)}"
            )
    for name in skip:
        if not any(_is_called(each, name) for each in everything):
            names = [*known, *(number for each in everything for number in each.all_numbers())]
            raise ConvergeError(
                f"skip: nothing in {blueprint} is called {name!r}{nearest(name, names)}; its sections are "
                f"{', '.join(known)}"
            )
    wanted = [each for each in everything if not sections or each.section in sections]
    return [each for each in wanted if not any(_is_called(each, name) for name in skip)]


def _is_called(each: Recommendation, name: str) -> bool:
    """Whether this is its section, or one of its numbers or the beginning of one."""
    return name == each.section or any(f"{number}.".startswith(f"{name}.") for number in each.all_numbers())
