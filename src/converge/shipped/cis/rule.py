"""Recommendations of which some can lock an administrator out: these are only kept where the owner says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from converge.blueprints.run import Run
from converge.core.errors import ConvergeError, nearest


class Careful(Protocol):
    """Parameters with the names of what may be done although it can lock somebody out."""

    @property
    def unguarded(self) -> Sequence[str]:
        """Names of guards."""
        ...


Given = TypeVar("Given", bound=Careful)


class Rule(NamedTuple, Generic[Given]):
    """A recommendation for a system whose parameters are ``Given``."""

    section: str
    number: str
    title: str
    why: str
    declarations: tuple[Callable[[Run, Given], None], ...]
    guard: str | None = None
    """The guard that has to be named before it is kept."""
    extra: str = ""
    """Why it is only kept where ``also`` names it, such as ``level 2``."""

    def own_numbers(self, _edition: str) -> Sequence[str]:
        return (self.number,)

    def all_numbers(self) -> Sequence[str]:
        return (self.number,)


def declare(r: Run, wanted: Iterable[Rule[Given]], given: Given, guards: Mapping[str, str]) -> None:
    """Declare these recommendations, but for those whose guard is not named."""
    for name in given.unguarded:
        if name not in guards:
            raise ConvergeError(
                f"unguarded: nothing is guarded as {name!r}{nearest(name, guards)}; see {', '.join(guards)}"
            )
    for each in wanted:
        if each.guard is None or each.guard in given.unguarded:
            with r.because(f"CIS {each.number}: {each.title}. {each.why}"):
                for declaration in each.declarations:
                    declaration(r, given)
