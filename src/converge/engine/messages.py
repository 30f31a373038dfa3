"""Error messages for people."""

from __future__ import annotations

from collections.abc import Sequence

from converge.core.change import Change, Changes, Verb
from converge.core.errors import ResourceError
from converge.core.resource import Resource
from converge.host.fs.os_errors import describe_os_error

_NAMED = 20
"""Resources of one call that are named."""


def describe(error: Exception) -> str:
    """One sentence. What is neither ours nor the operating system's is a bug and says so, with its type."""
    if isinstance(error, ResourceError):
        return str(error)
    if isinstance(error, OSError):
        return describe_os_error(error)
    return f"unexpected {type(error).__name__}: {error}"


def still_differs(left: Changes) -> str:
    """What the check after an apply found."""
    return "did not converge: " + "; ".join(map(_still, left))


def call_in_words(verb: str, work: Sequence[tuple[Resource, Changes]]) -> str:
    """What a call does, as in ``apt-get install nginx, curl`` or ``checking file:/srv/data``."""
    verb_of_kind: Verb = "apply" if verb == "apply" else "check"
    kind = type(work[0][0])
    own = kind.call_in_words(verb_of_kind, work[:_NAMED]) if verb in ("apply", "check") else None
    doing = {"apply": "", "check": "checking ", "refresh": "refreshing ", "condition": "asking for the condition of "}[
        verb
    ]
    text = own or doing + ", ".join(resource.id for resource, _ in work[:_NAMED])
    return text if len(work) <= _NAMED else f"{text} and {len(work) - _NAMED} more"


def _still(change: Change) -> str:
    if change.action == "run":
        return "the command ran, but its guard still does not hold"
    return f"{change.property} is {change.from_ or 'missing'}, not {change.to or 'absent'}"


def undo_each_other(one: Resource, other: Resource) -> str:
    """Two resources of which only one can be right."""
    return f"{one.id} ({one.where}) and {other.id} ({other.where}) undo each other; one of them has to go"
