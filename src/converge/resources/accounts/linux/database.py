"""The account files, read once for as many resources as are judged together."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple


class UserEntry(NamedTuple):
    """A line of passwd(5)."""

    name: str
    password: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str
    local: bool = True
    """False where it is not from the file, but from a directory service."""


class GroupEntry(NamedTuple):
    """A line of group(5)."""

    name: str
    gid: int
    members: tuple[str, ...]
    local: bool = True


class ShadowEntry(NamedTuple):
    """What is judged of a line of shadow(5)."""

    password: str
    expires: int | None
    """Days after 1970-01-01; None is never."""


class Database:
    """What the files in ``etc`` say. Each is read when first asked for."""

    def __init__(self, etc: str) -> None:
        self.etc = etc
        self._read: dict[str, tuple[int, int, int]] = {}

    # --- asking -------------------------------------------------------------------------------------------

    def users(self) -> Iterable[UserEntry]:
        """All of the file; a directory service need not tell all that it has."""
        return self._users.values()

    def user(self, name: str) -> UserEntry | None:
        """The user of this name; those of a directory service (LDAP, SSSD) too."""
        return self._users.get(name) or _foreign_user(name)

    def user_with(self, uid: int) -> str | None:
        """The name of the user who has this number."""
        return self._uids.get(uid) or _foreign_name(uid)

    def group(self, name: str) -> GroupEntry | None:
        """The group of this name; those of a directory service too."""
        return self._groups.get(name) or _foreign_group(name)

    def group_with(self, gid: int) -> str | None:
        """The name of the group that has this number."""
        return self._gids.get(gid) or _foreign_group_name(gid)

    def groups_of(self, name: str) -> frozenset[str]:
        """The groups of the file whose lists name this user: the supplementary ones."""
        return frozenset(self._memberships.get(name, ()))

    def shadow(self, user: UserEntry) -> ShadowEntry | None:
        """The password and expiry of a user; None where we may not read them."""
        if user.password != "x":  # noqa: S105 - says that the password is in the other file
            return ShadowEntry(user.password, None)
        try:
            return self._shadows.get(user.name, ShadowEntry("", None))
        except PermissionError:
            return None

    def stale(self) -> bool:
        """Whether a file that was read has been replaced or written since."""
        try:
            return any(_signature(os.stat(f"{self.etc}/{file}")) != seen for file, seen in self._read.items())
        except FileNotFoundError:
            return True

    # --- the files ----------------------------------------------------------------------------------------

    @cached_property
    def _users(self) -> dict[str, UserEntry]:
        users: dict[str, UserEntry] = {}
        for fields in self._lines("passwd", 7):
            if fields[2].isdecimal() and fields[3].isdecimal():
                name, password, uid, gid, comment, home, shell = fields[:7]
                users.setdefault(name, UserEntry(name, password, int(uid), int(gid), comment, home, shell))
        return users

    @cached_property
    def _uids(self) -> dict[int, str]:
        return {user.uid: user.name for user in reversed(self._users.values())}

    @cached_property
    def _groups(self) -> dict[str, GroupEntry]:
        groups: dict[str, GroupEntry] = {}
        for name, _, gid, members, *_ in self._lines("group", 4):
            if gid.isdecimal():
                groups.setdefault(name, GroupEntry(name, int(gid), tuple(filter(None, members.split(",")))))
        return groups

    @cached_property
    def _gids(self) -> dict[int, str]:
        return {group.gid: group.name for group in reversed(self._groups.values())}

    @cached_property
    def _memberships(self) -> dict[str, set[str]]:
        memberships: defaultdict[str, set[str]] = defaultdict(set)
        for group in self._groups.values():
            for member in group.members:
                memberships[member].add(group.name)
        return memberships

    @cached_property
    def _shadows(self) -> dict[str, ShadowEntry]:
        shadows: dict[str, ShadowEntry] = {}
        for fields in self._lines("shadow", 8):
            # Zero is refused by some programs and taken for "never" by others; shadow(5) asks not to use it.
            expires = int(fields[7]) if fields[7].isdecimal() else None
            shadows.setdefault(fields[0], ShadowEntry(fields[1], expires))
        return shadows

    def _lines(self, file: str, fields: int) -> Iterator[list[str]]:
        """The fields of each line that has enough of them."""
        with open(f"{self.etc}/{file}", encoding="utf-8", errors="surrogateescape", newline="\n") as opened:
            self._read[file] = _signature(os.fstat(opened.fileno()))
            text = opened.read()
        for line in text.split("\n"):
            found = line.split(":")
            if len(found) >= fields:
                yield found


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size


# --- what is not in the files: the system's name service asks all that it is configured for -------------------


def _foreign_user(name: str) -> UserEntry | None:
    import pwd

    try:
        return UserEntry(*pwd.getpwnam(name), local=False)
    except (KeyError, ValueError):
        return None


def _foreign_name(uid: int) -> str | None:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _foreign_group(name: str) -> GroupEntry | None:
    import grp

    try:
        found = grp.getgrnam(name)
    except (KeyError, ValueError):
        return None
    return GroupEntry(found.gr_name, found.gr_gid, tuple(found.gr_mem), local=False)


def _foreign_group_name(gid: int) -> str | None:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None
