"""What no resource owns below a directory: finding, counting and removing it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from converge.core.errors import Busy
from converge.host.fs.descriptors import mount_points, real_path
from converge.host.fs.errors import shown
from converge.host.fs.walk import Walk
from converge.resources.file.kept import Kept, is_package_temporary
from converge.resources.package import locks

MOST_COUNTED: Final = 100_000
_FRESH: Final = 0.002
"""Seconds for which an answer holds: a package manager that starts needs longer than that to touch a file."""


class _Chain(NamedTuple):
    """A relative path as its last name and what leads there, so that a deep one costs nothing until it is shown."""

    above: _Chain | None
    name: str

    def path(self) -> str:
        names = []
        at: _Chain | None = self
        while at is not None:
            names.append(at.name)
            at = at.above
        return "/".join(reversed(names))


@dataclass(slots=True)
class _Level:
    chain: _Chain | None
    kept: Kept | None
    first: int
    """Where in the list of what was found that begins what was found below this directory."""
    holds: bool = False
    """Whether something at or below it stays, so that it does."""


@dataclass(slots=True)
class Unowned:
    """What would be purged: relative paths, whole directories as one, and how many entries that are in all."""

    names: list[str] = field(default_factory=list)
    count: int = 0

    def counted(self) -> str:
        """The number of entries, in words."""
        return show_count(self.count)


def show_count(count: int) -> str:
    """How many entries, in words."""
    if count > MOST_COUNTED:
        return f"more than {MOST_COUNTED:,} entries"
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def unowned(folder: int, name: str, kept: Kept) -> Unowned:
    """All below the directory that nobody keeps. Beyond so many entries directories are no longer looked into."""
    if kept.whole:
        return Unowned()
    with Walk(folder, name) as walk:
        _keep_mounts(kept, real_path(walk.handle))
        return _Search(walk, kept).run()


class _Search:
    def __init__(self, walk: Walk, kept: Kept) -> None:
        self.walk = walk
        self.found: list[_Chain] = []
        self.count = 0
        self.levels = [_Level(None, kept, 0, holds=True)]

    def run(self) -> Unowned:
        walk, levels = self.walk, self.levels
        while (entry := walk.next()) is not None or walk.depth:
            if entry is None:
                walk.leave()
                self._leave(levels.pop())
                continue
            name, is_directory = entry
            level = levels[-1]
            node = level.kept.children.get(name) if level.kept is not None else None
            if self._stays(level, node, name, is_directory):
                level.holds = True
            elif is_directory and (node is not None or self.count <= MOST_COUNTED) and walk.enter(name):
                levels.append(_Level(_Chain(level.chain, name), node, len(self.found), holds=node is not None))
            elif node is not None:
                level.holds = True
            else:
                self._add(_Chain(level.chain, name))
        return Unowned([chain.path() for chain in self.found], self.count)

    def _stays(self, level: _Level, node: Kept | None, name: str, is_directory: bool) -> bool:
        """Whether a name stays with all that is below it."""
        if (node is not None and node.whole) or is_package_temporary(name):
            return True
        if level.kept is None or ".converge-" not in name:
            return False
        try:
            status = os.stat(name, dir_fd=self.walk.handle, follow_symlinks=False)
        except FileNotFoundError:
            return True  # it has taken its name meanwhile
        return level.kept.unfinished(name, status, is_directory)

    def _leave(self, level: _Level) -> None:
        if level.holds:
            self.levels[-1].holds = True
            return
        del self.found[level.first :]
        if level.chain is not None:  # only the top has none, and is never left
            self._add(level.chain)

    def _add(self, chain: _Chain) -> None:
        self.found.append(chain)
        self.count += 1


def count_below(folder: int, name: str) -> int:
    """How many entries are below a directory; no more than one beyond the limit is counted."""
    count = 0
    with Walk(folder, name) as walk:
        while count <= MOST_COUNTED and ((entry := walk.next()) is not None or walk.depth):
            if entry is None:
                walk.leave()
                continue
            count += 1
            if entry[1]:
                walk.enter(entry[0])
    return count


def _keep_mounts(kept: Kept, real: str) -> None:
    for mount in mount_points():
        if mount.startswith(real + "/"):
            kept.at(mount[len(real) + 1 :].split("/")).whole = True


class NoTransaction:
    """Refuses to go on while a package manager is at work: its files come and go until it has ended."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._asked = -1.0

    def require(self) -> None:
        """Raise Busy where somebody, or converge itself, is changing packages."""
        if time.monotonic() - self._asked < _FRESH:
            return
        if who := locks.holder(ours=True):
            raise Busy(f"{shown(self._path)}: nothing is purged while {who} is changing packages")
        self._asked = time.monotonic()
