"""Putting accounts right: one call of one tool for all that differs, and no password on a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converge.core.change import Changes
from converge.resources.accounts import home_removal
from converge.resources.accounts.account import ETC
from converge.resources.accounts.linux import shadow_tools
from converge.resources.accounts.linux.check import HOME_FOLDER, password_field
from converge.resources.accounts.linux.database import Database
from converge.resources.accounts.validation import days

if TYPE_CHECKING:
    from converge.resources.accounts.group import Group
    from converge.resources.accounts.user import User


def change_group(group: Group, state: Changes) -> None:
    """Put right what ``state`` says."""
    changed = {change.property: change.action for change in state}
    number = [] if group.gid is None else ["-g", str(group.gid)]
    seconds = group.seconds()
    if changed.get("state") == "remove":
        shadow_tools.run(["groupdel", group.name], seconds=seconds)
        return
    if changed.get("state") == "create":
        shadow_tools.run(["groupadd", *(["-r"] if group.system else []), *number, group.name], seconds=seconds)
    elif "gid" in changed:
        shadow_tools.run(["groupmod", *number, group.name], seconds=seconds)
    if "members" in changed:
        shadow_tools.run(["gpasswd", "-M", ",".join(dict.fromkeys(group.members or ())), group.name], seconds=seconds)


def change_user(user: User, state: Changes) -> None:
    """Put right what ``state`` says."""
    changed = {change.property: change.action for change in state}
    seconds = user.seconds()
    if changed.get("state") == "remove":
        _remove_user(user)
        return
    if changed.get("state") == "create":
        shadow_tools.run(["useradd", *_creation(user), *_fields(user, set(changed)), user.name], seconds=seconds)
    else:
        _change_existing(user, set(changed), seconds)
    if "password" in changed:
        # By its standard input: everybody can see command lines.
        shadow_tools.run(["chpasswd", "-e"], seconds=seconds, stdin=f"{user.name}:{password_field(user)}\n")
    if HOME_FOLDER in changed:
        shadow_tools.run(["mkhomedir_helper", user.name], seconds=seconds)


def _remove_user(user: User) -> None:
    """Not by userdel -r, which goes into mounted file systems and asks nobody whose the files are."""
    database = Database(ETC)
    there = database.user(user.name)
    if there is not None and user.remove_home:
        home_removal.removal(there, database, user.ownership)  # before anything is gone
    shadow_tools.run(["userdel", user.name], seconds=user.seconds())
    if there is not None and user.remove_home:
        home_removal.remove(there)


def _creation(user: User) -> list[str]:
    """What only a new user can be given."""
    words = ["-r"] if user.system else []
    if user.create_home or (user.create_home is None and not user.system):
        words.append("-m")
    else:
        words.append("-M")
    if user.groups:
        words += ["-G", ",".join(dict.fromkeys(user.groups))]
    if user.group is None and Database(ETC).group(user.name) is not None:
        words += ["-g", user.name]  # useradd would make a group of this name, and there is one
    return words


def _change_existing(user: User, changed: set[str], seconds: float | None) -> None:
    words = _fields(user, changed)
    if "locked" in changed:
        words.append("-L" if user.locked else "-U")
    if "groups" in changed:
        there = Database(ETC).user(user.name)
        if there is not None and not there.local:
            for group in dict.fromkeys(user.groups):
                shadow_tools.run(["gpasswd", "-a", user.name, group], seconds=seconds)
        else:
            words += [*([] if user.groups_exact else ["-a"]), "-G", ",".join(dict.fromkeys(user.groups))]
    if words:
        shadow_tools.run(["usermod", *words, user.name], seconds=seconds)


def _fields(user: User, changed: set[str]) -> list[str]:
    """The options that useradd and usermod have in common."""
    wanted = {
        "uid": ("-u", user.uid), "group": ("-g", user.group), "comment": ("-c", user.comment),
        "home": ("-d", user.home), "shell": ("-s", user.shell),
    }  # fmt: skip
    words: list[str] = []
    for name, (option, value) in wanted.items():
        if name in changed:
            words += [option, str(value)]
    if "expires" in changed and user.expires is not None:
        day = days(user.expires)
        words += ["-e", "" if day is None else str(day)]
    return words
