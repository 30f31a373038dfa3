"""Connections that are open while a blocking policy comes into force.

The kernel tracks connections only where a rule asks for it. So one that was opened before our first such rule is
unknown to it, its next packet counts as *new*, and a policy would cut it; it may have been idle for hours. Therefore
what the socket table of this machine shows is put into sets of our table, in the transaction that blocks: both
addresses and both ports of each. What they let pass is tracked from then on, and they empty themselves.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from converge.resources.firewall.nftables.nft import TABLE, Json

_HOUR: Final = 3600
_KEPT: Final = {"tcp": 30 * 24 * _HOUR, "udp": _HOUR}
"""Seconds. For TCP they let nothing new in, however long: a first packet (SYN) never passes by them."""
_ESTABLISHED: Final = "01"
_NO_CONNECTION: Final = ("06", "07", "0A")  # TIME_WAIT, CLOSE, LISTEN of net/tcp_states.h
_VERSIONS: Final = {4: "ip", 6: "ip6"}
_SYN, _ACK = 0x02, 0x10


class Connection(NamedTuple):
    """A socket of this machine that is connected with another."""

    protocol: str
    version: int
    elements: tuple[str, int, str, int]
    """Address and port of ours, then of the other side."""


def rules(direction: str) -> Iterator[list[Json]]:
    """The conditions under which a packet belongs to a connection that was open before."""
    ours, theirs = ("d", "s") if direction == "inbound" else ("s", "d")
    for protocol in _KEPT:
        for version, family in _VERSIONS.items():
            fields = [
                {"payload": {"protocol": name, "field": f"{side}{what}"}}
                for side in (ours, theirs)
                for name, what in ((family, "addr"), (protocol, "port"))
            ]
            known: Json = {
                "match": {"op": "==", "left": {"concat": fields}, "right": f"@{_name(direction, protocol, version)}"}
            }
            yield [*([_NOT_FIRST] if protocol == "tcp" else []), known]


_NOT_FIRST: Final[Json] = {
    "match": {
        "op": "!=",
        "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, [_SYN, _ACK]]},
        "right": _SYN,
    }
}


def add_sets(direction: str) -> Iterator[Json]:
    """The commands that make the sets, empty, where they are not there."""
    for protocol, seconds in _KEPT.items():
        for version in _VERSIONS:
            address = f"ipv{version}_addr"
            kind = {
                "type": [address, "inet_service", address, "inet_service"],
                "flags": ["timeout"],
                "timeout": seconds,
            }
            yield {"add": {"set": {**_set(direction, protocol, version), **kind}}}


def fill_sets(direction: str, connections: Iterable[Connection]) -> Iterator[Json]:
    """The commands after which they hold these connections and no others."""
    elements: dict[str, list[Json]] = {}
    for protocol, version, key in dict.fromkeys(connections):
        elements.setdefault(_name(direction, protocol, version), []).append({"concat": list(key)})
    for protocol in _KEPT:
        for version in _VERSIONS:
            which = _set(direction, protocol, version)
            yield {"flush": {"set": which}}
            if found := elements.get(which["name"]):
                yield {"add": {"element": {**which, "elem": found}}}


def delete_sets(direction: str, there: set[str]) -> Iterator[Json]:
    """The commands that take away those that are there."""
    for protocol in _KEPT:
        for version in _VERSIONS:
            if _name(direction, protocol, version) in there:
                yield {"delete": {"set": _set(direction, protocol, version)}}


def connections() -> Iterator[Connection]:
    """All that are open, but for those within this machine."""
    for protocol in _KEPT:
        for file in (protocol, f"{protocol}6"):
            try:
                with open(f"/proc/net/{file}", encoding="ascii", errors="replace") as lines:
                    yield from connected(protocol, lines)
            except FileNotFoundError:  # a kernel without IPv6
                continue


def connected(protocol: str, lines: Iterable[str]) -> Iterator[Connection]:
    """Those in lines of /proc/net/tcp, udp, tcp6 or udp6."""
    for line in lines:
        fields = line.split()
        if len(fields) < 4 or not fields[0].endswith(":"):
            continue  # the heading
        if fields[3] in _NO_CONNECTION or (protocol == "udp" and fields[3] != _ESTABLISHED):
            continue
        (ours, port), (theirs, other) = map(_endpoint, fields[1:3])
        if other and ours.version == theirs.version and not ours.is_loopback:
            yield Connection(protocol, ours.version, (str(ours), port, str(theirs), other))


def _endpoint(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """``0100007F:0016``: the address is told in words of 32 bits, each in the machine's own byte order."""
    digits, _, port = text.partition(":")
    words = [bytes.fromhex(digits[at : at + 8]) for at in range(0, len(digits), 8)]
    address = ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address, int(port, 16)


def _name(direction: str, protocol: str, version: int) -> str:
    return f"{direction}_{protocol}{version}"


def _set(direction: str, protocol: str, version: int) -> Json:
    return {"family": TABLE["family"], "table": TABLE["name"], "name": _name(direction, protocol, version)}
