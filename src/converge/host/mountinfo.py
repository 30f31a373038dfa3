"""Parses mountinfo: mount points, and file systems that may block or send no events."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

MOUNTINFO: Final = "/proc/self/mountinfo"

# fmt: off
REMOTE: Final = frozenset((
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "ceph", "afs", "coda", "lustre", "beegfs", "glusterfs",
    "pvfs2", "gpfs", "davfs", "fuse", "autofs",
))
"""File systems that send no news and may hang while their server is away (or, autofs, mount things when
touched): they are never touched on the event loop. All of ``fuse.*`` belongs to them, but for the ones below."""

SHARED: Final = frozenset((
    "9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "gfs2", "ocfs2", "proc", "sysfs",
    "fuse.mergerfs", "fuse.bindfs", "fuse.vmhgfs-fuse",
))
"""File systems that tell what is changed through this kernel, and not what is changed elsewhere."""

PSEUDO: Final = frozenset((
    "proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs", "bpf", "devpts",
))
"""What the kernel makes up. A tree that is watched as a whole ends there."""
# fmt: on

LOCAL: Final = frozenset(("fuse.fuse-overlayfs",))
"""FUSE file systems that are as good as any other."""


class Mount(NamedTuple):
    """One mounted file system."""

    point: str
    type: str
    silent: bool
    """Changes made elsewhere are not reported by the kernel."""
    remote: bool
    """Touching it may block."""


def mount_of(point: str, type_: str) -> Mount:
    """Describe a mount. The root never counts as remote: without it nothing works anyway."""
    far = type_ in REMOTE or (type_.startswith("fuse.") and type_ not in SHARED | LOCAL)
    return Mount(point, type_, far or type_ in SHARED, far and point != "/")


ROOT: Final = mount_of("/", "unknown")


def read_mounts(path: str = MOUNTINFO) -> dict[str, Mount]:
    """What is mounted at this moment, by mount point. Touches none of it."""
    with open(path, "rb") as lines:
        return parse_mountinfo(lines.read().splitlines())


def parse_mountinfo(lines: Iterable[bytes]) -> dict[str, Mount]:
    """Mounts by mount point. Of several on one point the last is on top."""
    mounts = {"/": ROOT}
    for line in lines:
        fields = line.split(b" ")
        if len(fields) < 8 or b"-" not in fields[6:]:
            continue  # cut off: the list is read in pieces, and a change in between brings more news
        point = mount_point(line)
        mounts[point] = mount_of(point, os.fsdecode(fields[fields.index(b"-", 6) + 1]))
    return mounts


def mount_point(line: bytes) -> str:
    """The mount point in one line of mountinfo, where blanks and the like are written in octal."""
    fields = line.split(b" ", 5)
    if len(fields) < 5:
        return "/"
    return unescaped(fields[4])


def unescaped(field: bytes) -> str:
    """The text of a field: blanks and the like are written as the octal number of each of their bytes."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes((int(found[1], 8) & 0xFF,)), field))


def filesystem_of(path: str, mounts: Mapping[str, Mount]) -> Mount:
    """The mount that an absolute path, free of links, lies on."""
    while path not in mounts and path != "/":
        path = os.path.dirname(path)
    return mounts.get(path, ROOT)


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
