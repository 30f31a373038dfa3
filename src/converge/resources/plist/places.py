"""Where settings are, and what defaults(1) calls them."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from converge.core.errors import ResourceError
from converge.core.platform import may_do_all

if TYPE_CHECKING:
    from converge.resources.plist.setting import Plist

_GLOBAL = "NSGlobalDomain"
_GLOBAL_FILE = ".GlobalPreferences"
_OF_THE_MACHINE = "/Library/Preferences"


def path(setting: Plist) -> str:
    """The file. Raises NotYet where the user does not exist."""
    if setting.is_path():
        return setting.domain
    end = "" if setting.host is None else f".{_host()}"
    return f"{_container(setting) or _folder(setting)}/{_name(setting.domain)}{end}.plist"


def anywhere(setting: Plist) -> str:
    """A path in the folder of a domain, the same whatever this Mac is; without a user of its own."""
    return f"{_folder(setting)}/{_name(setting.domain)}.plist"


def domain(setting: Plist) -> str:
    """As defaults(1) takes it: what root sets for the machine is named by its path."""
    return anywhere(setting).removesuffix(".plist") if _is_of_the_machine(setting) else setting.domain


def is_ours(user: str) -> bool:
    """Whether that is who we are."""
    from converge.host.process import find_user

    try:
        return find_user(user).pw_uid == os.geteuid()
    except ResourceError:
        return False


def _is_of_the_machine(setting: Plist) -> bool:
    # Preferences for one host are always somebody's.
    return setting.user is None and setting.host is None and may_do_all()


def _folder(setting: Plist) -> str:
    if _is_of_the_machine(setting):
        return _OF_THE_MACHINE
    return f"{_home(setting.user)}/Library/Preferences{'' if setting.host is None else '/ByHost'}"


def _container(setting: Plist) -> str | None:
    """Where the preferences of a program in a sandbox are; a file of before it was in one may still be in the other."""
    if _is_of_the_machine(setting) or setting.domain == _GLOBAL:
        return None
    home = _home(setting.user)
    container = f"{home}/Library/Containers/{setting.domain}"
    if not os.path.isdir(container):
        return None
    return f"{container}/Data{_folder(setting).removeprefix(home)}"


def _home(user: str | None) -> str:
    from converge.host.process import find_user

    if user is not None:
        return find_user(user).pw_dir.rstrip("/")
    # sudo leaves us the HOME of somebody else, which macOS does not look at for root's preferences.
    return os.path.expanduser("~root" if may_do_all() else "~")


def _name(of: str) -> str:
    return _GLOBAL_FILE if of == _GLOBAL else of


@lru_cache(maxsize=1)
def _host() -> str:
    """What this Mac is called in the names of files: its hardware UUID."""
    from converge.host.serial import hardware_serial

    if found := hardware_serial():
        return found
    raise ResourceError("the hardware UUID of this machine, which preferences for one host go by, cannot be read")
