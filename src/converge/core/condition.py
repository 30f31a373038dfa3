"""Conditions: a resource is left alone until its condition first holds.

A condition says whether it holds (:meth:`Condition.met`) and, as data, what would tell that this may have changed
(:meth:`Condition.triggers`). Conditions combine with ``&``, ``|`` and ``~``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from converge.core.platform import ALL, Os
from converge.core.trigger import Trigger


class Condition:
    """Something that holds or does not hold on this machine."""

    __slots__ = ()
    platforms: ClassVar[tuple[Os, ...]] = ALL
    """Where it can be asked for. A blueprint that does so elsewhere is mistaken."""

    def met(self) -> bool:
        """Whether it holds now. Never changes anything; may raise OSError."""
        raise NotImplementedError

    def triggers(self) -> Sequence[Trigger]:
        """What would tell that the answer may be another. Asked for again after each answer, until it holds."""
        raise NotImplementedError

    def singles(self) -> Iterator[Condition]:
        """The conditions that this one is made of, or itself."""
        yield self

    def __and__(self, other: Condition) -> Condition:
        return All((self, other))

    def __or__(self, other: Condition) -> Condition:
        return AnyOf((self, other))

    def __invert__(self) -> Condition:
        return Not(self)


@dataclass(frozen=True, slots=True)
class All(Condition):
    """Each of several holds."""

    parts: tuple[Condition, ...]

    def met(self) -> bool:
        return all(part.met() for part in self.parts)

    def triggers(self) -> Sequence[Trigger]:
        return [trigger for part in self.parts for trigger in part.triggers()]

    def singles(self) -> Iterator[Condition]:
        return (single for part in self.parts for single in part.singles())

    def __str__(self) -> str:
        return "(" + " & ".join(map(str, self.parts)) + ")"


@dataclass(frozen=True, slots=True)
class AnyOf(Condition):
    """One of several holds."""

    parts: tuple[Condition, ...]

    def met(self) -> bool:
        return any(part.met() for part in self.parts)

    def triggers(self) -> Sequence[Trigger]:
        return [trigger for part in self.parts for trigger in part.triggers()]

    def singles(self) -> Iterator[Condition]:
        return (single for part in self.parts for single in part.singles())

    def __str__(self) -> str:
        return "(" + " | ".join(map(str, self.parts)) + ")"


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """Another does not hold."""

    part: Condition

    def met(self) -> bool:
        return not self.part.met()

    def triggers(self) -> Sequence[Trigger]:
        return self.part.triggers()

    def singles(self) -> Iterator[Condition]:
        return self.part.singles()

    def __str__(self) -> str:
        return f"~{self.part}"
