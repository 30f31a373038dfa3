"""Sections 3 and 4: the network and the firewall."""

from __future__ import annotations

from converge.shipped import common
from converge.shipped.cis.linux.tables import Declaration, Machine, gone, rule, setting


def _no_forwarding(machine: Machine, numbers: str) -> None:
    if not machine.given.forwarding:
        setting("net.ipv4.ip_forward", 0)(machine, numbers)
        setting("net.ipv4.conf.all.forwarding", 0)(machine, numbers)
        setting("net.ipv6.conf.all.forwarding", 0, optional=True)(machine, numbers)


def _no_router_advertisements(machine: Machine, numbers: str) -> None:
    # An address that comes from a router is the only way in to many a machine.
    if machine.given.static_ipv6:
        for each in _both("net.ipv6", "accept_ra", 0):
            each(machine, numbers)


def _both(family: str, name: str, value: int) -> tuple[Declaration, Declaration]:
    """For all interfaces that there are, and for those that come."""
    optional = family == "net.ipv6"
    return (
        setting(f"{family}.conf.all.{name}", value, optional=optional),
        setting(f"{family}.conf.default.{name}", value, optional=optional),
    )


def _installed(machine: Machine, _: str) -> None:
    machine.r.include(common.packet_filter)


def _firewall(machine: Machine, _: str) -> None:
    given = machine.given
    machine.r.include(common.firewall, ports=given.ports, ssh_from=given.ssh_from, ssh_port=given.ssh_port)


RULES = (
    rule(
        "network", "3.1.3", "Bluetooth service (bluez)", "A radio is a way in for whoever is near enough.",
        gone("bluez"),
    ),
    rule(
        "network", "3.3.1", "IP forwarding disabled, unless forwarding=true",
        "A server that is taken over is no bridge into other networks.", _no_forwarding,
    ),
    rule(
        "network", "3.3.2", "ICMP redirect sending disabled", "Only routers know better ways.",
        *_both("net.ipv4", "send_redirects", 0),
    ),
    rule(
        "network", "3.3.3", "Bogus ICMP responses ignored", "They fill logs.",
        setting("net.ipv4.icmp_ignore_bogus_error_responses", 1),
    ),
    rule(
        "network", "3.3.4", "Broadcast ICMP requests ignored",
        "Many machines that answer one request are an attack.",
        setting("net.ipv4.icmp_echo_ignore_broadcasts", 1),
    ),
    rule(
        "network", "3.3.5", "ICMP redirects not accepted", "Whoever sends one would have our packets pass by them.",
        *_both("net.ipv4", "accept_redirects", 0), *_both("net.ipv6", "accept_redirects", 0),
    ),
    rule(
        "network", "3.3.6", "Secure ICMP redirects not accepted", "A gateway can be pretended to be.",
        *_both("net.ipv4", "secure_redirects", 0),
    ),
    rule(
        "network", "3.3.7", "Reverse path filtering", "Forged senders are told by that.",
        *_both("net.ipv4", "rp_filter", 1),
    ),
    rule(
        "network", "3.3.8", "Source routed packets not accepted", "That leads around firewalls.",
        *_both("net.ipv4", "accept_source_route", 0), *_both("net.ipv6", "accept_source_route", 0),
    ),
    rule(
        "network", "3.3.9", "Suspicious packets (martians) logged", "Somebody forges them.",
        *_both("net.ipv4", "log_martians", 1),
    ),
    rule(
        "network", "3.3.10", "TCP SYN cookies", "Half-open connections do not use up the server's tables.",
        setting("net.ipv4.tcp_syncookies", 1),
    ),
    rule(
        "network", "3.3.11", "IPv6 router advertisements not accepted, with static_ipv6=true",
        "Anybody on the local network can pretend to be a router.", _no_router_advertisements,
    ),
    rule(
        "firewall", "4.3.1", "nftables package", "The firewall is made of it.", _installed, ubuntu="4.2.1",
    ),
    rule(
        "firewall", "4.3.2", "ufw not installed beside nftables",
        "Two that manage one firewall get in each other's way.",
        gone("ufw"), ubuntu="4.2.2",
    ),
    rule(
        "firewall", "4.3.4 4.3.6 4.3.8 4.3.9 4.3.10",
        "nftables: table, loopback, default deny, service and permanent rules",
        "A service that is started by mistake is reached by nobody.", _firewall,
        ubuntu="4.2.4 4.2.6 4.2.8 4.2.9 4.2.10",
    ),
)  # fmt: skip
