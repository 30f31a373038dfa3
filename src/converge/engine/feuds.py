"""Detects two resources that keep undoing each other.

An apply is taken to have undone another resource where that was right before it began, and its drift was noticed while
it ran or right after; where drift is only found by looking, where nothing else was applied since it was right. Three
such rounds in a row, each the answer to the one before, are no coincidence: what others change at times of their own
does not follow our applies. A script that removes both as soon as they are there may do so for a round or two, and is
no reason to leave anything unrepaired.

What one stands on by an automatic edge is no opponent: what lies in a directory is gone whenever the directory is.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from converge.engine.node import Node

_SLACK: Final = 0.05
"""Seconds after the end of an apply within which news of what it did arrives."""
_ROUNDS: Final = 6
"""Each of the two was undone three times."""
_RECENT: Final = 32


class Feuds:
    """Remembers the latest applies."""

    def __init__(self) -> None:
        self._recent: deque[Node] = deque(maxlen=_RECENT)

    def began(self, node: Node, now: float) -> None:
        """It is being applied or refreshed from now on."""
        node.work_began, node.work_ended = now, math.inf
        if node in self._recent:
            self._recent.remove(node)
        self._recent.append(node)

    def ended(self, node: Node, now: float) -> None:
        """That is done, whatever came of it."""
        node.work_ended = now

    def opponent(self, node: Node) -> Node | None:
        """Who undoes ``node``, which was found drifted, and is undone by it; None while that is not certain."""
        if not node.ran:
            return None
        suspects = [
            other
            for other in self._recent
            if other is not node and _may_have_undone(other, node) and not _go_together(other, node)
        ]
        if not suspects:
            node.undone_by, node.undone = None, 0
            return None
        # Of several, the one that was undone by it before; else the latest, and if that is wrong, it is not so again.
        other = max(suspects, key=lambda each: (each.undone_by is node, each.work_began))
        node.undone = other.undone + 1 if other.undone_by is node else 1
        node.undone_by = other
        return other if node.undone >= _ROUNDS else None


def _may_have_undone(other: Node, node: Node) -> bool:
    if other.work_began < node.right_at or other.retired:
        return False
    # Between its first and its last news there may be the echo of its own apply.
    return not node.outside or (node.heard_at >= other.work_began and node.since <= other.work_ended + _SLACK)


def _go_together(one: Node, other: Node) -> bool:
    return _stands_on(one, other) or _stands_on(other, one)


def _stands_on(node: Node, other: Node) -> bool:
    seen, todo = {node}, [node]
    while todo:
        for dep in todo.pop().loose:
            if dep is other:
                return True
            if dep not in seen:
                seen.add(dep)
                todo.append(dep)
    return False
