"""Triggers: events that request a re-check of a resource. A trigger is data; a source watches for it."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

# --- triggers: what would tell that a resource may no longer hold, as data -------------------------------


class PathChanged(NamedTuple):
    """Anything that happens to a path, or to an ancestor of it, whether or not they exist yet.

    ``deep`` also covers everything below the path.
    """

    path: str
    deep: bool = False


class UnitChanged(NamedTuple):
    """A unit of systemd came to another state of rest, or units were enabled, disabled or loaded anew."""

    name: str


class HostnameChanged(NamedTuple):
    """The kernel was given another name for this machine."""


class MountsChanged(NamedTuple):
    """Something is mounted at a path, or above it, that was not, or is not any more, or is mounted otherwise."""

    path: str


class FirewallChanged(NamedTuple):
    """Anything that happens to our table of the packet filter."""


class LinkChanged(NamedTuple):
    """A network interface appears, vanishes, or goes up or down; without a name, also addresses and routes."""

    name: str = ""


class RegistryChanged(NamedTuple):
    """A key of the registry of Windows, or a value in it, is made, changed or removed; the key need not exist yet."""

    key: str


class ServiceChanged(NamedTuple):
    """A service of Windows came to another state, or came to be."""

    name: str


class ProcessEnded(NamedTuple):
    """A process of macOS has ended, or had before anybody asked."""

    pid: int


class Every(NamedTuple):
    """So many seconds have gone by: for what sends no news."""

    seconds: float


Trigger: TypeAlias = (
    PathChanged
    | UnitChanged
    | HostnameChanged
    | MountsChanged
    | FirewallChanged
    | LinkChanged
    | RegistryChanged
    | ServiceChanged
    | ProcessEnded
    | Every
)
