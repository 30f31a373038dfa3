"""User and group names to ids and back. Cached for one batch only."""

from __future__ import annotations

import os

from converge.core.errors import NotYet
from converge.host.fs.errors import shown


class Names:
    """Numbers of the owners and groups that one batch of resources names."""

    def __init__(self) -> None:
        self._uids: dict[str | int, int] = {}
        self._gids: dict[str | int, int] = {}

    def uid(self, owner: str | int, path: str) -> int:
        """The user's number; NotYet where there is no such user."""
        known = self._uids.get(owner)
        if known is None:
            known = self._uids[owner] = owner if isinstance(owner, int) else _find_user(owner, path)
        return known

    def gid(self, group: str | int, path: str) -> int:
        """The group's number; NotYet where there is no such group."""
        known = self._gids.get(group)
        if known is None:
            known = self._gids[group] = group if isinstance(group, int) else _find_group(group, path)
        return known


def _find_user(name: str, path: str) -> int:
    import pwd  # in here, as in the others: Windows has none, and must be able to import this

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        if name.isdecimal():
            return int(name)
    raise NotYet(f"{shown(path)}: the user {name} does not exist", f"user:{name}")


def _find_group(name: str, path: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if name.isdecimal():
            return int(name)
    raise NotYet(f"{shown(path)}: the group {name} does not exist", f"group:{name}")


def owner_name(uid: int) -> str:
    """The user's name, or ``uid N`` where there is none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def group_name(gid: int) -> str:
    """The group's name, or ``gid N`` where there is none."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"


def me() -> str:
    """Who we are, for a message."""
    return f"uid {os.geteuid()}"
