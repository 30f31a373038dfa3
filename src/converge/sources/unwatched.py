"""Paths whose events are unreliable or unavailable: polled, with the reason reported once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from converge.sources.base import Report
from converge.sources.watch_node import Node

Poll: TypeAlias = Callable[[str, float], None]
"""Asks for a key to be marked every so many seconds; 0 ends it."""

LIMITS: Final = frozenset((errno.ENOSPC, errno.ENOMEM))
_NO_MORE: Final = "no more watches"


class Blind:
    """The nodes that tell nothing or not everything, and the keys that are polled because of them."""

    def __init__(self, report: Report, poll: Poll, seconds: float, limit: Callable[[], str]) -> None:
        self._report = report
        self._poll = poll
        self._seconds = seconds
        self._limit = limit
        """Which limit it is that is reached where the kernel has no more to give, and how it is raised."""
        self._told: set[str] = set()
        self.nodes: dict[Node, int] = {}
        """Nodes that cannot be watched, with the error number: nothing at or below them is sure to be noticed."""
        self.silent: dict[Node, None] = {}
        """Nodes on a file system that does not tell what is changed elsewhere."""
        self.polled: set[str] = set()
        self.stale = False
        """Whether :meth:`review` may find something else than last time."""

    def note(self, node: Node, error: int) -> None:
        """A node was armed, or could not be: then ``error`` says why."""
        mount = node.mount
        if mount.silent and (node.keys or node.deep):
            self.stale |= node not in self.silent
            self.silent[node] = None
            # Who watches what the kernel makes up, as its settings, need not be told each time that it is so.
            if mount.point not in self._told and mount.type != "proc":
                self._told.add(mount.point)
                self._report(
                    "warning",
                    f"changes on {mount.point} ({mount.type}) made elsewhere are not reported by the kernel; "
                    f"polling every {self._seconds:g} s",
                )
        elif node in self.silent:
            self.stale = True
            del self.silent[node]
        if not error and node in self.nodes:
            self.stale = True
            del self.nodes[node]
        elif error and self.nodes.get(node) != error:
            self.stale = True
            self.nodes[node] = error
            self._explain(node, error)

    def drop(self, node: Node) -> None:
        """A node has nothing to watch any more."""
        if node in self.nodes or node in self.silent:
            self.stale = True
            self.nodes.pop(node, None)
            self.silent.pop(node, None)

    def remounted(self, point: str) -> None:
        """What was said about a mount point may be said again."""
        self._told.discard(point)

    def review(self) -> None:
        """Begin and end polling as the nodes have it now."""
        self.stale = False
        wanted = set(self._keys())
        if not any(error in LIMITS for error in self.nodes.values()):
            self._told.discard(_NO_MORE)
        for key in sorted(self.polled - wanted):
            self.forget(key)
        for key in sorted(wanted - self.polled):
            self.polled.add(key)
            self._poll(key, self._seconds)

    def forget(self, key: str) -> None:
        """A key needs no polling any more."""
        if key in self.polled:
            self.polled.discard(key)
            self._poll(key, 0.0)

    def _keys(self) -> Iterator[str]:
        queue = [*self.silent, *self.nodes]
        seen = set(queue)
        for number, node in enumerate(queue):
            whole = number >= len(self.silent)
            for each in node.below() if whole else (node,):
                for key in (*each.keys, *(node.deep_keys() if each is node else ())):
                    if isinstance(key, str):
                        yield key
                    elif key not in seen:
                        seen.add(key)
                        queue.append(key)

    def _explain(self, node: Node, error: int) -> None:
        if error in LIMITS:
            if _NO_MORE in self._told:
                return
            self._told.add(_NO_MORE)
            self._report(
                "warning", f"{self._limit()}; what cannot be watched is polled every {self._seconds:g} s until then"
            )
            return
        behind = node.link.stations if node.link is not None else ()
        if not any(each.parent in self.nodes and each.parent is not each for each in (node, *behind)):
            self._report(
                "warning",
                f"cannot watch {_shortened(node.path())}: {os.strerror(error)}; polling every {self._seconds:g} s "
                "what is declared there",
            )


def _shortened(path: str, most: int = 200) -> str:
    """Others may nest directories until nobody wants to read the path."""
    return path if len(path) <= most else f"{path[: most // 2]}…{path[-most // 2 :]}"
