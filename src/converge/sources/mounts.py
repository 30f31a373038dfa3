"""What is mounted where, and news of it.

Mounts come and go without a word from inotify, and some file systems never tell what others change on them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import select
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

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
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes((int(found[1], 8) & 0xFF,)), fields[4]))


def filesystem_of(path: str, mounts: Mapping[str, Mount]) -> Mount:
    """The mount that an absolute path, free of links, lies on."""
    while path not in mounts and path != "/":
        path = os.path.dirname(path)
    return mounts.get(path, ROOT)


class MountSource:
    """Calls ``changed`` with the mount points that appeared, vanished or became something else."""

    def __init__(
        self,
        changed: Callable[[list[str]], None],
        failed: Callable[[BaseException], None],
        path: str = "/proc/self/mountinfo",
    ) -> None:
        self._changed = changed
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        # The list can always be read, so only "urgent" means news; the loop cannot be asked to wait for that,
        # but it can wait for an epoll that does.
        self._epoll = select.epoll()
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._epoll.close()
            raise
        # An ordinary file (a test's, or a chroot's copy) never has news, and epoll refuses it.
        with contextlib.suppress(PermissionError):
            self._epoll.register(self._fd, select.EPOLLPRI | select.EPOLLERR)
        self._lines = self._read()
        self.mounts = parse_mountinfo(self._lines)
        self._loop.add_reader(self._epoll.fileno(), self._news)

    def look(self) -> None:
        """Compare with what was mounted when we last looked."""
        lines = self._read()
        differing = set(lines) ^ set(self._lines)
        if differing:
            self._lines = lines
            self.mounts = parse_mountinfo(lines)
            self._changed(sorted({mount_point(line) for line in differing}))

    def close(self) -> None:
        """Stop. May be called more than once."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            os.close(self._fd)

    def _read(self) -> list[bytes]:
        os.lseek(self._fd, 0, os.SEEK_SET)
        pieces = []
        while piece := os.read(self._fd, 1 << 16):
            pieces.append(piece)
        return b"".join(pieces).splitlines()

    def _news(self) -> None:
        self._epoll.poll(0)  # the loop's own look has mostly taken the news already: that it woke us is enough
        try:
            self.look()
        except OSError as error:
            self.close()
            self._failed(error)
