"""The tree of watched paths: one node per path component."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from converge.host.mountinfo import ROOT, Mount

ABSENT: Final = 0
"""In place of a watch: there is nothing to watch."""
BLIND: Final = -1
"""In place of a watch: there is or may be something, but the kernel gives no watch on it."""


class Link:
    """What a node knows when its path is a symbolic link."""

    __slots__ = ("real", "stations", "wd")

    def __init__(self) -> None:
        self.wd = ABSENT
        """The watch on the link itself."""
        self.real: str | None = None
        """Where it leads, free of links; None when it leads nowhere."""
        self.stations: tuple[Node, ...] = ()
        """The nodes whose news is news for this link: its target, and what lies before each ``..`` in it."""


class Node:
    """One component of a watched path. Its path is made from its parents' when it is needed."""

    __slots__ = ("children", "deep", "keys", "link", "mount", "name", "parent", "wd")

    def __init__(self, name: str, parent: Node | None) -> None:
        self.name = name
        self.parent = parent or self
        """The root is its own parent."""
        self.children: dict[str, Node] = {}
        self.keys: dict[Key, bool] = {}
        """Who wants news of this very path; true for those that want it of everything below as well."""
        self.deep = False
        """Whether everything in this directory is wanted, for a key here or above."""
        self.wd = ABSENT
        """The watch on what is here: for a link, on the directory that it leads to."""
        self.link: Link | None = None
        self.mount: Mount = ROOT

    def is_alive(self) -> bool:
        """Whether this node still belongs to the tree."""
        return self.parent is self or self.parent.children.get(self.name) is self

    def path(self) -> str:
        """The absolute path, with no link before its last component."""
        names = [self.name]
        node = self.parent
        while node.parent is not node and node.link is None:
            names.append(node.name)
            node = node.parent
        if node.link is not None and node.link.real != "/":
            names.append(node.link.real or node.path())
        elif node is not self:
            names.append("")
        return "/".join(reversed(names)) or "/"

    def real(self) -> str | None:
        """The path that this one leads to; None for a link that leads nowhere."""
        return self.path() if self.link is None else self.link.real

    def below(self) -> Iterator[Node]:
        """This node and all that lie below it."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.children.values())

    def deep_keys(self) -> Iterator[str]:
        """The keys, here or above, that want everything in this directory."""
        node = self
        while node.deep:
            for key, deep in node.keys.items():
                if deep and isinstance(key, str):
                    yield key
            if node.parent is node:
                return
            node = node.parent


Key: TypeAlias = str | Node
"""A resource's key, or the node of a link that leads here."""


def ring(node: Node) -> list[Node]:
    """The links that lead to one another, round and round, when only they still keep a node; mostly none."""
    links: dict[Node, None] = {}
    starts = [node]
    for start in starts:
        for each in start.below():
            for key in each.keys:
                if isinstance(key, str):
                    return []
                if key not in links:
                    links[key] = None
                    starts.append(key)
    return list(links)
