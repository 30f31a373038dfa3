"""What the scheduler knows about one resource."""

from __future__ import annotations

import enum
import math
from typing import Literal, TypeAlias

from converge.conditions import Condition
from converge.engine.events import Status
from converge.resources.base import IN_SYNC, Resource, State


TaskVerb: TypeAlias = Literal["gate", "check", "apply", "refresh"]


class Verdict(enum.Enum):
    """What the last look at a resource said."""

    UNKNOWN = enum.auto()
    RIGHT = enum.auto()
    PENDING = enum.auto()
    """Differs, and this run does not change it: plan, or noop."""
    FAILED = enum.auto()


class Node:
    """One resource in the loop: dirty, running, not before, gate, last verdict. Only the scheduler changes it."""

    __slots__ = (
        "attempts",
        "checked",
        "dependents",
        "deps",
        "dirty",
        "doing",
        "drift",
        "due",
        "gate",
        "gate_dirty",
        "hung",
        "limited",
        "noncompliant",
        "outside",
        "owed",
        "queued",
        "quiet_until",
        "ran",
        "reason",
        "resource",
        "since",
        "subscribers",
        "told",
        "tokens",
        "tokens_at",
        "verdict",
        "verified",
        "window_end",
    )

    def __init__(self, resource: Resource, burst: float) -> None:
        self.resource = resource
        self.deps: list[Node] = []
        self.dependents: list[Node] = []
        self.subscribers: list[Node] = []
        """Those that are refreshed when this one changes."""

        self.dirty = False
        self.since = 0.0
        """When it was first marked after its last check began: the drift, if any, was noticed then."""
        self.due = 0.0
        """Not to be started before."""
        self.outside = False
        """Whether news from outside made it dirty, rather than the engine's own reasons."""
        self.doing: TaskVerb | None = None
        """What is being done for it off the loop."""
        self.hung = False
        """Its timed-out call has still not come back; a second one beside it would only pile up."""
        self.queued = False
        self.drift: State = IN_SYNC
        """Found by a check, to be applied once the dependencies are confirmed."""
        self.checked = -math.inf
        """When the last check began."""
        self.verified = False
        """Found right, and not marked since; only the refresh that it owes is left to do."""

        self.verdict = Verdict.UNKNOWN
        self.attempts = 0
        self.noncompliant = False
        self.ran = False
        """For what no check can judge: it has been applied in this daemon's life."""
        self.owed: set[str] = set()
        """Ids whose change calls for a refresh that has not happened yet."""
        self.gate: Condition | None = resource.condition
        """None once it has opened."""
        self.gate_dirty = True
        self.reason: str | None = None
        """In plan: after whom it is pending."""
        self.told: tuple[Status, str | None, State] | None = None
        """Status, reason and changes of the last outcome that observers saw."""

        self.window_end = -math.inf
        self.quiet_until = -math.inf
        """News before this may be the echo of our own apply."""
        self.tokens = burst
        self.tokens_at = 0.0
        self.limited = False
        """Waiting for its rate limit."""
