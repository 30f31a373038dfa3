"""What differs between a declared account and the machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import NotYet, Permanent, ResourceError
from converge.resources.accounts.home_removal import removal
from converge.resources.accounts.linux import shadow_tools
from converge.resources.accounts.linux.database import Database, GroupEntry, ShadowEntry, UserEntry
from converge.resources.accounts.validation import NEVER, days

if TYPE_CHECKING:
    from converge.resources.accounts.group import Group
    from converge.resources.accounts.user import User

HOME_FOLDER = "home directory"
_ELSEWHERE = "comes from a directory service and not from the account files of this machine"
_GONE = (Change("state", "present", "absent", "remove"),)


# --- groups -----------------------------------------------------------------------------------------------


def group_changes(group: Group, database: Database) -> Changes:
    """All that differs. Raises NotYet, or ResourceError where it cannot be put right."""
    there = database.group(group.name)
    if there is not None and not there.local:
        return _judge_foreign_group(group, there)
    if group.state == "absent":
        return _ready("groupdel", _GONE if there else IN_SYNC)
    changes = tuple(_new_group(group) if there is None else _group_differences(group, there))
    if any(change.property == "gid" for change in changes):
        _require_free(group.gid, database.group_with, "gid", group.name)
    if any(change.property == "members" for change in changes):
        for member in group.members or ():
            if database.user(member) is None:
                raise NotYet(f"its member {member} does not exist", f"user:{member}", changes)
    return _ready("groupmod", changes)


def _new_group(group: Group) -> Iterator[Change]:
    yield Change("state", None, "present", "create")
    if group.gid is not None:
        yield Change("gid", None, str(group.gid), "create")
    if group.members:
        yield Change("members", None, _listed(group.members), "create")


def _group_differences(group: Group, there: GroupEntry) -> Iterator[Change]:
    if group.gid is not None and group.gid != there.gid:
        yield Change("gid", str(there.gid), str(group.gid))
    if group.members is not None and set(group.members) != set(there.members):
        yield Change("members", _listed(there.members), _listed(group.members))


def _judge_foreign_group(group: Group, there: GroupEntry) -> Changes:
    if group.state == "absent":
        raise Permanent(f"group {group.name} {_ELSEWHERE}, so it cannot be removed here")
    for change in _group_differences(group, there):
        raise Permanent(f"group {group.name} {_ELSEWHERE}, so its {change.property} cannot be changed here")
    return IN_SYNC


# --- users ------------------------------------------------------------------------------------------------


def user_changes(user: User, database: Database) -> Changes:
    """All that differs. Raises NotYet, or ResourceError where it cannot be put right."""
    there = database.user(user.name)
    if user.state == "absent":
        if there is not None and not there.local:
            raise Permanent(f"user {user.name} {_ELSEWHERE}, so it cannot be removed here")
        if there is None:
            return IN_SYNC
        home = removal(there, database, user.ownership) if user.remove_home else None
        return _ready("userdel", _GONE if home is None else (*_GONE, home))
    if there is None:
        changes = tuple(_new_user(user))
    else:
        changes = tuple(_user_differences(user, there, database))
        if not there.local:
            _refuse_foreign(user, changes)
    changed = {change.property for change in changes}
    if "uid" in changed:
        _require_free(user.uid, database.user_with, "uid", user.name)
    _require_groups(user, changed, changes, database)
    if user.shell is not None and "shell" in changed and not os.path.exists(user.shell):
        raise NotYet(f"the shell {user.shell} does not exist", f"file:{user.shell}", changes)
    return _ready("usermod", changes)


def _new_user(user: User) -> Iterator[Change]:
    yield Change("state", None, "present", "create")
    wanted = {
        "uid": user.uid, "group": user.group, "groups": _listed(user.groups) or None, "comment": user.comment,
        "home": user.home, "shell": user.shell, "expires": user.expires,
        "password": None if user.password_hash is None else HIDDEN,
        "locked": "yes" if user.locked and user.password_hash is None else None,
    }  # fmt: skip
    for name, value in wanted.items():
        if value is not None:
            yield Change(name, None, str(value), "create")


def _user_differences(user: User, there: UserEntry, database: Database) -> Iterator[Change]:
    if user.uid is not None and user.uid != there.uid:
        yield Change("uid", str(there.uid), str(user.uid))
    yield from _primary_group(user, there, database)
    yield from _supplementary_groups(user, database)
    for name, is_, wanted in (
        ("comment", there.comment, user.comment), ("home", there.home, user.home), ("shell", there.shell, user.shell),
    ):  # fmt: skip
        if wanted is not None and wanted != is_:
            yield Change(name, is_, wanted)
    home = user.home or there.home
    if user.create_home and not os.path.lexists(home):
        yield Change(HOME_FOLDER, None, home, "create")
    if user.judges_shadow():
        yield from shadow_differences(user, database.shadow(there))


def _primary_group(user: User, there: UserEntry, database: Database) -> Iterator[Change]:
    if user.group is None:
        return
    if isinstance(user.group, str):
        group = database.group(user.group)
        same = group is not None and group.gid == there.gid
    else:
        same = user.group == there.gid
    if not same:
        yield Change("group", database.group_with(there.gid) or f"gid {there.gid}", str(user.group))


def _supplementary_groups(user: User, database: Database) -> Iterator[Change]:
    if not user.groups and not user.groups_exact:
        return
    now = database.groups_of(user.name)
    for name in set(user.groups) - now:
        # The group may be one of a directory service, which has a list of its own.
        group = database.group(name)
        if group is not None and not group.local and user.name in group.members:
            now |= {name}
    wanted = set(user.groups) if user.groups_exact else now | set(user.groups)
    if wanted != now:
        yield Change("groups", _listed(now), _listed(wanted))


# --- what must be there first -----------------------------------------------------------------------------


def _require_groups(user: User, changed: set[str], changes: Changes, database: Database) -> None:
    if user.group is not None and "group" in changed:
        known = database.group(user.group) if isinstance(user.group, str) else database.group_with(user.group)
        if known is None:
            raise NotYet(f"the group {user.group} does not exist", f"group:{user.group}", changes)
    if "groups" not in changed:
        return
    mine = database.groups_of(user.name)
    for name in user.groups:
        group = database.group(name)
        if group is None:
            raise NotYet(f"the group {name} does not exist", f"group:{name}", changes)
        if not group.local and name not in mine and user.name not in group.members:
            raise ResourceError(f"the group {name} {_ELSEWHERE}, so nobody can be put into it here")


def _refuse_foreign(user: User, changes: Sequence[Change]) -> None:
    for change in changes:
        if change.property not in ("groups", HOME_FOLDER):
            raise ResourceError(f"user {user.name} {_ELSEWHERE}, so {change.property} cannot be changed here")
        if change.property == "groups" and user.groups_exact:
            raise ResourceError(f"user {user.name} {_ELSEWHERE}; groups_exact=True cannot be had for it")


def _require_free(number: int | None, holder_of: Callable[[int], str | None], what: str, name: str) -> None:
    holder = None if number is None else holder_of(number)
    if holder is not None and holder != name:
        raise ResourceError(f"{what} {number} is in use by {holder}")


def _ready(tool: str, changes: Changes) -> Changes:
    """The changes, once there is a way to make them."""
    if any(change.action != "unknown" for change in changes):
        shadow_tools.require(tool, changes)
    return changes


def _listed(names: Sequence[str] | set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(names))


HIDDEN = "(hidden)"


def shadow_differences(user: User, shadow: ShadowEntry | None) -> Iterator[Change]:
    """What differs in password, lock and expiry; unknown where ``shadow`` is None."""
    if shadow is None:
        unknown = f"unknown (not readable by uid {os.geteuid()})"
        wanted = {
            "password": None if user.password_hash is None else HIDDEN,
            "locked": None if user.locked is None or user.password_hash is not None else _yes(user.locked),
            "expires": user.expires,
        }
        for name, value in wanted.items():
            if value is not None:
                yield Change(name, unknown, value, "unknown")
        return
    if user.password_hash is not None:
        if shadow.password != password_field(user):
            yield Change("password", HIDDEN, HIDDEN)
    elif user.locked is not None and _is_locked(shadow.password) is not user.locked:
        if not shadow.password.strip("!*"):  # nothing is behind the lock: usermod -U refuses as well
            raise Permanent(
                f"{user.name} has no password that could be unlocked; give password_hash=, or leave out locked=False"
            )
        yield Change("locked", _yes(not user.locked), _yes(user.locked))
    if user.expires is not None and shadow.expires != days(user.expires):
        yield Change("expires", show_day(shadow.expires), user.expires)


def password_field(user: User) -> str:
    """What the second field of shadow(5) is to be; a ``!`` in front locks it."""
    return ("!" if user.locked else "") + (user.password_hash or "")


def _is_locked(field: str) -> bool:
    """As ``passwd --status`` has it: no password can be ``!``, ``!!`` or ``*``, so nobody gets in by one."""
    return field.startswith(("!", "*"))


def show_day(day: int | None) -> str:
    """A day as shadow(5) counts them, for a person."""
    if day is None:
        return NEVER
    from datetime import date, timedelta

    try:
        return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    except OverflowError:
        return f"day {day}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
