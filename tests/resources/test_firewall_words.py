"""A rule is never wider than its words, nor narrower: what it renders to is held against packets."""

from __future__ import annotations

import ipaddress
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from converge.resources.firewall import Firewall
from converge.resources.firewall.nftables.expressions import expressions


class Packet(NamedTuple):
    saddr: str
    daddr: str
    protocol: int
    dport: int
    interface: str

    def version(self) -> int:
        return ipaddress.ip_address(self.saddr).version


def passes(expression: list[Any], packet: Packet, direction: str) -> bool:
    """Whether the kernel takes the packet for one that this expression is about."""
    *conditions, _ = expression
    return all(holds(each["match"]["left"], each["match"]["right"], packet, direction) for each in conditions)


def holds(left: Any, right: Any, packet: Packet, direction: str) -> bool:
    elements = right["set"] if isinstance(right, dict) and "set" in right else [right]
    match left:
        case {"meta": {"key": "l4proto"}}:
            return packet.protocol in elements
        case {"meta": {"key": "nfproto"}}:
            return {4: 2, 6: 10}[packet.version()] in elements
        case {"meta": {"key": "iifname" | "oifname" as key}}:
            assert key == ("iifname" if direction == "inbound" else "oifname")
            return packet.interface == right or (right.endswith("*") and packet.interface.startswith(right[:-1]))
        case {"payload": {"protocol": "ip" | "ip6" as family, "field": field}}:
            address = ipaddress.ip_address(getattr(packet, field))
            return {4: "ip", 6: "ip6"}[address.version] == family and any(
                address in ipaddress.ip_network(
                    (each["prefix"]["addr"], each["prefix"]["len"]) if isinstance(each, dict) else each
                )
                for each in elements
            )  # fmt: skip
        case {"payload": {"protocol": "tcp" | "udp" as name, "field": "dport"}}:
            return packet.protocol == {"tcp": 6, "udp": 17}[name] and any(
                each["range"][0] <= packet.dport <= each["range"][1] if isinstance(each, dict) else packet.dport == each
                for each in elements
            )
    raise AssertionError(left)


def said(rule: Firewall, packet: Packet) -> bool:
    """Whether the packet is what the declaration says, read as a person reads it."""
    numbers = {"tcp": {6}, "udp": {17}, "both": {6, 17}, "icmp": {1, 58}, "any": range(256)}[rule.protocol]
    ports = [rule.port] if isinstance(rule.port, int | str) else rule.port
    return (
        packet.protocol in numbers
        and (ports is None or any(among(packet.dport, str(port)) for port in ports))
        and _from(rule.source, packet.saddr)
        and _from(rule.dest, packet.daddr)
        and (rule.interface is None or packet.interface == rule.interface
             or (rule.interface.endswith("*") and packet.interface.startswith(rule.interface[:-1])))
    )  # fmt: skip


def among(port: int, words: str) -> bool:
    first, _, last = words.partition("-")
    return int(first) <= port <= int(last or first)


def _from(given: Any, address: str) -> bool:
    texts = [given] if isinstance(given, str) else given
    zone = address.partition("%")[0]
    return texts is None or any(ipaddress.ip_address(zone) in ipaddress.ip_network(text, strict=True) for text in texts)


ADDRESS = st.sampled_from([
    "10.0.0.1", "10.0.0.2", "10.1.0.0", "192.0.2.7", "0.0.0.0", "fe80::1", "fe80::2", "2001:db8::1", "::",
    "::ffff:10.0.0.1", "::ffff:0:0",
])  # fmt: skip
NETWORK = st.one_of(
    ADDRESS,
    ADDRESS.map(lambda text: f"{text}%eth0"),
    st.tuples(ADDRESS, st.sampled_from(["0", "8", "10", "16", "31", "32", "64", "96", "104", "128"])).map("/".join),
    st.sampled_from(["fe80::%eth0/64", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "localhost", "", "10.0.0", "1"]),
)  # fmt: skip
ADDRESSES = st.one_of(st.none(), NETWORK, st.lists(NETWORK, max_size=3))
PORT = st.one_of(
    st.sampled_from([22, 80, 0, 65535, 65536]), st.sampled_from(["22", "22-80", "80-22", "1-65535", "-1", "80-"])
)
RULES = st.builds(
    Firewall,
    st.just("rule"),
    port=st.one_of(st.none(), PORT, st.lists(PORT, max_size=3)),
    protocol=st.sampled_from(["tcp", "udp", "both", "icmp", "any"]),
    direction=st.sampled_from(["inbound", "outbound"]),
    source=ADDRESSES,
    dest=ADDRESSES,
    interface=st.sampled_from([None, "eth0", "eth*", "*", "eth", "e*0"]),
)
PACKETS = st.builds(
    Packet,
    ADDRESS,
    ADDRESS,
    st.sampled_from([1, 6, 17, 58, 47]),
    st.sampled_from([1, 21, 22, 23, 79, 80, 81, 65535]),
    st.sampled_from(["eth0", "eth1", "eth", "wlan0", "e0"]),
)


# Most random options contradict each other somewhere; that so many are left out is no fault.
@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(RULES, st.lists(PACKETS, min_size=1, max_size=20))
def test_what_a_rule_is_about_is_what_it_says(rule: Firewall, packets: list[Packet]) -> None:
    assume(not list(rule.mistakes()))
    rendered = list(expressions(rule))
    for packet in packets:
        if (
            ipaddress.ip_address(packet.daddr).version
            == packet.version()
            == {1: 4, 58: 6}.get(packet.protocol, packet.version())
        ):
            assert any(passes(each, packet, rule.direction) for each in rendered) is said(rule, packet)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fe80::1%eth0", "source fe80::1%eth0 names a zone; write fe80::1 and interface='eth0'"),
        ("fe80::%eth0/64", "source fe80::%eth0/64 names a zone; write fe80::/64 and interface='eth0'"),
        ("::ffff:10.0.0.1", "is IPv4 in the form of IPv6, which no packet has"),
        ("::ffff:0:0/96", "is IPv4 in the form of IPv6, which no packet has"),
        ("10.0.0.1/8", "has host bits set; the network is 10.0.0.0/8"),
        ("localhost", "takes an address such as"),
    ],
)
def test_what_would_say_more_or_less_than_it_seems_is_a_mistake(text: str, why: str) -> None:
    (mistake,) = Firewall("a", port=1, source=text).mistakes()
    assert why in mistake
    assert any(
        why.replace("source", "dest") in each for each in Firewall("a", port=1, dest=["10.0.0.1", text]).mistakes()
    )
