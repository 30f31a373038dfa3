"""Renders the graph as text, JSON or Graphviz DOT."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from converge.core.resource import Resource
from converge.core.urls import hide_credentials
from converge.graph.graph import DECLARED, REFRESH, Edge, Graph

_DECLARED = (DECLARED, REFRESH)
_SHOWN = 6
"""Members of a group that are named once more; all of them are marked where they stand."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What there is to draw. Resources are told by their positions in the declared order."""

    name: str
    graph: Graph
    layers: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]
    """Those of a layer that go into one apply where they are ready together."""


def draw(name: str, graph: Graph) -> Drawing:
    """Find out layers and groups."""
    position = {resource.id: place for place, resource in enumerate(graph.resources)}
    layers = tuple(tuple(position[resource.id] for resource in layer) for layer in graph.layers())
    return Drawing(name, graph, layers, tuple(group for layer in layers for group in _groups(graph, layer)))


def _groups(graph: Graph, layer: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    together: dict[Hashable, list[int]] = {}
    for place in layer:
        resource = graph.resources[place]
        key = resource.group_key("apply") if resource.auto_group and not resource.noop else None
        if key is not None:
            together.setdefault((type(resource), key), []).append(place)
    return (tuple(group) for group in together.values() if len(group) > 1)


# --- text ------------------------------------------------------------------------------------------------


def as_text(drawing: Drawing) -> Iterator[str]:
    """Lines: each layer with its resources, and below each what it waits for, and why."""
    graph = drawing.graph
    needed: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        needed.setdefault(edge.after, []).append(edge)
    marks = _group_names(drawing)
    yield _heading(drawing)
    for number, layer in enumerate(drawing.layers, 1):
        yield ""
        yield f"layer {number}"
        for place in layer:
            resource = graph.resources[place]
            mark = f"  [{marks[place]}]" if place in marks else ""
            yield f"  {resource.id}{_traits(resource)}{mark}"
            edges = needed.get(place, [])
            width = max((len(graph.resources[edge.before].id) for edge in edges), default=0)
            for edge in edges:
                yield f"    after {graph.resources[edge.before].id:<{min(width, 60)}}  {edge.rule}"
    if drawing.groups:
        yield ""
        yield "groups, each of which is applied in one go where its members are ready together"
        for group in drawing.groups:
            more = f" and {len(group) - _SHOWN} more" if len(group) > _SHOWN else ""
            yield f"  {marks[group[0]]}: " + ", ".join(graph.resources[place].id for place in group[:_SHOWN]) + more
    for warning in graph.warnings:
        yield ""
        yield f"left out: {warning}"


def _heading(drawing: Drawing) -> str:
    edges = drawing.graph.edges
    declared = sum(edge.rule in _DECLARED for edge in edges)
    counts = [
        _count(len(drawing.graph.resources), "resource"),
        _count(len(drawing.layers), "layer"),
        f"{_count(len(edges), 'edge')} ({declared} declared, {len(edges) - declared} automatic)",
    ]
    return f"{drawing.name}: {', '.join(counts)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _group_names(drawing: Drawing) -> dict[int, str]:
    return {place: f"group {number}" for number, group in enumerate(drawing.groups, 1) for place in group}


def _traits(resource: Resource) -> str:
    """What matters for the order and is seen nowhere else."""
    found = [word for word, holds in (("absent", resource.is_removal()), ("noop", resource.noop)) if holds]
    if resource.condition is not None:
        found.append(f"once {resource.condition} holds")
    return f"  ({', '.join(found)})" if found else ""


# --- JSON ------------------------------------------------------------------------------------------------


def as_json(drawing: Drawing) -> dict[str, object]:
    """For programs. ``layer`` counts from 1; ``group`` is there for members of one."""
    graph = drawing.graph
    group = {place: number for number, members in enumerate(drawing.groups, 1) for place in members}
    resources: list[dict[str, object]] = []
    for number, layer in enumerate(drawing.layers, 1):
        for place in layer:
            each = graph.resources[place]
            found = {"id": each.id, "layer": number, "file": each.where.file, "line": each.where.line}
            resources.append(found | ({"group": group[place]} if place in group else {}))
    edges = [
        {"before": graph.resources[edge.before].id, "after": graph.resources[edge.after].id, "rule": edge.rule}
        for edge in graph.edges
    ]
    found_all: dict[str, object] = {"blueprint": drawing.name, "resources": resources, "edges": edges}
    return found_all | ({"warnings": list(graph.warnings)} if graph.warnings else {})


# --- DOT -------------------------------------------------------------------------------------------------


def as_dot(drawing: Drawing) -> Iterator[str]:
    """Lines of a DOT file. Declared edges are solid, refreshes bold, automatic ones dashed; a layer is a rank."""
    graph = drawing.graph
    marks = _group_names(drawing)
    yield f"digraph {_quoted(drawing.name)} {{"
    yield "  graph [rankdir=LR];"
    yield '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="sans-serif", fontsize=11];'
    yield '  edge [fontname="sans-serif", fontsize=9];'
    for number, layer in enumerate(drawing.layers, 1):
        yield f"  subgraph {_quoted(f'layer {number}')} {{"
        yield "    graph [rank=same];"
        for place in layer:
            resource = graph.resources[place]
            label = resource.id + _traits(resource)
            tip = f"layer {number}, {resource.where}"
            shown = {"label": label, "tooltip": tip}
            if place in marks:
                shown |= {"label": f"{label}\n{marks[place]}", "fillcolor": "lightgrey"}
            yield f"    n{place} [{_attributes(shown)}];"
        yield "  }"
    for edge in graph.edges:
        style = {DECLARED: "solid", REFRESH: "bold"}.get(edge.rule, "dashed")
        yield f"  n{edge.before} -> n{edge.after} [{_attributes({'label': edge.rule, 'style': style})}];"
    yield "}"


def _attributes(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={_quoted(value)}" for name, value in values.items())


def _quoted(text: str) -> str:
    """As a DOT string. In labels a backslash begins an escape, so it is doubled."""
    safe = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in hide_credentials(text))
    safe = safe.encode("utf-8", "replace").decode()
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
