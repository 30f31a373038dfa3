"""Netlink multicast groups: one socket per source."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Final

# struct nlmsghdr and struct nlattr of linux/netlink.h, in the machine's own byte order.
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_TYPE: Final = 0x3FFF
"""Without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER."""
_DATAGRAM: Final = 1 << 16
_AT_ONCE: Final = 64
"""Datagrams read before others have their turn on the loop; what is left wakes it again."""


def messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of each message in a datagram. What is cut off is left out."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, _, _, _ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size:
            return
        yield kind, datagram[at + _HEADER.size : at + length]
        at += _aligned(length)


def attributes(content: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Type and value of each attribute from this offset on."""
    while at + _ATTRIBUTE.size <= len(content):
        length, kind = _ATTRIBUTE.unpack_from(content, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE, content[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def text(value: bytes) -> str:
    """A string of the kernel's, which ends in a NUL."""
    return value.partition(b"\0")[0].decode(errors="surrogateescape")


def _aligned(length: int) -> int:
    return length + 3 & ~3


class NetlinkGroups:
    """A socket that hears these groups; ``heard`` gets each message, ``lost`` is called where some were dropped."""

    def __init__(
        self,
        protocol: int,
        groups: int,
        heard: Callable[[int, bytes], None],
        lost: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._heard = heard
        self._lost = lost
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        try:
            self._socket.setblocking(False)
            self._socket.bind((0, groups))
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        """Stop. May be called more than once."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                datagram = self._socket.recv(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENOBUFS:  # netlink(7): the queue was full, and something is lost
                    self._lost()
                    continue
                self.close()
                self._failed(error)
                return
            for kind, content in messages(datagram):
                self._heard(kind, content)
