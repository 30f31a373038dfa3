"""What is mounted where, as the kernel tells it in ``/proc/self/mountinfo``; see proc_pid_mountinfo(5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from converge.mountinfo import MOUNTINFO, unescaped


class Mounted(NamedTuple):
    """One line of the list."""

    number: int
    parent: int
    device: str
    """``major:minor``; that of a block device where it is one."""
    root: str
    """What of the file system is seen here; ``/`` but for bind mounts and the like."""
    point: str
    flags: frozenset[str]
    """Of this mount: ``ro``, ``nosuid``, …"""
    fstype: str
    source: str
    options: tuple[str, ...]
    """Of the file system, with ``ro`` or ``rw`` first."""

    def value(self, name: str) -> str | None:
        """What the file system's option ``name=`` is set to."""
        return next((text.partition("=")[2] for text in self.options if text.startswith(f"{name}=")), None)

    def read_only(self) -> bool:
        return "ro" in self.flags or "ro" in self.options


class Table:
    """All that is mounted for us."""

    def __init__(self, mounts: Iterable[Mounted]) -> None:
        self._by_point: dict[str, list[Mounted]] = {}
        for mounted in mounts:
            self._by_point.setdefault(mounted.point, []).append(mounted)

    def at(self, path: str) -> Mounted | None:
        """What is to be seen as mounted at a path that is free of links; what other mounts hide does not count.

        Only the list is asked: no file system is touched, so none that is out of reach can hold us up.
        """
        found = self.holding(path)
        return found if found is not None and found.point == path else None

    def holding(self, path: str) -> Mounted | None:
        """The mount that a path, free of links, lies on."""
        current = self._bottom()
        for point in _ways(path):
            while current is not None and (above := self._on(current, point)) is not None:
                current = above
        return current

    def _bottom(self) -> Mounted | None:
        roots = self._by_point.get("/", [])
        numbers = {mounted.number for mounted in roots}
        return next((mounted for mounted in roots if mounted.parent not in numbers), roots[0] if roots else None)

    def _on(self, below: Mounted, point: str) -> Mounted | None:
        """What was mounted last on ``below``, at this point."""
        on = [m for m in self._by_point.get(point, ()) if m.parent == below.number and m.number != below.number]
        return on[-1] if on else None


def _ways(path: str) -> Iterable[str]:
    """``/``, ``/a``, ``/a/b`` for ``/a/b``."""
    yield "/"
    for end in range(1, len(path)):
        if path[end] == "/":
            yield path[:end]
    if path != "/":
        yield path


def read_table(path: str = MOUNTINFO) -> Table:
    """The list as it is now."""
    with open(path, "rb") as file:
        return Table(filter(None, map(parse, file)))


def parse(line: bytes) -> Mounted | None:
    """One line; None where it is not one."""
    fields = [unescaped(field) for field in line.split()]
    try:
        dash = fields.index("-", 6)
        number, parent, device, root, point, flags = fields[:6]
        fstype, source, options = fields[dash + 1 : dash + 4]
    except ValueError:
        return None
    return Mounted(
        int(number), int(parent), device, root, point, frozenset(flags.split(",")), fstype, source,
        tuple(options.split(",")),
    )  # fmt: skip
