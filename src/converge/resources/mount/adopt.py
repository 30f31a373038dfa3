"""Declares what is mounted somewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator

from converge.core.errors import ResourceError
from converge.core.resource import Adopted
from converge.host.fs.atomic import read_text
from converge.host.fs.paths import path_mistakes
from converge.host.mountinfo import MOUNTINFO, Mounted, Table, parse
from converge.resources.mount import Mount
from converge.resources.mount.fstab import FSTAB, Entry, entries
from converge.resources.mount.options import is_bind, masked

_FLAGS = ("nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow")
_KEPT = {"tmpfs": ("size", "nr_inodes", "mode", "uid", "gid"), "btrfs": ("subvol",)}
"""Options of a file system that say what it is to be, and not only what it is."""

_DELETED = "//deleted"
"""What the kernel adds to the root of a bind mount whose source is gone."""


def adopt_mount(path: str) -> Adopted:
    """As fstab has it, or else as the kernel tells of it."""
    path = os.path.abspath(path)
    for wrong in path_mistakes(path):
        raise ResourceError(wrong)
    mounts = _mounts()
    live = Table(mounts).at(path)
    if live is None:
        raise ResourceError(f"nothing is mounted at {path}")
    if live.fstype == "autofs":
        raise ResourceError(f"what belongs to {path} is mounted when somebody looks into it; look, and try again")
    there = entries(read_text(FSTAB) or "", path)
    if not there:
        return Adopted(_from_kernel(live, mounts), ("It is not in /etc/fstab, so it is gone after the next boot.",))
    if masked(there[0].options) != there[0].options:
        raise ResourceError(
            f"the options of {path} in {FSTAB} hold a password; put it into a file of credentials first"
        )
    return Adopted(_from_fstab(there[0]))


def _from_fstab(entry: Entry) -> Mount:
    unsaid = "none" if is_bind(entry.options) else "auto"
    fstype = None if entry.fstype == unsaid else entry.fstype
    source = None if entry.source == fstype else entry.source
    return Mount(entry.point, source, fstype, entry.options, dump=entry.dump, passno=entry.passno)


def _from_kernel(live: Mounted, mounts: list[Mounted]) -> Mount:
    if live.root.endswith(_DELETED):
        raise ResourceError(f"{live.point} shows {live.root.removesuffix(_DELETED)}, which has been deleted")
    if live.root != "/" and live.fstype != "btrfs":
        options = ",".join(("bind", *_flags(live)))
        return Mount(live.point, _shown_elsewhere(live, mounts), None, options, persist=False)
    options = ",".join((*_flags(live), *_own(live))) or "defaults"
    source = None if live.source == live.fstype else live.source
    return Mount(live.point, source, live.fstype, options, persist=False)


def _flags(live: Mounted) -> Iterator[str]:
    if live.read_only():
        yield "ro"
    yield from (flag for flag in _FLAGS if flag in live.flags)


def _own(live: Mounted) -> Iterator[str]:
    for name in _KEPT.get(live.fstype, ()):
        if (value := live.value(name)) is not None:
            yield f"{name}={value}"


def _shown_elsewhere(live: Mounted, mounts: list[Mounted]) -> str:
    """The directory of which a bind mount shows the content."""
    for other in mounts:
        inside = live.root == other.root or live.root.startswith(f"{other.root.rstrip('/')}/")
        if other.device == live.device and other.number != live.number and inside:
            parts = (other.point.strip("/"), live.root.removeprefix(other.root).strip("/"))
            return "/" + "/".join(filter(None, parts))
    raise ResourceError(f"{live.point} shows a part of a file system that is to be seen nowhere else")


def _mounts() -> list[Mounted]:
    with open(MOUNTINFO, "rb") as file:
        return list(filter(None, map(parse, file)))
