"""Checking and applying default policies, each together with what must stay allowed under it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from converge.core.change import Change, Changes
from converge.core.errors import Busy
from converge.resources.firewall.nftables import live, nft
from converge.resources.firewall.nftables.comments import policy_comment
from converge.resources.firewall.nftables.expressions import KNOWN_CONNECTION, match, meta, numbers, payload
from converge.resources.firewall.nftables.nft import Json, NftError
from converge.resources.firewall.nftables.rules import commit, ranks, refused, shown, unreadable
from converge.resources.firewall.nftables.ssh_ports import ssh_ports
from converge.resources.firewall.nftables.table import CHAINS, Table, Wanted

if TYPE_CHECKING:
    from converge.resources.firewall.policy import FirewallPolicy

_POLICY: Final = {"allow": "accept", "block": "drop"}
_ACTION: Final = {"accept": "allow", "drop": "block"}
_ACCEPT: Final[Json] = {"accept": None}
# ICMPv6 without which IPv6 does not work (RFC 4890, 4.4.1): multicast listeners, routers, neighbours.
_IPV6_NEEDS: Final = [(130, 136), (143, 143)]
_LINK_LOCAL: Final[Json] = {"prefix": {"addr": "fe80::", "len": 10}}
_DHCPV6: Final = {"inbound": 546, "outbound": 547}


def check(resources: Sequence[FirewallPolicy]) -> Iterator[Changes | Exception]:
    """What differs, for each."""
    try:
        table = Table(ranks(resources[0].peers))
    except NftError as error:
        for policy in resources:
            yield unreadable(error, policy.action)
        return
    for policy in resources:
        yield tuple(_check(policy, table))


def apply(work: Sequence[tuple[FirewallPolicy, Changes]]) -> Iterator[Exception | None]:
    """Put all of it right; nothing is blocked a moment before what must pass is allowed.

    The rules come first, with which the kernel begins to track connections, and the policies after them, together with
    the connections that were open until then. So each is in one of the two.
    """
    error: Exception | None = None
    policies = [policy for policy, _ in work]
    try:
        with nft.LOCK:
            table = Table(ranks(policies[0].peers))
            blocking = [policy for policy in policies if policy.action == "block"]
            if before := table.change([(_owner(policy), _wanted(policy)) for policy in blocking]):
                sets = [command for policy in blocking for command in live.add_sets(policy.direction)]
                commit(table, [{"add": {"table": nft.TABLE}}, *sets, *before])
                table = Table(table.ranks)
            commit(table, _commands(policies, table))
    except NftError as raised:
        error = refused(raised)
    except Busy as raised:
        error = raised
    yield from (error for _ in work)


def _commands(policies: Sequence[FirewallPolicy], table: Table) -> list[Json]:
    wanted = [(_owner(policy), _wanted(policy)) for policy in policies]
    commands = table.change(wanted, {CHAINS[policy.direction]: _POLICY[policy.action] for policy in policies})
    open_ones = list(live.connections()) if any(policy.action == "block" for policy in policies) else []
    filled = [
        command
        for policy in policies
        if policy.action == "block"
        for command in (*live.add_sets(policy.direction), *live.fill_sets(policy.direction, open_ones))
    ]
    gone = [
        command
        for policy in policies
        if policy.action == "allow"
        for command in live.delete_sets(policy.direction, table.sets)
    ]
    return [*commands[:1], *filled, *commands[1:], *gone]  # the first makes the table


def _check(policy: FirewallPolicy, table: Table) -> Iterator[Change]:
    name = CHAINS[policy.direction]
    chain = table.chains.get(name)
    now = _ACTION[chain.policy] if chain is not None else None
    if not table.effective(name):
        yield Change("chain", "not asked by the kernel", "asked for every packet")
    if now != policy.action and not (now is None and policy.action == "allow"):
        yield Change("policy", now, policy.action, "create" if now is None else "update")
    wanted, there = _wanted(policy), table.of(_owner(policy))
    if table.effective(name) and not table.right(_owner(policy), wanted):
        before, after = shown(there) or None, shown(wanted) or None
        if before == after:
            before = f"{before} (out of place)"
        yield Change("always allowed", before, after, "create" if before is None else "update")


def _owner(policy: FirewallPolicy) -> str:
    return f"policy {policy.direction}"


def _wanted(policy: FirewallPolicy) -> list[Wanted]:
    if policy.action == "allow":
        return []
    chain = CHAINS[policy.direction]
    first, last = (policy_comment(policy.direction, part) for part in ("first", "last"))
    wanted = [Wanted(chain, first, [*conditions, _ACCEPT]) for conditions in _always(policy.direction)]
    if policy.keep_ssh:
        # Also outbound: of a connection that the kernel began to track just now it does not know who opened it.
        field = "dport" if policy.direction == "inbound" else "sport"
        ports = payload("tcp", field, numbers((port, port) for port in ssh_ports()))
        wanted.append(Wanted(chain, last, [ports, _ACCEPT]))
    return wanted


def _always(direction: str) -> Iterator[list[Json]]:
    """The conditions of what is allowed before anything else is asked."""
    yield [match({"ct": {"key": "state"}}, {"set": list(KNOWN_CONNECTION)})]
    yield from live.rules(direction)
    yield [meta("iifname" if direction == "inbound" else "oifname", "lo")]
    yield [payload("icmpv6", "type", numbers(_IPV6_NEEDS))]
    local = [_LINK_LOCAL]
    yield [payload("ip6", "saddr", local), payload("udp", "dport", numbers([(_DHCPV6[direction],) * 2]))]
