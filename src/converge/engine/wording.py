"""Words for what went wrong, for a person."""

from __future__ import annotations

from converge.fserrors import describe
from converge.resources.base import Change, Resource, ResourceError, State


def in_words(error: Exception) -> str:
    """One sentence. What is neither ours nor the operating system's is a bug and says so, with its type."""
    if isinstance(error, ResourceError):
        return str(error)
    if isinstance(error, OSError):
        return describe(error)
    return f"unexpected {type(error).__name__}: {error}"


def still_differs(left: State) -> str:
    """What the check after an apply found."""
    return "did not converge: " + "; ".join(map(_still, left))


def _still(change: Change) -> str:
    if change.action == "run":
        return "the command ran, but its guard still does not hold"
    return f"{change.property} is {change.from_ or 'missing'}, not {change.to or 'absent'}"


def undo_each_other(one: Resource, other: Resource) -> str:
    """Two resources of which only one can be right."""
    return f"{one.id} ({one.where}) and {other.id} ({other.where}) undo each other; one of them has to go"
