"""Scheduler state of one resource."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

from converge.core.change import IN_SYNC, Changes
from converge.core.condition import Condition
from converge.core.resource import Resource
from converge.engine.events import Status

TaskVerb: TypeAlias = Literal["condition", "check", "apply", "refresh"]
Held: TypeAlias = Literal["", "condition", "failure"]


class Loose(NamedTuple):
    """An automatic edge that only orders; see :mod:`converge.engine.scheduler`."""

    despite_failure: bool
    """Its resource goes on also where the one before it failed."""
    brings: bool
    """What is missing may be what the one before it would bring."""


NO_EDGES: Final[Mapping[Node, Loose]] = MappingProxyType({})


class Verdict(enum.Enum):
    """What the last look at a resource said."""

    UNKNOWN = enum.auto()
    RIGHT = enum.auto()
    PENDING = enum.auto()
    """Differs, and this run does not change it: plan, or noop."""
    FAILED = enum.auto()


class Node:
    """What the scheduler knows about one resource; only the scheduler changes it.

    What most nodes never need stands on the class, so that making 100,000 of them is quick.
    """

    def __init__(self, resource: Resource, tokens: float, now: float) -> None:
        self.resource = resource
        self.deps: list[Node] = []
        self.dependents: list[Node] = []
        self.subscribers: list[Node] = []
        """Those that are refreshed when this one changes."""
        self.pending_refreshes: set[str] = set()
        """Ids whose change calls for a refresh that has not happened yet."""
        self.in_flight_refreshes: set[str] = set()
        """Those of them that what is being done for it will settle."""
        self.condition: Condition | None = resource.condition
        """None once it has opened."""
        self.since = now
        """When it was first marked after its last check began: the drift, if any, was noticed then."""
        self.due = now
        """Not to be started before."""
        self.tokens = tokens
        """Repairs that may still follow each other at once,"""
        self.tokens_at = now
        """as of this time."""

    retired = False
    """Its resource has left the blueprint, or is declared in another way now."""
    dirty = True
    outside = False
    """Whether news from outside made it dirty, rather than the engine's own reasons."""
    queued = False
    """Among those that the scheduler looks at next."""
    running: TaskVerb | None = None
    """What is being done for it off the loop."""
    hung = False
    """Its timed-out call has still not come back; a second one beside it would only pile up."""
    has_token = False
    """The repair that it waits for has had its share of the rate."""
    rate_limited = False
    """Waiting for its rate limit."""
    rate_limited_at = -math.inf
    """When it last had to wait for that."""
    condition_dirty = True
    loose: Mapping[Node, Loose] = NO_EDGES
    """Those of ``deps`` that automatic edges lead to which only order."""
    held: Held = ""
    """Skipped, and why: a condition that does not hold, its own or of what it needs, or a failure."""
    unfollowed = False
    """It was applied or refreshed since its dependents last heard of a change of it."""

    drift: Changes = IN_SYNC
    """Found by a check, to be applied once the dependencies are confirmed."""
    checked = -math.inf
    """When the last check began."""
    verified = False
    """Found right, and not marked since; only the refresh that it owes is left to do."""
    verdict = Verdict.UNKNOWN
    ran = False
    """For what no check can judge: it has been applied in this daemon's life."""

    busy_since: float | None = None
    """Since when its judgement has been put off, again and again."""
    busy_told: float | None = None
    """The beginning of such a time of which somebody was told."""
    refused = ""
    """What the last look said of something that must not be replaced; the next look has to say it too."""
    contested = False
    """Somebody changed it between an apply and the look after it; the next time that is a failure."""
    attempts = 0
    noncompliant = False
    another_try = False
    """An event arrived that is either real drift or an echo of our own failed apply."""
    failing: Changes = IN_SYNC
    """What differed when it last failed, and"""
    error = ""
    """what was said of it."""

    heard_at = -math.inf
    """When news of it last came."""
    right_at = -math.inf
    """When the last look began that found it right."""
    work_began = -math.inf
    """When it was last applied or refreshed, and"""
    work_ended = -math.inf
    """until when."""
    undone_by: Node | None = None
    """Whose apply made for its last drift, and"""
    undone = 0
    """how often in turn the two of them undid each other."""
    feud = False
    """It is left alone as long as it differs in the way in which another one undoes it."""

    reason: str | None = None
    """In plan: after whom it is pending."""
    last_outcome: tuple[Status, str | None, Changes] | None = None
    """Status, reason and changes of the last outcome that observers saw."""

    window_end = -math.inf
    """News before this waits until then."""
    quiet_until = -math.inf
    """News before this may be the echo of our own apply."""
