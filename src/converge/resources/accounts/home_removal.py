"""Removing the home of a user who goes: only where it is that user's alone, and told before it is done."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from converge.core.change import Change
from converge.core.errors import ResourceError
from converge.host.fs.errors import shown
from converge.host.fs.flags import open_flags
from converge.host.fs.owners import owner_name

if TYPE_CHECKING:
    from converge.core.ownership import Ownership
    from converge.host.fs.walk import Walk
    from converge.resources.accounts.linux.database import Database, UserEntry

MAIL = "/var/mail"
"""Where a user's mail is, in a file with the user's name (FHS 3.0, 5.11)."""
HOME = "home"
_FOLDER = open_flags("O_RDONLY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")


def removal(user: UserEntry, database: Database, ownership: Ownership) -> Change | None:
    """What goes with the user, for a plan; None where there is no home.

    Raises ResourceError where it is not this user's alone: another user has a home there or owns something in it, a
    file system is mounted in it, or another resource of the blueprint owns something there.
    """
    try:
        with _Home(user) as home:
            if home.handle is None:
                return None
            home.require_unshared(database)
            home.require_unclaimed(ownership)
            entries = home.count()
    except PermissionError:
        return Change(HOME, f"{shown(user.home)} (what is in it is not readable by uid {os.geteuid()})", None, "remove")
    many = "y" if entries == 1 else "ies"
    return Change(HOME, f"{shown(user.home)} with {entries} entr{many}", None, "remove")


def remove(user: UserEntry) -> None:
    """Remove the home, and the mail, of a user who has gone. Whoever owned it cannot change it any more."""
    from converge.resources.file.tree import remove_tree

    with _Home(user) as home:
        if home.handle is not None:
            home.count()
            remove_tree(home.folder, home.name, user.home)
    mail = os.path.join(MAIL, user.name)
    try:
        if os.lstat(mail).st_uid == user.uid:
            os.unlink(mail)
    except FileNotFoundError:
        return


def _leads_into(path: str, folder: os.stat_result) -> bool:
    """Whether a path is in the directory under another name: one directory can be mounted in several places."""
    while path:
        try:
            if os.path.samestat(os.stat(path, follow_symlinks=False), folder):
                return True
        except OSError:
            pass  # it does not exist; the directories above it may
        path = path.rpartition("/")[0]
    return False


def _refused(user: UserEntry, why: str) -> ResourceError:
    return ResourceError(
        f"the home {shown(user.home)} of {user.name} is not removed: {why}; move that away, or leave out remove_home"
    )


class _Home:
    """The directory, open, where there is one."""

    def __init__(self, user: UserEntry) -> None:
        from converge.host.fs.paths import tidy_path

        self.user = user
        self._above, _, self.name = tidy_path(user.home).rpartition("/")
        self.folder = -1
        self.handle: int | None = None

    def __enter__(self) -> _Home:
        user = self.user
        if not user.home.startswith("/") or ".." in user.home.split("/") or not self.name:
            return self  # such as /nonexistent/.. of a system account: nothing that userdel would remove either
        from converge.host.fs.dirfd import Directories

        with Directories() as directories:
            try:
                self.folder = os.dup(directories.open(self._above))
                self.handle = os.open(self.name, _FOLDER, dir_fd=self.folder)
            except FileNotFoundError:
                return self
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise _refused(user, "it is no directory") from error
                raise
        if os.fstat(self.handle).st_uid != user.uid:
            raise _refused(user, f"it belongs to {owner_name(os.fstat(self.handle).st_uid)}")
        return self

    def __exit__(self, *error: object) -> None:
        for handle in (self.handle, self.folder):
            if handle is not None and handle >= 0:
                os.close(handle)

    def require_unshared(self, database: Database) -> None:
        """Raises ResourceError where another user has a home there, however that is spelled or mounted."""
        from converge.host.fs.descriptors import real_path
        from converge.host.fs.resolve import Resolver

        assert self.handle is not None  # noqa: S101 - only asked for where it is
        real, mine = real_path(self.handle), os.fstat(self.handle)
        resolve = Resolver(real)
        for other in database.users():
            if other.name == self.user.name or not other.home.startswith("/"):
                continue
            led = resolve.path(other.home)
            if f"{led}/".startswith(f"{real}/") or (not resolve.may_hang(led) and _leads_into(led, mine)):
                raise _refused(self.user, f"{shown(other.home)} is the home of {other.name}")

    def require_unclaimed(self, ownership: Ownership) -> None:
        """Raises ResourceError where another resource owns something there."""
        from converge.host.fs.descriptors import real_path
        from converge.resources.file.kept import held_below

        assert self.handle is not None  # noqa: S101 - only asked for where it is
        if claim := held_below(self.user.home, real_path(self.handle), ownership, f"user:{self.user.name}"):
            place = f" ({claim.where})" if claim.where.file else ""
            raise _refused(self.user, f"it holds what {claim.id}{place} owns")

    def count(self) -> int:
        """How many entries are in it. Raises ResourceError for an entry of somebody else."""
        from converge.host.fs.descriptors import mount_points, real_path
        from converge.host.fs.walk import Walk

        assert self.handle is not None  # noqa: S101 - only asked for where it is
        real = real_path(self.handle)
        if mounted := sorted(point for point in mount_points() if f"{point}/".startswith(f"{real}/")):
            raise _refused(self.user, f"a file system is mounted at {mounted[0]}")
        entries = 0
        with Walk(self.handle, ".") as walk:
            while (entry := walk.next()) is not None or walk.depth:
                if entry is None:
                    walk.leave()
                    continue
                name, is_directory = entry
                self._require_own(walk, name)
                entries += 1
                if is_directory:
                    walk.enter(name)
        return entries

    def _require_own(self, walk: Walk, name: str) -> None:
        try:
            status = os.stat(name, dir_fd=walk.handle, follow_symlinks=False)
        except FileNotFoundError:
            return  # it went meanwhile
        if status.st_uid != self.user.uid:
            kind = "directory" if stat.S_ISDIR(status.st_mode) else "file"
            owner = owner_name(status.st_uid)
            raise _refused(self.user, f"the {kind} {shown(walk.relative(name))} in it belongs to {owner}")
