"""Declares a user or a group as they are in the account files."""

from __future__ import annotations

from converge.core.errors import ResourceError
from converge.core.resource import Adopted
from converge.resources.accounts.account import ETC
from converge.resources.accounts.group import Group
from converge.resources.accounts.linux.check import show_day
from converge.resources.accounts.linux.database import Database, ShadowEntry, UserEntry
from converge.resources.accounts.user import User

_FIRST = 1000
"""The least number that is not the system's own: UID_MIN and GID_MIN of login.defs(5)."""


def adopt_user(name: str) -> Adopted:
    """A user, without the password."""
    database = Database(ETC)
    found = database.user(name)
    if found is None:
        raise ResourceError(f"there is no user {name}")
    if not found.local:
        raise ResourceError(f"the user {name} comes from a directory service, and is not this machine's to declare")
    shadow = database.shadow(found)
    unread = () if shadow else (f"only root can read password, lock and expiry of {name}; they are left out",)
    user = User(
        name,
        uid=found.uid,
        group=_primary(found, database),
        groups=sorted(database.groups_of(name)),
        shell=found.shell or None,
        home=None if found.home == f"/home/{name}" else found.home or None,
        comment=found.comment or None,
        system=0 < found.uid < _FIRST,
        locked=_is_locked(shadow) or None,
        expires=_expires(shadow),
    )
    return Adopted(user, _remarks(shadow), unread)


def adopt_group(name: str) -> Adopted:
    """A group, with its members where it has any."""
    found = Database(ETC).group(name)
    if found is None:
        raise ResourceError(f"there is no group {name}")
    if not found.local:
        raise ResourceError(f"the group {name} comes from a directory service, and is not this machine's to declare")
    return Adopted(Group(name, gid=found.gid, system=0 < found.gid < _FIRST, members=sorted(found.members) or None))


def _primary(user: UserEntry, database: Database) -> str | int | None:
    group = database.group_with(user.gid)
    return None if group == user.name else group or user.gid


def _is_locked(shadow: ShadowEntry | None) -> bool:
    """Whether there is a password that is locked; one that never was cannot be either."""
    return shadow is not None and shadow.password.startswith("!") and shadow.password.strip("!*") != ""


def _expires(shadow: ShadowEntry | None) -> str | None:
    if shadow is None or shadow.expires is None or shadow.expires <= 0:
        return None
    day = show_day(shadow.expires)
    return day if day[:1].isdecimal() else None  # one far beyond the calendar is as good as none


def _remarks(shadow: ShadowEntry | None) -> tuple[str, ...]:
    if shadow is None or shadow.password.strip("!*") == "":
        return ()
    return ("The password is left out; password_hash=r.secret(...) would guard it, too.",)
