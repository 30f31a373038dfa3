"""Which recommendations are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from converge.core.errors import BadValue, nearest


class Named(Protocol):
    """What can be left out by a name."""

    @property
    def section(self) -> str:
        """The part of a blueprint that it belongs to."""
        ...

    def all_numbers(self) -> Iterable[str]:
        """Its numbers, in whatever edition, or its name."""
        ...


class Recommendation(Named, Protocol):
    """What can be chosen."""

    @property
    def extra(self) -> str:
        """Why it is kept only where it is named, such as ``level 2``; empty for all others."""
        ...

    def own_numbers(self, edition: str) -> Iterable[str]:
        """Its numbers in one edition."""
        ...


N = TypeVar("N", bound=Named)
R = TypeVar("R", bound=Recommendation)


def chosen(
    everything: Sequence[R], sections: Sequence[str], skip: Sequence[str], also: Sequence[str] = (), edition: str = ""
) -> list[R]:
    """Those of these sections that are not to be skipped. Raises BadValue for what is called like none.

    What is ``extra`` is kept only where ``also`` names it, or ``sections`` names a section that has nothing else.
    """
    known = dict.fromkeys(each.section for each in everything)
    for name in sections:
        if name not in known:
            raise BadValue("sections", f"cis has no section {name!r}{nearest(name, known)}; it has {', '.join(known)}")

    def own(each: R) -> Iterable[str]:
        return each.own_numbers(edition)

    plain = {each.section for each in everything if not each.extra}
    added = [id(each) for each in _called(everything, also, "also", "cis", own)]
    left_out = [id(each) for each in _called(everything, skip, "skip", "cis", own)]

    def wanted(each: R) -> bool:
        if sections and each.section not in sections:
            return False
        return not each.extra or id(each) in added or bool(sections and each.section not in plain)

    return [each for each in everything if wanted(each) and id(each) not in left_out]


def without(everything: Sequence[N], skip: Sequence[str], blueprint: str) -> list[N]:
    """All but those that are to be skipped. Raises BadValue for what is called like none."""
    left_out = [id(each) for each in _called(everything, skip, "skip", blueprint, lambda each: each.all_numbers())]
    return [each for each in everything if id(each) not in left_out]


def _called(
    everything: Sequence[N], names: Sequence[str], parameter: str, blueprint: str, own: Callable[[N], Iterable[str]]
) -> list[N]:
    """What is called by one of these names: first by the numbers of one's own edition, else by those of another."""
    found: list[N] = []
    for name in names:
        fitting = [each for each in everything if _is_called(each.section, own(each), name)]
        fitting = fitting or [each for each in everything if _is_called(each.section, each.all_numbers(), name)]
        if not fitting:
            sections = dict.fromkeys(each.section for each in everything)
            known = [*sections, *(number for each in everything for number in each.all_numbers())]
            raise BadValue(
                parameter,
                f"nothing in {blueprint} is called {name!r}{nearest(name, known)}; its sections are "
                f"{', '.join(sections)}",
            )
        found += fitting
    return found


def _is_called(section: str, numbers: Iterable[str], name: str) -> bool:
    """Whether this is the section, or one of the numbers or the beginning of one."""
    return name == section or any(f"{number}.".startswith(f"{name}.") for number in numbers)
