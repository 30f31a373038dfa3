"""D-Bus messages to systemd, and their errors."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from converge.core.errors import Busy, ResourceError

SYSTEMD: Final = "org.freedesktop.systemd1"
MANAGER_PATH: Final = "/org/freedesktop/systemd1"
MANAGER: Final = f"{SYSTEMD}.Manager"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"

_SOCKET: Final = "/run/dbus/system_bus_socket"
AWAY: Final = 60.0
"""Seconds that systemd, or the bus, may be away; re-executing systemd takes a fraction of one."""
# Errors of the bus itself: whom we asked is not there, or went away before it answered.
NOBODY: Final = tuple(
    f"org.freedesktop.DBus.Error.{name}"
    for name in ("NoReply", "ServiceUnknown", "NameHasNoOwner", "Disconnected", "TimedOut", "Timeout", "Spawn.")
)


class Call(NamedTuple):
    """A method to be called; of systemd's manager where nothing else is said."""

    member: str
    signature: str = ""
    body: tuple[object, ...] = ()
    path: str = MANAGER_PATH
    interface: str = MANAGER
    destination: str = SYSTEMD


def get(path: str, interface: str, name: str) -> Call:
    """Asks for one property of a unit or of the manager."""
    return Call("Get", "ss", (interface, name), path, PROPERTIES)


class Refused(Exception):
    """Whom we asked answered with an error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class Broken(Exception):
    """The connection to the bus is no more."""


def match(verb: str, rule: str) -> Call:
    """Has the bus pass on signals (``AddMatch``), or no longer (``RemoveMatch``)."""
    bus = "org.freedesktop.DBus"
    return Call(verb, "s", (rule,), "/org/freedesktop/DBus", bus, bus)


def no_bus() -> ResourceError:
    """The error where there is nobody to ask."""
    if not os.path.isdir("/run/systemd/system"):  # sd_booted(3)
        return ResourceError("this machine was not started by systemd, so that it has no units")
    return ResourceError(f"there is no system bus ({_SOCKET}); install and start dbus, through which systemd is asked")


def away(text: str) -> ResourceError:
    """The error where there is a bus, and systemd is not on it."""
    if not os.path.isdir("/run/systemd/system"):
        return no_bus()
    return Busy(f"systemd is not on the system bus at the moment ({text})", again=0.2, at_most=AWAY)
