"""Changes: how a resource differs from its declaration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Action: TypeAlias = Literal["create", "update", "remove", "run", "refresh", "unknown"]


Verb: TypeAlias = Literal["check", "apply"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is and what is wanted, in words for a person.

    ``from_`` and ``to`` are None where there is nothing on that side. The action ``unknown`` marks what
    could not be read. ``diff`` makes the text of a content diff; it is only called by those who show it.
    """

    property: str
    from_: str | None
    to: str | None
    action: Action = "update"
    diff: Callable[[], str] | None = field(default=None, compare=False, repr=False)


Changes: TypeAlias = tuple[Change, ...]
"""All that differs. Empty means in sync."""


IN_SYNC: Changes = ()
