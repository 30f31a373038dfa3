"""Conditions on the network."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from converge.core.condition import Condition
from converge.core.trigger import Every, LinkChanged, Trigger

_SIOCGIFFLAGS: Final = 0x8913
_IFREQ: Final = struct.Struct("16sh22x")
"""Name and flags of struct ifreq."""
_IFF_UP_AND_RUNNING: Final = 0x1 | 0x40
_LONGEST_NAME: Final = 15
_CONNECT_WITHIN: Final = 3.0
"""Seconds."""
_ASK_EVERY: Final = 5.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class NetworkInterface(Condition):
    """A network interface exists, is up, and has its link."""

    platforms = ("linux",)

    name: str

    def met(self) -> bool:
        import fcntl
        import socket

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            try:
                answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, _IFREQ.pack(self.name.encode(), 0))
            except OSError:
                return False  # there is no such interface
        flags: int = _IFREQ.unpack(answer)[1]
        return flags & _IFF_UP_AND_RUNNING == _IFF_UP_AND_RUNNING

    def triggers(self) -> Sequence[Trigger]:
        return [LinkChanged(self.name)]

    def __str__(self) -> str:
        return f"network_interface({self.name})"


@dataclass(frozen=True, slots=True)
class NetworkReachable(Condition):
    """A TCP port of another machine, or of this one, takes connections."""

    host: str
    port: int

    def met(self) -> bool:
        import socket

        try:
            with socket.create_connection((self.host, self.port), timeout=_CONNECT_WITHIN):
                return True
        except (OSError, UnicodeError):
            return False  # no such name, or none that there can be; no way there, or nobody listens

    def triggers(self) -> Sequence[Trigger]:
        # Nothing tells that another machine is there; but an address or a route of our own may be all that is missing.
        return [Every(_ASK_EVERY), LinkChanged()]

    def __str__(self) -> str:
        return f"network_reachable({self.host}, {self.port})"


def network_interface(name: str) -> Condition:
    """Holds while a network interface of this name exists, is up, and has its link (a cable, or the like)."""
    if (
        not isinstance(name, str)
        or not 0 < len(name.encode()) <= _LONGEST_NAME
        or any(c.isspace() or c == "/" for c in name)
    ):
        raise ValueError(f"network_interface: {name!r} is no name for a network interface")
    return NetworkInterface(name)


def network_reachable(host: str, port: int) -> Condition:
    """Holds while this port takes TCP connections; asked every 5 seconds, and when our own network changes."""
    if not isinstance(host, str) or not host.strip() or "\0" in host:
        raise ValueError(f"network_reachable: {host!r} is no name or address of a machine")
    if type(port) is not int or not 1 <= port <= 65535:
        raise ValueError(f"network_reachable: a port is a number from 1 to 65535, not {port!r}")
    return NetworkReachable(host, port)
