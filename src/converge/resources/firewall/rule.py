"""``firewall``: one declared rule."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, ClassVar, Literal, TypeAlias

from converge.core.change import Changes, Verb
from converge.core.resource import Need, Resource, Uses
from converge.core.trigger import FirewallChanged, LinkChanged, Trigger
from converge.resources.firewall.values import Network, address_list, port_list, ports

Protocol: TypeAlias = Literal["tcp", "udp", "both", "icmp", "any"]
Direction: TypeAlias = Literal["inbound", "outbound"]
Verdict: TypeAlias = Literal["allow", "block", "reject"]


@dataclass(frozen=True, slots=True)
class Firewall(Resource):
    """A rule of the packet filter, in nftables' table ``inet converge`` that is ours alone."""

    kind: ClassVar[str] = "firewall"
    platforms = ("linux",)
    batch_check = True

    name: str
    """What it is called; its id is ``firewall:NAME``."""
    _: KW_ONLY
    port: int | str | Sequence[int | str] | None = None
    """The port that is connected to, or a range such as ``8000-8010``. Unset: every port."""
    protocol: Protocol = "tcp"
    """``tcp``, ``udp``, ``both`` of them, ``icmp`` (ICMPv6 too), or ``any``."""
    direction: Direction = "inbound"
    """``inbound`` to this machine or ``outbound`` from it."""
    action: Verdict = "allow"
    """``allow``, ``block`` (say nothing) or ``reject`` (tell the sender)."""
    source: str | Sequence[str] | None = None
    """Address or network that it comes from, IPv4 or IPv6. Unset: any."""
    dest: str | Sequence[str] | None = None
    """Address or network that it goes to. Unset: any."""
    interface: str | None = None
    """The network interface that it comes in by, or goes out by; ``eth*`` is all whose name begins so. Unset: any."""
    order: int = 0
    """Rules with a lower number are looked at first; those with the same one in the order of the blueprint."""
    state: Literal["present", "absent"] = "present"
    """Whether it is to be there, or to be taken away."""

    peers: tuple[str, ...] | None = field(default=None, init=False, repr=False)
    """The names of all rules of the blueprint, in its order; None until :meth:`with_declared_ids` told."""
    # Any: rules as table.py has them, which a declaration alone does not need.
    _wanted: list[Any] | None = field(default=None, init=False, repr=False, compare=False)
    """What it is to the kernel, once that was asked: it follows from the declaration alone."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        return mistakes(self)

    def is_removal(self) -> bool:
        return self.state == "absent"

    def with_declared_ids(self, ids: Collection[str]) -> Firewall:
        copy = replace(self)
        object.__setattr__(copy, "where", self.where)
        object.__setattr__(copy, "peers", rule_names(ids))
        return copy

    def needs(self) -> Sequence[Need]:
        return (Uses("package:nftables"),)

    def triggers(self) -> Sequence[Trigger]:
        if self.interface is None:
            return (FirewallChanged(),)
        return (FirewallChanged(), LinkChanged("" if self.interface.endswith("*") else self.interface))

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "only root can change the firewall"

    def group_key(self, verb: Verb) -> str | None:
        return verb

    # --- what it does -------------------------------------------------------------------------------------

    @classmethod
    def check_many(cls, resources: Sequence[Firewall]) -> Iterator[Changes | Exception]:
        from converge.resources.firewall.nftables import rules

        return rules.check(resources)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Firewall, Changes]]) -> Iterator[Exception | None]:
        from converge.resources.firewall.nftables import rules

        return rules.apply(work)


_last: tuple[Collection[str], tuple[str, ...]] = ((), ())


def rule_names(ids: Collection[str]) -> tuple[str, ...]:
    """The names of all rules in a blueprint, in its order. One tuple for all that ask about the same blueprint."""
    global _last  # noqa: PLW0603 - only spares work: thousands of rules ask the same in turn
    if _last[0] is not ids:
        prefix = f"{Firewall.kind}:"
        _last = ids, tuple(id.removeprefix(prefix) for id in ids if id.startswith(prefix))
    return _last[1]


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
