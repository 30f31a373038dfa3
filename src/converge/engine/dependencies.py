"""Ancestors of a node in the dependency graph, and their state."""

from __future__ import annotations

from collections.abc import Iterator

from converge.engine.node import Node, Verdict


def goes_without(node: Node, dep: Node) -> bool:
    """Whether ``node`` does not wait for ``dep`` now, as an automatic edge between them only orders."""
    edge = node.loose.get(dep)
    if edge is None:
        return False
    return dep.held == "condition" or (edge.despite_failure and (dep.held != "" or dep.verdict is Verdict.FAILED))


def missed(node: Node) -> Node | None:
    """What ``node`` goes without, and that would bring what turned out to be missing."""
    return next((dep for dep, edge in node.loose.items() if edge.brings and goes_without(node, dep)), None)


def ancestors(node: Node) -> Iterator[Node]:
    """All that a node waits for, each after its own ground. A noop resource holds nobody back, nor does its ground."""
    seen: set[Node] = {node}
    stack: list[tuple[Node, Iterator[Node]]] = [(node, iter(node.deps))]
    while stack:
        current, deps = stack[-1]
        for dep in deps:
            if dep not in seen and not dep.resource.noop and not goes_without(current, dep):
                seen.add(dep)
                stack.append((dep, iter(dep.deps)))
                break
        else:
            stack.pop()
            if current is not node:
                yield current


def stale_ancestors(node: Node) -> list[Node]:
    """What must be looked at again before ``node``, whose drift was noticed at ``node.since``, may be applied.

    What stands on something that is to be looked at is so too, so that the news travels down to ``node``. One that is
    being checked may have been looked at too early, or before what it stands on.
    """
    suspect: set[Node] = set()
    again: list[Node] = []
    for needed in ancestors(node):
        stale = needed.checked < node.since or needed.dirty or needed.running is not None
        if (
            stale
            or needed.verdict is Verdict.FAILED
            or any(dep in suspect and not goes_without(needed, dep) for dep in needed.deps)
        ):
            suspect.add(needed)
            if needed.verdict is Verdict.RIGHT:
                again.append(needed)
    return again


def pending_above(node: Node, needs: str) -> str | None:
    """The pending resource that will bring what is needed; the nearest one where none is named so."""
    pending = [needed.resource.id for needed in ancestors(node) if needed.verdict is Verdict.PENDING]
    if needs in pending:
        return needs
    return pending[-1] if pending else None
