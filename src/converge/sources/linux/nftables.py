"""Changes of nftables rules: serves :class:`FirewallChanged`. Requires root."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from converge.sources.base import Mark
from converge.sources.linux.netlink import NetlinkGroups, attributes, text

_NETLINK_NETFILTER: Final = 12
_NFNLGRP_NFTABLES: Final = 7
_NFNL_SUBSYS_NFTABLES: Final = 10
_NFT_MSG_NEWGEN: Final = 15
"""Ends each transaction, and belongs to no table."""
_NFGENMSG: Final = 4
"""Bytes of struct nfgenmsg, of which the first is the family."""
_NFPROTO_INET: Final = 1
_TABLE: Final = 1
"""The attribute that names the table is the first in the messages of tables, chains, rules, sets and elements."""

TABLE: Final = "converge"


class FirewallNews:
    """Marks all keys whenever something in our table, or the table itself, was added, changed or removed."""

    def __init__(self, mark: Mark, failed: Callable[[BaseException], None]) -> None:
        self._mark = mark
        self._keys: dict[str, None] = {}
        self._groups = NetlinkGroups(
            _NETLINK_NETFILTER, 1 << (_NFNLGRP_NFTABLES - 1), self._heard, self._mark_all, failed
        )

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Mark this key on news, or not any more where there is no trigger."""
        self._keys.pop(key, None)
        if any(True for _ in triggers):
            self._keys[key] = None

    def close(self) -> None:
        """Stop. May be called more than once."""
        self._groups.close()

    def _heard(self, kind: int, content: bytes) -> None:
        if is_about_us(kind, content):
            self._mark_all()

    def _mark_all(self) -> None:
        for key in self._keys:
            self._mark(key)


def is_about_us(kind: int, content: bytes) -> bool:
    """Whether a message of nf_tables is about our table."""
    subsystem, message = kind >> 8, kind & 0xFF
    if subsystem != _NFNL_SUBSYS_NFTABLES or message == _NFT_MSG_NEWGEN or content[:1] != bytes([_NFPROTO_INET]):
        return False
    return any(name == _TABLE and text(value) == TABLE for name, value in attributes(content, _NFGENMSG))
