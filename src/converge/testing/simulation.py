"""A simulated convergence: converge's own scheduler, on resources of which we say what state they are in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from converge.core.change import Action, Change
from converge.core.resource import Resource
from converge.graph.graph import Graph

Start: TypeAlias = Literal["right", "wrong", "missing"]

_PARENT = "parent directory"
"""The rule of edges from a directory to what is in it."""


class Step(NamedTuple):
    """Something that was done to one resource."""

    id: str
    action: Action


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened, in the order in which it ended. What does not depend on each other may come in any order."""

    steps: tuple[Step, ...]
    failed: tuple[str, ...]
    """Whose apply failed."""
    skipped: Mapping[str, str]
    """What was left alone, and why."""
    pending: tuple[str, ...]
    """What differs and is only looked at (``noop``)."""

    @property
    def applied(self) -> list[str]:
        """The ids of what was put right or run, refreshes excluded."""
        return [step.id for step in self.steps if step.action != "refresh"]

    @property
    def refreshed(self) -> list[str]:
        """The ids of what reacted to a change."""
        return [step.id for step in self.steps if step.action == "refresh"]

    def in_order(self, *ids: str) -> bool:
        """Whether each of these was changed, refreshed or run, one after the other."""
        done = [step.id for step in self.steps]
        places = [done.index(id) if id in done else -1 for id in ids]
        return -1 not in places and places == sorted(places)


def simulate(graph: Graph, start: Mapping[str, Start], rest: Start, failing: Collection[str]) -> Trial:
    """See :meth:`converge.testing.Site.simulate`. Raises ValueError for a state that cannot be."""
    from converge.engine.settings import Settings
    from converge.testing.simulator import Simulator

    conditions = _conditions(graph, start, rest)
    actions = {each.id: _action(each, conditions[each.id]) for each in graph.resources}
    simulator = Simulator(graph.resources, wrong=False, settings=Settings(max_retries=0), included=graph.included)
    for id, action in actions.items():
        # What is missing or ended is brought to its whole state, which leaves nothing to a refresh; see Service.
        simulator.drifts[id] = (Change("state", None, "right", action),)
    simulator.world.wrong |= {id for id, condition in conditions.items() if condition != "right"}
    simulator.world.failing |= set(failing)
    simulator.run()
    steps: list[Step] = []
    for deed in simulator.deeds:
        if deed.verb in ("apply", "refresh") and not isinstance(deed.found, Exception):
            steps.append(Step(deed.id, "refresh" if deed.verb == "refresh" else actions[deed.id]))
    told = {id: node.last_outcome for id, node in simulator.scheduler.nodes.items() if node.last_outcome is not None}
    return Trial(
        tuple(steps),
        tuple(id for id, (status, _, _) in told.items() if status == "failed"),
        {id: why or "" for id, (status, why, _) in told.items() if status == "skipped"},
        tuple(id for id, (status, _, _) in told.items() if status == "pending"),
    )


def _action(resource: Resource, condition: Start) -> Action:
    if resource.kind == "exec":
        return "run"
    if resource.is_removal():
        return "remove"
    return "create" if condition == "missing" else "update"


def _conditions(graph: Graph, start: Mapping[str, Start], rest: Start) -> dict[str, Start]:
    """The state of each resource. What is in a missing directory is missing too."""
    parents = {edge.after: edge.before for edge in graph.edges if edge.rule == _PARENT}
    places = {resource.id: place for place, resource in enumerate(graph.resources)}
    found: dict[str, Start] = {}
    for resource in graph.order():
        said = start.get(resource.id)
        parent = parents.get(places[resource.id])
        above = graph.resources[parent] if parent is not None else None
        gone = above is not None and found[above.id] == "missing" and resource.kind == above.kind
        found[resource.id] = _condition(resource, said, rest, above if gone else None)
    return found


def _condition(resource: Resource, said: Start | None, rest: Start, gone: Resource | None) -> Start:
    """Its state. ``gone`` is the missing directory that it is in."""
    if said not in (None, "right", "wrong", "missing"):
        raise ValueError(f"the state of {resource.id} is right, wrong or missing, not {said!r}")
    if resource.kind == "exec" and resource.refreshed_by():
        if said in ("wrong", "missing"):
            raise ValueError(f"{resource.id} has no state of its own: it runs when what it names in only_on changed")
        return "right"
    if resource.is_removal():
        if said == "missing":
            return "right"
        if gone is not None and said == "wrong":
            raise ValueError(f"{resource.id} cannot be there: {gone.id}, which it is in, is missing")
        return "right" if gone is not None else _there(said or rest)
    if gone is not None:
        if said in ("right", "wrong"):
            raise ValueError(f"{resource.id} cannot be {said}: {gone.id}, which it is in, is missing")
        return "missing"
    if said is None and resource.runs_once():
        return "wrong"  # it runs at each start
    return said or rest


def _there(condition: Start) -> Start:
    return "right" if condition == "missing" else condition
