"""What lies below one directory and belongs to other resources, as a tree of names."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from typing import Final

from converge.core.errors import NotYet
from converge.core.ownership import Claim, Ownership, is_closed, is_irreplaceable
from converge.core.resource import Owned, OwnsHome, OwnsLinks, OwnsPath, OwnsTree
from converge.host.fs.atomic import leftovers
from converge.host.fs.owners import Names
from converge.host.fs.resolve import Resolver
from converge.host.state_dirs import runtime_dir, state_dir

_PACKAGE_TEMPORARY: Final = re.compile(
    r".*\.dpkg-(new|tmp)|.*;[0-9a-f]{8}|\.apk\.[0-9a-f]+|.*\.pkg\.tar(\.\w+)?\.part", re.DOTALL
)
"""Names under which dpkg, rpm, apk and pacman write a file that is to take another name."""

_LONGEST_WRITE: Final = 60.0
"""Seconds from giving a new file to its owner until it has its name; in between it is brought to the disk."""


class Kept:
    """One name, and what is kept below it."""

    __slots__ = ("by", "children", "group", "group_below", "owner", "owner_below", "staged", "user", "whole")

    def __init__(self) -> None:
        self.children: dict[str, Kept] = {}
        self.by = ""
        """The id of the resource that declares this very path; empty where it only leads to one."""
        self.staged = False
        """Whether a whole directory may be made beside it, to take its place."""
        self.user: str | int | None = None
        """Whom the resource gives it to, where that is known."""
        self.whole = False
        """Nothing at or below it is purged."""
        self.owner = self.group = False
        """Whether its resource decides its owner and its group."""
        self.owner_below = self.group_below = False
        """The same of everything below it."""

    def at(self, names: Iterable[str]) -> Kept:
        """The node at this relative path, made where it is missing."""
        node = self
        for name in names:
            child = node.children.get(name)
            if child is None:
                child = node.children[name] = Kept()
            node = child
        return node

    def add(self, claim: Claim) -> None:
        """Take in what a resource owns at this very path."""
        owned = claim.owned
        self.by = claim.id
        if isinstance(owned, OwnsPath):
            owner, group, below = owned.owner, owned.group, owned.below
            self.user = owned.user if self.user is None else self.user
        elif isinstance(owned, OwnsTree):
            owner, group, below = owned.owner, owned.group, True
            self.whole = True
            self.staged |= not owned.open
        elif isinstance(owned, OwnsLinks):
            owner = group = below = False
        else:
            owner, group, below = True, True, not owned.path
            self.whole |= not owned.path
        self.owner |= owner
        self.group |= group
        self.owner_below |= owner and below
        self.group_below |= group and below

    def unfinished(self, name: str, status: os.stat_result, is_directory: bool) -> bool:
        """Whether a name in this directory is ours, on its way to take the name of what is declared here."""
        if ".converge-" not in name:
            return False
        for known, node in self.children.items():
            if (node.staged if is_directory else node.by) and any(leftovers([name], [known])):
                return is_directory or _is_ours(status, node.user)
        return False


def _is_ours(status: os.stat_result, user: str | int | None) -> bool:
    """Whether we made a temporary file; for a moment before it takes its name, it belongs to whom it is given to."""
    if status.st_nlink != 1:
        return False
    fresh = abs(time.time() - status.st_ctime) < _LONGEST_WRITE
    return status.st_uid == os.geteuid() or (fresh and user is not None and status.st_uid == _uid(user))


def _uid(user: str | int) -> int:
    try:
        return Names().uid(user, "")
    except NotYet:
        return -1


def is_package_temporary(name: str) -> bool:
    """Whether a package manager is writing it, or was interrupted while it did."""
    return _PACKAGE_TEMPORARY.fullmatch(name) is not None


def kept_below(path: str, real: str, ownership: Ownership, but: str) -> Kept:
    """What is kept below the directory ``path``, which is really at ``real``; the resource ``but`` does not count."""
    top = Kept()
    spelled = dict.fromkeys((path.rstrip("/"), real))
    for claim, owned_path in _paths(ownership, but, real):
        for start in spelled:
            if owned_path.startswith(start + "/"):
                top.at(owned_path[len(start) + 1 :].split("/")).add(claim)
            elif is_closed(claim.owned) and f"{start}/".startswith(owned_path + "/"):
                top.whole = True
    return top


def held_below(path: str, real: str, ownership: Ownership, but: str) -> Claim | None:
    """What somebody else has at or below a directory that is about to be removed; None where there is nothing."""
    starts = (path.rstrip("/"), real)
    for claim, owned_path in _paths(ownership, but, real):
        below = any(f"{owned_path}/".startswith(start + "/") for start in starts)
        if below and not claim.absent and os.path.lexists(owned_path):
            return claim
    return None


def irreplaceable_below(path: str, ownership: Ownership, but: str) -> Claim | None:
    """What somebody else has below a directory that is about to be replaced, and would not make again."""
    real = os.path.realpath(path)
    starts = (f"{path}/", f"{real}/")
    for claim, owned_path in _paths(ownership, but, real):
        here = owned_path.startswith(starts) and not claim.absent and is_irreplaceable(claim.owned)
        if here and os.path.lexists(owned_path):
            return claim
    return None


def _paths(ownership: Ownership, but: str, real: str) -> Iterator[tuple[Claim, str]]:
    """Each claim with its path, as it is written and as it is free of links."""
    resolve = Resolver(real)
    for claim in (*ownership.claims, *_own()):
        if claim.id == but:
            continue
        for path in _declared_or_asked(claim.owned):
            yield claim, path
            folder, _, name = path.rpartition("/")
            named = f"{resolve.path(folder)}/{name}"
            if named != path:
                yield claim, named
            if not isinstance(claim.owned, OwnsPath) and (led := resolve.path(path)) not in (path, named):
                yield claim, led


def _declared_or_asked(owned: Owned) -> Iterator[str]:
    if isinstance(owned, OwnsLinks):
        yield from _links(owned.folder, owned.name)
    elif not isinstance(owned, OwnsHome):
        yield owned.path.rstrip("/")
    elif home := _home(owned.user):
        yield f"{home}/{owned.path}" if owned.path else home


def _links(folder: str, name: str) -> Iterator[str]:
    folders = [folder]
    for at in folders:
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    if at is folder and entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_symlink() and name in (entry.name, os.path.basename(os.readlink(entry.path))):
                        yield entry.path
        except OSError:
            continue


def _home(user: str) -> str:
    """Where a home is, or would be made; empty where that is the root directory or nowhere."""
    import pwd

    from converge.resources.accounts.homes import usual_home

    try:
        home = pwd.getpwnam(user).pw_dir.rstrip("/")
    except KeyError:
        home = usual_home(user)
    return home if home.startswith("/") else ""


def _own() -> Iterator[Claim]:
    """Our own folders: history, backups and what is due, locks."""
    for folder in (state_dir(), runtime_dir()):
        yield Claim(OwnsTree(os.path.abspath(folder), owner=True, group=True), "converge itself", absent=False)
