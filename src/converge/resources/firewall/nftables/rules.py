"""Checking and applying declared rules: one look at the table for all of them, one transaction for what differs."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import Busy, ResourceError
from converge.resources.firewall.nftables import nft
from converge.resources.firewall.nftables.comments import file_mark, rule_comment
from converge.resources.firewall.nftables.expressions import expressions, words
from converge.resources.firewall.nftables.nft import Json, NftError
from converge.resources.firewall.nftables.table import CHAINS, Listed, Table, Wanted

if TYPE_CHECKING:
    from converge.resources.firewall.rule import Firewall

_UNDECLARED = "undeclared rule "


def check(resources: Sequence[Firewall]) -> Iterator[Changes | Exception]:
    """What differs, for each."""
    try:
        table = Table(ranks(resources[0].peers))
    except NftError as error:
        for rule in resources:
            yield unreadable(error, _wanted_words(rule))
        return
    told: set[str] = set()
    for rule in resources:
        try:
            state = _check(rule, table)
        except ResourceError as error:
            yield error
            continue
        mark = file_mark(rule.where.file)
        if mark not in told:
            told.add(mark)
            state = (*state, *_stale_changes(rule, table))
        yield state


def apply(work: Sequence[tuple[Firewall, Changes]]) -> Iterator[Exception | None]:
    """Put right what differs, all at once; if the kernel refuses that, one by one, so that only the bad one fails."""
    try:
        _apply(work)
    except NftError as error:
        if len(work) > 1:
            for each in work:
                yield from apply([each])
        else:
            yield refused(error)
        return
    except Busy as error:
        yield from (error for _ in work)
        return
    yield from (None for _ in work)


def _apply(work: Sequence[tuple[Firewall, Changes]]) -> None:
    with nft.LOCK:
        table = Table(ranks(work[0][0].peers))
        wanted: list[tuple[str, Sequence[Wanted]]] = [(_owner(rule), _wanted(rule)) for rule, _ in work]
        for rule, state in work:
            if any(change.property.startswith(_UNDECLARED) for change in state):
                wanted += [(owner, ()) for owner in _stale(rule, table)]
        commit(table, table.change(wanted))


def commit(table: Table, commands: Sequence[Json]) -> None:
    """Do it. Raises NftError, but Busy where somebody else changed the table since we looked."""
    if not commands:
        return
    try:
        nft.run(commands)
    except NftError:
        now = Table(table.ranks)
        if (now.chains, now.dormant) != (table.chains, table.dormant):
            raise Busy("somebody else is changing the firewall at this moment", again=0.05, at_most=30.0) from None
        raise


def ranks(peers: tuple[str, ...] | None) -> dict[str, int]:
    """The position of each declared rule in the blueprint."""
    return {name: rank for rank, name in enumerate(peers or ())}


def unreadable(error: NftError, to: str | None) -> Changes | Exception:
    """What a check says when the kernel does not show its tables."""
    if nft.readable():
        return refused(error)
    return (Change("rule", "unknown (only root can read the firewall)", to, "unknown"),)


def refused(error: NftError) -> ResourceError:
    """The sentence for what nftables said."""
    return ResourceError(f"nftables: {error}")


def shown(rules: Sequence[Wanted | Listed]) -> str:
    """Rules for a person."""
    return "; ".join(words(rule.expression) for rule in rules)


def _check(rule: Firewall, table: Table) -> Changes:
    wanted, there = _wanted(rule), table.of(_owner(rule))
    if table.right(_owner(rule), wanted):
        return IN_SYNC
    if rule.is_removal():
        return (Change("rule", shown(there), None, "remove"),)
    if not there:
        _need_interface(rule)
        return (Change("rule", None, shown(wanted), "create"),)
    if not table.effective(CHAINS[rule.direction]):
        return (Change("chain", "not asked by the kernel", "asked for every packet"),)
    before, after = shown(there), shown(wanted)
    if before != after:
        return (Change("rule", before, after),)
    if any(one.handle in table.misplaced for one in there):
        return (Change("order", "out of its place", "in its place"),)
    return (Change("rule", f"{before} (as declared elsewhere)", after),)


def _need_interface(rule: Firewall) -> None:
    """The kernel takes any name; a misspelt one would be a rule that never does anything."""
    if rule.interface is None or rule.interface.endswith("*"):
        return
    try:
        socket.if_nametoindex(rule.interface)
    except OSError as error:
        raise ResourceError(
            f"there is no network interface {rule.interface}; for one that comes later, "
            f'add condition=network_interface("{rule.interface}")'
        ) from error


def _stale(rule: Firewall, table: Table) -> list[str]:
    """Owners of rules that were declared in the same file as this one, and are no more."""
    if rule.peers is None:
        return []
    mark, declared = file_mark(rule.where.file), set(rule.peers)
    return [
        owner
        for owner, rules in table.by_owner.items()
        if any(one.tag and one.tag.file == mark and one.tag.name() not in declared for one in rules)
    ]


def _stale_changes(rule: Firewall, table: Table) -> Changes:
    return tuple(
        Change(_UNDECLARED + owner.partition(" ")[2], shown(table.of(owner)), None, "remove")
        for owner in _stale(rule, table)
    )


def _owner(rule: Firewall) -> str:
    return f"rule {rule.name}"


def _wanted(rule: Firewall) -> list[Wanted]:
    if rule.is_removal():
        return []
    known: list[Wanted] | None = rule._wanted
    if known is None:
        comment = rule_comment(rule.name, rule.order, rule.where.file)
        known = [Wanted(CHAINS[rule.direction], comment, expression) for expression in expressions(rule)]
        object.__setattr__(rule, "_wanted", known)
    return known


def _wanted_words(rule: Firewall) -> str | None:
    return None if rule.is_removal() else shown(_wanted(rule))
