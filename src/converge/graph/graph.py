"""The dependency graph of a blueprint: edges, their rules, and cycles."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import rustworkx

from converge.core.errors import NOWHERE, Mistake, Mistakes, nearest
from converge.core.ownership import removed_but_owned
from converge.core.resource import Resource
from converge.graph.autoedges import BY_NAME, IN_PACKAGE, automatic_edges, only_orders

DECLARED = "depends_on"
_KINDS_ELSEWHERE = {"auditpol": "auditpolicy", "secpol": "securitypolicy"}
"""What the Go tool of this name calls them in its ids."""
REFRESH = "refresh"


class Edge(NamedTuple):
    """``before`` must be in its desired state before ``after`` starts. Both are positions in the declared order."""

    before: int
    after: int
    rule: str
    foreign: bool = False
    """``before`` comes from an included blueprint, and ``after`` is declared by the one that is served."""

    @property
    def only_orders(self) -> bool:
        """Whether ``after`` may go on without ``before``; the scheduler says when."""
        return self.rule not in (DECLARED, REFRESH) and only_orders(self.rule)


__all__ = ["BY_NAME", "DECLARED", "IN_PACKAGE", "REFRESH", "Edge", "Graph", "as_ids", "build_graph"]

_Digraph: TypeAlias = "rustworkx.PyDiGraph[int, None]"


@dataclass(frozen=True, slots=True)
class Graph:
    """Resources in declared order and the edges between them; has no cycle."""

    resources: tuple[Resource, ...]
    edges: tuple[Edge, ...]
    warnings: tuple[str, ...]
    digraph: _Digraph
    included: frozenset[str] = frozenset()
    """The ids of those that come from included blueprints."""

    def order(self) -> list[Resource]:
        """Every resource after all that it depends on."""
        return [self.resources[index] for index in rustworkx.topological_sort(self.digraph)]

    def layers(self) -> list[list[Resource]]:
        """Resources that could run side by side, for people to look at; the engine has no layers."""
        return [
            [self.resources[index] for index in sorted(layer)]
            for layer in rustworkx.topological_generations(self.digraph)
        ]


def build_graph(resources: Sequence[Resource], included: Collection[str] = (), warnings: Iterable[str] = ()) -> Graph:
    """Resolve the edges. Raises Mistakes with all that is wrong: unknown dependencies, cycles.

    ``included`` has the ids of those that come from included blueprints; ``warnings`` are handed on.
    """
    index = {resource.id: position for position, resource in enumerate(resources)}
    mistakes: list[Mistake] = list(_claimed_twice(resources))
    edges = list(_declared_edges(resources, index, mistakes))
    declared = {(edge.before, edge.after) for edge in edges}
    found = automatic_edges(resources, index, mistakes)
    automatic = [
        Edge(before, after, rule, resources[before].id in included and resources[after].id not in included)
        for before, after, rule in found
        if (before, after) not in declared
    ]
    known = {mistake.id for mistake in mistakes}
    mistakes += [mistake for mistake in removed_but_owned(resources) if mistake.id not in known]
    if mistakes:
        raise Mistakes(mistakes)
    digraph = _digraph(len(resources), [*edges, *automatic])
    left_out: list[Edge] = []
    if not rustworkx.is_directed_acyclic_graph(digraph):
        digraph = _digraph(len(resources), edges)
        _refuse_cycle(digraph, resources)
        left_out = _add_what_fits(digraph, automatic)
        automatic = [edge for edge in automatic if edge not in set(left_out)]
    circles = (
        f"{resources[edge.after].id} would come after {resources[edge.before].id} ({edge.rule}), "
        "but that closes a cycle; the automatic edge is left out"
        for edge in left_out
    )
    return Graph(tuple(resources), (*edges, *automatic), (*warnings, *circles), digraph, frozenset(included))


def _claimed_twice(resources: Sequence[Resource]) -> Iterator[Mistake]:
    owners: dict[str, Resource] = {}
    for resource in resources:
        for claim in resource.claims():
            first = owners.setdefault(claim, resource)
            if first is not resource:
                text = f"{claim} is declared by {first.id} ({first.where}) already; only one can have it"
                yield Mistake(resource.where, resource.id, text)


def _declared_edges(resources: Sequence[Resource], index: dict[str, int], mistakes: list[Mistake]) -> Iterator[Edge]:
    for after, resource in enumerate(resources):
        if not resource.depends_on and not resource.refreshed_by():
            continue
        for rule, wanted in ((DECLARED, as_ids(resource.depends_on)), (REFRESH, as_ids(resource.refreshed_by()))):
            for needed in wanted:
                before = index.get(needed)
                if before is None:
                    hint = _nearest_id(needed, index.keys() - {resource.id})
                    option = rule if rule == DECLARED else _reacting_option(resource, needed)
                    text = f"{option} names {needed}, which is not declared{hint}"
                    mistakes.append(Mistake(resource.where, resource.id, text))
                else:
                    yield Edge(before, after, rule)


def _reacting_option(resource: Resource, needed: str) -> str:
    """The option that names what calls for a refresh, as its owner wrote it; a kind may have several."""
    for field in dataclasses.fields(resource):
        value = getattr(resource, field.name)
        if field.name != DECLARED and (value == needed or (isinstance(value, list | tuple) and needed in value)):
            return field.name
    return REFRESH


def _nearest_id(needed: str, ids: Collection[str]) -> str:
    """Compares names of one kind: ids are alike by their kind alone."""
    kind, _, name = needed.partition(":")
    if kind in _KINDS_ELSEWHERE:
        # There, a policy's id has its category before its name.
        name = name.rpartition(":")[2] if kind == "secpol" else name
        return f"; here it is {_KINDS_ELSEWHERE[kind]}:{name}"
    names = {id.partition(":")[2]: id for id in ids if id.startswith(f"{kind}:")}
    return nearest(name, names, shown=names.__getitem__) if names else nearest(needed, ids)


def as_ids(wanted: Resource | str | Sequence[Resource | str]) -> Iterable[str]:
    """The ids that an option such as ``depends_on`` names."""
    if isinstance(wanted, str):
        return (wanted,)
    if isinstance(wanted, Resource):
        return (wanted.id,)
    return [entry if isinstance(entry, str) else entry.id for entry in wanted]


def _refuse_cycle(digraph: _Digraph, resources: Sequence[Resource]) -> None:
    if rustworkx.is_directed_acyclic_graph(digraph):
        return
    cycle = [resources[before] for before, _ in rustworkx.digraph_find_cycle(digraph)]
    # An edge runs from what is needed to who needs it; a person reads it the other way round.
    cycle.reverse()
    lines = [
        f"  {member.id} ({member.where}) depends on {cycle[(place + 1) % len(cycle)].id}"
        for place, member in enumerate(cycle)
    ]
    where = cycle[0].where if cycle else NOWHERE
    raise Mistakes([Mistake(where, cycle[0].id, "these depend on each other in a cycle:\n" + "\n".join(lines))])


def _digraph(size: int, edges: Sequence[Edge]) -> _Digraph:
    digraph: _Digraph = rustworkx.PyDiGraph()
    digraph.add_nodes_from(range(size))
    digraph.add_edges_from_no_data([(edge.before, edge.after) for edge in edges])
    return digraph


def _add_what_fits(digraph: _Digraph, edges: Sequence[Edge]) -> list[Edge]:
    """Add edges one by one; returns those that would have closed a cycle."""
    digraph.check_cycle = True
    left_out: list[Edge] = []
    for edge in edges:
        try:
            digraph.add_edge(edge.before, edge.after, None)
        except rustworkx.DAGWouldCycle:
            left_out.append(edge)
    return left_out
