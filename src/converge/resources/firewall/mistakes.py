"""What can be wrong with a declared rule, without a look at the machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING

from converge.resources.firewall.values import Network, address_list, port_list, ports

if TYPE_CHECKING:
    from converge.resources.firewall.rule import Firewall

_LONGEST_NAME = 64
"""Bytes. The kernel keeps 128 with a rule (NFTNL_UDATA_COMMENT_MAXLEN of libnftnl), and we note more there."""
_LONGEST_INTERFACE = 15
"""Bytes: IFNAMSIZ of the kernel, without the NUL."""
_FARTHEST = 1_000_000
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def mistakes(rule: Firewall) -> Iterator[str]:
    """A sentence for each."""
    yield from _name(rule.name)
    yield from _port(rule)
    yield from _addresses(rule)
    if rule.interface is not None:
        yield from _interface(rule.interface)
    if abs(rule.order) > _FARTHEST:
        yield f"order takes a number between {-_FARTHEST} and {_FARTHEST}, not {rule.order}"


def _name(name: str) -> Iterator[str]:
    if not name.strip():
        yield "the name is empty"
    elif '"' in name or "\\" in name or not name.isprintable():
        yield f"the name {name!r} has characters that nftables cannot show; leave out quotes, backslashes and the like"
    elif len(name.encode()) > _LONGEST_NAME:
        yield f"the name is longer than the {_LONGEST_NAME} bytes that the kernel has room for"


def _port(rule: Firewall) -> Iterator[str]:
    if rule.port is None:
        return
    if rule.protocol in ("icmp", "any"):
        yield f"protocol {rule.protocol} has no ports; leave out port, or give protocol tcp, udp or both"
    if not port_list(rule.port):
        yield "port is an empty list; leave it out for every port"
    for port in port_list(rule.port):
        try:
            ports(port)
        except ValueError as error:
            yield str(error)


def _addresses(rule: Firewall) -> Iterator[str]:
    families = []
    for option, given in (("source", rule.source), ("dest", rule.dest)):
        if given is None:
            continue
        networks: list[Network] = []
        if not address_list(given):
            yield f"{option} is an empty list; leave it out for every address"
        for text in address_list(given):
            if why := _wrong_network(text):
                yield f"{option} {why}"
            else:
                networks.append(ipaddress.ip_network(text))
        families.append({network.version for network in networks})
    if len(families) == 2 and all(families) and not families[0] & families[1]:
        yield "source and dest have no family in common: one is IPv4 and the other IPv6"


def _wrong_network(text: str) -> str | None:
    """Why this is no address or network that a packet can be held against, as it stands; None where it is one."""
    address, percent, zone = text.partition("%")
    if percent:  # which would be ignored, so that the rule would hold on every interface
        name, slash, length = zone.partition("/")
        return f"{text} names a zone; write {address}{slash}{length} and interface={name!r}"
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return f"takes an address such as 192.0.2.7 or a network such as 192.0.2.0/24, not {text!r}"
    if (
        isinstance(network, ipaddress.IPv6Network)
        and network.overlaps(_MAPPED)
        and network.prefixlen >= _MAPPED.prefixlen
    ):
        return f"{text} is IPv4 in the form of IPv6, which no packet has; write the IPv4 address"
    address, _, _ = text.partition("/")
    if ipaddress.ip_address(address) != network.network_address:
        return f"{text} has host bits set; the network is {network}"
    return None


def _interface(name: str) -> Iterator[str]:
    stem = name.removesuffix("*")
    wrong = any(c.isspace() or c in '/*"\\' for c in stem) or not stem.isprintable() or stem in (".", "..", "")
    if wrong or len(name.encode()) > _LONGEST_INTERFACE + (name != stem):
        yield f"{name!r} is no name for a network interface"
