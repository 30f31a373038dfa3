"""Keeps kernel watches in step with the tree of watched paths.

Every directory on the way to a watched path is watched, parents before children, so that whatever happens to
an entry after its directory was armed brings an event, and whatever happened before is seen when the entry
itself is armed. A watch is on what lay at the path at that moment; :meth:`Watches.arm` makes it fit again.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from converge.host.mountinfo import PSEUDO, ROOT, Mount
from converge.sources.unwatched import Blind
from converge.sources.watch_node import ABSENT, BLIND, Key, Link, Node, ring

# What sys/inotify.h calls it, IN_ before each; other kernels are asked in the same words.
MODIFY: Final = 0x2
ATTRIB: Final = 0x4
CLOSE_WRITE: Final = 0x8
MOVED_FROM: Final = 0x40
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
DELETE_SELF: Final = 0x400
MOVE_SELF: Final = 0x800
UNMOUNT: Final = 0x2000
OVERFLOW: Final = 0x4000
IGNORED: Final = 0x8000
ONLYDIR: Final = 0x1000000
DONT_FOLLOW: Final = 0x2000000
MASK_ADD: Final = 0x20000000
ISDIR: Final = 0x40000000

ENTRIES: Final = CREATE | DELETE | MOVED_FROM | MOVED_TO
GONE: Final = DELETE_SELF | MOVE_SELF | UNMOUNT | IGNORED
CONTENT: Final = MODIFY | ATTRIB | CLOSE_WRITE
_SELF: Final = DELETE_SELF | MOVE_SELF | DONT_FOLLOW | MASK_ADD
_DIRECTORY: Final = ENTRIES | ONLYDIR

# EINVAL: what was a link a moment ago is none any more, and the news of that is on its way.
_NOWHERE: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL))
_MANY: Final = 64
"""Children of a directory from which on one listing is less work than a look at each."""
_MOST_LINKS: Final = 40  # the kernel gives up on a path with more of them


class Kernel(Protocol):
    """What watches paths, one by one.

    One that cannot tell the names of entries that came and went tells of those that were looked for and not there.
    """

    tells_names: bool
    """Whether it tells of every entry of a directory that comes or goes."""

    def fileno(self) -> int:
        """What can be read when there are events."""

    def read(self, size: int) -> Sequence[tuple[int, int, int, str]]:
        """Events that have come, with watch, mask, cookie and name. Raises BlockingIOError where there are none."""

    def add(self, path: str, mask: int) -> int:
        """Watch what is at a path, for this as well as for what it was watched for. Raises OSError."""

    def remove(self, watch: int) -> None:
        """End a watch. Raises OSError, with EINVAL where it has ended already."""

    def type_of(self, path: str) -> int:
        """The file type bits of what is at a path, itself and not where it may lead. Raises OSError."""

    def entries(self, path: str, wanted: Iterable[str]) -> Mapping[str, bool]:
        """The names in a directory, and whether each is one itself; ``wanted`` are looked for. Raises OSError."""

    def limit(self) -> str:
        """Why there are no more watches, for a person."""

    def close(self) -> None:
        """Give all watches back."""


class Watches:
    """A tree of nodes, and the watches that they hold on one descriptor."""

    def __init__(self, kernel: Kernel, blind: Blind) -> None:
        self._kernel = kernel
        self._following = 0
        self.mounts: dict[str, Mount] = {"/": ROOT}
        self.root = Node("", None)
        self.owners: dict[int, tuple[Node, ...]] = {}
        """Who holds a watch. One file that is reached by several paths has one watch."""
        self._links: dict[Node, None] = {}
        self._blind = blind

    def fileno(self) -> int:
        """What can be read when there are events."""
        return self._kernel.fileno()

    def read(self, size: int) -> Sequence[tuple[int, int, int, str]]:
        """Events that have come, with watch, mask, cookie and name. Raises BlockingIOError where there are none."""
        return self._kernel.read(size)

    def close(self) -> None:
        """Give all watches back."""
        self._kernel.close()

    # --- what is wanted -----------------------------------------------------------------------------------

    def insert(self, path: str, key: Key, deep: bool = False) -> Node:
        """Watch an absolute path for a key, and return its node."""
        node = self.root
        made: Node | None = None
        for name in path.split("/"):
            if name:
                child = node.children.get(name)
                if child is None:
                    child = node.children[name] = Node(name, node)
                    made = made or child
                node = child
        fresh = made is None and (not node.keys or any(node.keys.values()) != deep)
        node.keys[key] = deep
        self._blind.stale = True
        if made is not None:
            if len(made.parent.children) == 1:
                self.arm(made.parent, everything=False)  # only from now on are its entries wanted
            self.arm(made)
        elif fresh:
            self.arm(node, everything=False)
        return node

    def forget(self, node: Node, key: Key) -> None:
        """No longer watch a node for a key."""
        if node.keys.pop(key, False):
            self.arm(node, everything=False)
        if not (node.keys or node.deep):
            self._blind.silent.pop(node, None)
        self._blind.stale = True
        for link in ring(self._prune(node)):
            self._unlink(link)
            self._prune(link)

    def nodes_at(self, path: str) -> Iterator[Node]:
        """The nodes that stand for a path free of links, also as it is reached through links."""
        starts = [(self.root, "/"), *((node, node.link.real) for node in self._links if node.link and node.link.real)]
        for node, real in starts:
            base = real.rstrip("/") + "/"
            if not (path + "/").startswith(base):
                continue
            found: Node | None = node
            for name in filter(None, path[len(base) :].split("/")):
                found = found and found.children.get(name)
            if found is not None:
                yield found

    # --- arming -------------------------------------------------------------------------------------------

    def arm(self, top: Node, everything: bool = True) -> bool:
        """Make the watches of a node and of those below it fit what is there now; return whether they did not.

        Without ``everything`` what lies below is only looked at where the watch above it became another. That
        will do as long as no news of the node itself has come.
        """
        plainly = self._arm_file(top)
        if plainly is not None:
            return plainly
        changed = False
        stack = [top]
        while stack:
            node = stack.pop()
            if not node.is_alive():
                continue
            before = node.wd, node.deep, node.link and node.link.real
            self._arm_one(node)
            if not node.is_alive():  # it was only kept by a link that led elsewhere a moment ago
                self._clear(node)
                continue
            fresh = before != (node.wd, node.deep, node.link and node.link.real)
            changed |= fresh
            if fresh or everything:
                stack.extend(self._to_arm(node))
            self._prune(node)
        return changed

    def _to_arm(self, node: Node) -> Iterable[Node]:
        """Its children, but for those that are certainly not there, where one listing tells that of many."""
        if len(node.children) < _MANY or node.wd <= 0 or node.mount.remote:
            return node.children.values()
        try:
            # Whatever is made after the watch, and perhaps not listed, sends news of its own.
            there = self._kernel.entries(node.real() or "", node.children)
        except OSError:
            return node.children.values()
        children = list(node.children.items())
        return [child for name, child in children if name in there or not _is_absent_leaf(child, node.mount)]

    def _arm_file(self, node: Node) -> bool | None:
        """The common case at a low price: a file was put into a watched directory, in place of nothing or of another.

        Returns whether the watch became another; None where it is no such case.
        """
        parent = node.parent
        if node.children or node.link or node.deep or parent.deep or not node.keys:
            return None
        if parent.wd <= 0 or parent.mount.remote or not node.is_alive():
            return None
        path = node.path()
        try:
            if path in self.mounts or not stat.S_ISREG(self._kernel.type_of(path)):
                return None
            wd = self._kernel.add(path, _SELF | CONTENT)
        except OSError:
            return None  # the long way meets it, too, and deals with it
        changed = wd != node.wd
        node.mount = parent.mount
        self._hold(node, wd)
        self._blind.note(node, 0)
        return changed

    def _arm_one(self, node: Node) -> None:
        parent = node.parent
        node.mount = parent.mount
        wd, error = ABSENT, 0
        gone = parent.wd == ABSENT and parent is not node
        if not gone:
            try:
                wd = self._look(node, node.path())
            except OSError as problem:
                too_deep = _is_too_deep(node, problem)
                gone = problem.errno in _NOWHERE and not too_deep
                node.deep |= too_deep
                if not gone:
                    wd, error = BLIND, problem.errno or errno.EIO
        if gone:
            self._clear(node)
        self._hold(node, wd)
        self._blind.note(node, error)

    def _look(self, node: Node, path: str) -> int:
        """Watch what is at a path now, and return the watch."""
        parent = node.parent
        if not parent.mount.remote:
            node.mount = self.mounts.get(path, parent.mount)
        mode = stat.S_IFDIR if node.mount.remote else self._kernel.type_of(path)
        if stat.S_ISLNK(mode):
            return self._arm_link(node, path)
        self._unlink(node)
        above = parent.deep and parent is not node and node.mount.type not in PSEUDO
        node.deep = stat.S_ISDIR(mode) and (above or any(node.keys.values()))
        return self._arm_path(node, path, mode)

    def _arm_path(self, node: Node, path: str, mode: int) -> int:
        """Watch what is neither a link nor reached through one, and return the watch."""
        if node.mount.remote:
            return BLIND
        mask = _SELF
        if stat.S_ISDIR(mode):
            mask |= (_DIRECTORY if node.children or node.deep else 0) | (ATTRIB if node.keys else 0)
            mask |= CONTENT if node.deep else 0
        else:
            # What goes through a pipe or a device is nobody's drift.
            mask |= CONTENT if stat.S_ISREG(mode) else ATTRIB
        wd = self._kernel.add(path, mask)
        self._hold(node, wd)
        if node.deep:
            for name, is_dir in self._kernel.entries(path, ()).items():
                if is_dir and name not in node.children:
                    node.children[name] = Node(name, node)
        return wd

    def _arm_link(self, node: Node, path: str) -> int:
        """Watch a link and what decides where it leads; return the watch on the directory there, if one is wanted."""
        link = node.link = node.link or Link()
        self._links[node] = None
        if node.keys or not self._kernel.tells_names:
            self._hold_link(node, link, self._kernel.add(path, _SELF | ATTRIB))
        link.real = None
        text = os.readlink(path)
        self._following += 1
        stations = tuple(dict.fromkeys(self._stations(node, path, text))) if self._following <= _MOST_LINKS else ()
        self._following -= 1
        if node.link is not link:  # it lies behind itself, and on the way there it was found to be something else
            for station in stations:
                self.forget(station, node)
            return node.wd
        former, link.stations = {*link.stations, *stations}, stations
        for station in former.difference(stations):
            self.forget(station, node)
        target = stations[-1] if stations else node
        node.mount = target.mount
        # In a tree that is watched as a whole, links are not followed.
        node.deep = any(node.keys.values())
        real = target.real()
        if real is None or (target.wd == ABSENT and target.link is None):
            node.deep = False
            return ABSENT
        link.real = real
        if not (node.children or node.deep):
            return ABSENT
        try:
            return self._arm_path(node, real, stat.S_IFDIR)
        except OSError as problem:
            if problem.errno not in _NOWHERE:
                raise
            link.real = None
            node.deep = False
            return ABSENT

    def _stations(self, node: Node, path: str, text: str) -> Iterator[Node]:
        """Take an interest in all that decides where a link leads. The last one is its target, or as far as it goes."""
        at = "/" if text.startswith("/") else os.path.dirname(path)
        for name in text.split("/"):
            if name == "..":
                station = self.insert(at, node)
                yield station
                real = station.real()
                if real is None or station.mount.remote or not os.path.isdir(real):
                    return  # there is no way on from here, or none that may be tried
                at = os.path.dirname(real)
            elif name not in ("", "."):
                at = os.path.join(at, name)
        yield self.insert(at, node)

    # --- bookkeeping --------------------------------------------------------------------------------------

    def ignored(self, wd: int) -> tuple[Node, ...]:
        """The kernel has ended a watch. Returns the nodes that held it."""
        nodes = self.owners.pop(wd, ())
        for node in nodes:
            if node.wd == wd:
                node.wd = ABSENT
            if node.link is not None and node.link.wd == wd:
                node.link.wd = ABSENT
        return nodes

    def _clear(self, node: Node) -> None:
        self._unlink(node)
        self._hold(node, ABSENT)
        node.deep = False

    def _unlink(self, node: Node) -> None:
        link, node.link = node.link, None
        if link is not None:
            del self._links[node]
            self._hold_link(node, link, ABSENT)
            for station in link.stations:
                self.forget(station, node)

    def _hold(self, node: Node, wd: int) -> None:
        former, node.wd = node.wd, wd
        self._exchange(node, former, wd)

    def _hold_link(self, node: Node, link: Link, wd: int) -> None:
        former, link.wd = link.wd, wd
        self._exchange(node, former, wd)

    def _exchange(self, node: Node, former: int, wd: int) -> None:
        if wd > 0 and node not in self.owners.get(wd, ()):
            self.owners[wd] = (*self.owners.get(wd, ()), node)
        if former <= 0 or former == wd:
            return
        others = tuple(owner for owner in self.owners.get(former, ()) if owner is not node)
        if others:
            self.owners[former] = others
        elif self.owners.pop(former, ()):
            try:
                self._kernel.remove(former)
            except OSError as error:
                if error.errno != errno.EINVAL:  # it has ended with what it watched, and the news is on its way
                    raise

    def _prune(self, node: Node) -> Node:
        """Remove a node that nobody wants, and those above it that nobody wants then; return the first that stays."""
        while not (node.keys or node.children or node.deep or node.parent is node):
            self._clear(node)
            self._blind.drop(node)
            if node.is_alive():
                del node.parent.children[node.name]
            node = node.parent
        return node


def _is_too_deep(node: Node, problem: OSError) -> bool:
    """Whether a directory in a tree that is watched as a whole is there, but the kernel takes no path to it."""
    return problem.errno == errno.ENAMETOOLONG and node.parent.deep and not node.keys


def _is_absent_leaf(node: Node, mount: Mount) -> bool:
    """Whether it is known as wanted but not there, so that there is nothing to do as long as it is not."""
    known = node.wd != ABSENT or node.children or node.link or node.deep
    return not known and bool(node.keys) and node.mount is mount
