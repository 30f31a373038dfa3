"""Network interfaces, addresses and routes, through rtnetlink: serves :class:`LinkChanged`."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable
from typing import Final

from converge.core.trigger import LinkChanged
from converge.sources.base import Mark
from converge.sources.linux.netlink import NetlinkGroups, attributes, text

_NETLINK_ROUTE: Final = 0
# RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR and _IPV6_ROUTE of linux/rtnetlink.h.
_GROUPS: Final = sum(1 << (group - 1) for group in (1, 5, 7, 9, 11))
_RTM_NEWLINK: Final = 16
_RTM_DELLINK: Final = 17
_IFINFOMSG: Final = struct.Struct("=BxHiII")
"""Family, type, index, flags and a mask of struct ifinfomsg."""
_IFLA_IFNAME: Final = 3


class LinkNews:
    """Marks a key when the interface that it names changes; without a name, at any news of the network."""

    def __init__(self, mark: Mark, failed: Callable[[BaseException], None]) -> None:
        self._mark = mark
        self._keys: dict[str, frozenset[str]] = {}
        self._groups = NetlinkGroups(_NETLINK_ROUTE, _GROUPS, self._heard, self._lost, failed)
        self._names = dict(socket.if_nameindex())
        """What interfaces were called when they were heard of last: one that is renamed is news under both names."""

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Mark this key on these news, and on no others."""
        self._keys.pop(key, None)
        if names := frozenset(each.name for each in triggers if isinstance(each, LinkChanged)):
            self._keys[key] = names

    def close(self) -> None:
        """Stop. May be called more than once."""
        self._groups.close()

    def _heard(self, kind: int, content: bytes) -> None:
        names = {""}
        if kind in (_RTM_NEWLINK, _RTM_DELLINK) and len(content) >= _IFINFOMSG.size:
            index = _IFINFOMSG.unpack_from(content)[2]
            name = next(
                (text(value) for which, value in attributes(content, _IFINFOMSG.size) if which == _IFLA_IFNAME), ""
            )
            names |= {name, self._names.pop(index, name)}
            if kind == _RTM_NEWLINK:
                self._names[index] = name
        self._mark_those(names)

    def _lost(self) -> None:
        self._mark_those(None)

    def _mark_those(self, names: set[str] | None) -> None:
        for key, wanted in self._keys.items():
            if names is None or not wanted.isdisjoint(names):
                self._mark(key)
