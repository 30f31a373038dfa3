"""Turns outcomes into events, omitting those that repeat what is known."""

from __future__ import annotations

from collections.abc import Iterable

from converge.core.change import IN_SYNC, Changes
from converge.core.errors import Places
from converge.engine.events import Event, Notice, Outcome, Status
from converge.engine.node import Node


class EventRecorder:
    """Collects events for whoever drives the scheduler."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._untold: set[Node] = set()

    def begin(self, nodes: Iterable[Node]) -> None:
        """From now on these are the nodes; each has a first outcome to come, or has had it."""
        self._untold = {node for node in nodes if node.last_outcome is None}

    def untold(self) -> set[Node]:
        """Those without an outcome so far; empty once the first convergence is done."""
        return self._untold

    def take(self) -> list[Event]:
        """What was told since the last time."""
        events, self._events = self._events, []
        return events

    def tell_waiting(self, node: Node, why: str) -> None:
        """Say what a resource waits for, which is no outcome."""
        self._events.append(Notice("info", f"waits: {why}", node.resource.id))

    def tell_limited(self, node: Node, wait: float, rate: float) -> None:
        """Say that a resource drifts faster than it may be repaired."""
        text = f"drifts faster than it may be repaired, which is once in {1 / rate:.3g} s; the next repair is in "
        self._events.append(Notice("warning", f"{text}{max(1, round(wait))} s", node.resource.id))

    def tell(
        self,
        node: Node,
        status: Status,
        state: Changes = IN_SYNC,
        took: float = 0.0,
        *,
        error: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Append an outcome, unless it would only repeat the last."""
        if node.last_outcome is None:
            self._untold.discard(node)
        elif _says_nothing_new(node.last_outcome, status, reason, state):
            return
        node.last_outcome = (status, reason, state if status == "pending" else IN_SYNC)
        resource = node.resource
        told = Outcome(resource.id, resource.kind, status, state, took, error, reason, noncompliant=node.noncompliant)
        if status != "ok":
            place = resource.where
            told = told._replace(
                where=f"{place.file}:{place.line}",
                why=resource.why or "",
                noop=status == "pending" and resource.noop,
                also_at=place.others if isinstance(place, Places) else (),
            )
        self._events.append(told)


def _says_nothing_new(
    told: tuple[Status, str | None, Changes], status: Status, reason: str | None, state: Changes
) -> bool:
    if status == "ok":
        return told[0] in ("ok", "changed")
    if status == "skipped":
        return told[:2] == (status, reason)
    return status == "pending" and told == (status, reason, state)
