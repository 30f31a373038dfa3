"""Our table: what is in it, and the one transaction that puts right what differs."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from converge.resources.firewall.nftables import nft
from converge.resources.firewall.nftables.comments import Place, Tag, parse
from converge.resources.firewall.nftables.expressions import Expression, Shape, shape
from converge.resources.firewall.nftables.nft import TABLE, Json

CHAINS: Final = {"inbound": "input", "outbound": "output"}
_PRIORITY: Final = 0
"""The priority of nftables' own ``filter``: after connection tracking and the translation of destinations."""
_HARMLESS_FLAGS: Final = {"owner", "persist"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule as it is to be."""

    chain: str
    comment: str
    expression: Expression

    def essence(self) -> tuple[str, str, Shape]:
        return self.chain, self.comment, shape(self.expression)


@dataclass(frozen=True, slots=True)
class Listed:
    """A rule as it is."""

    chain: str
    handle: int
    comment: str
    expression: Expression
    tag: Tag | None
    place: Place | None
    """None where it is not ours."""

    def essence(self) -> tuple[str, str, Shape]:
        return self.chain, self.comment, shape(self.expression)


@dataclass(slots=True)
class Chain:
    """One of our two chains."""

    policy: str
    attached: bool
    """Whether the kernel passes packets through it as it should."""
    rules: list[Listed] = field(default_factory=list)


class Table:
    """Our table at one moment. Raises NftError or NotYet where it cannot be read."""

    def __init__(self, ranks: dict[str, int]) -> None:
        self.ranks = ranks
        self.dormant = False
        self.chains: dict[str, Chain] = {}
        self.sets: set[str] = set()
        self.by_owner: dict[str, list[Listed]] = {}
        for each in nft.list_table() or ():
            self._read(each)
        self.misplaced = {
            rule.handle for chain in self.chains.values() for rule in _out_of_order(chain.rules)
        }  # fmt: skip

    def _read(self, each: Json) -> None:
        match each:
            case {"table": {"flags": flags}}:
                # nftables 1.0.6 says the table's name instead of the flag's; those that do no harm are known by theirs.
                self.dormant = not {*([flags] if isinstance(flags, str) else flags)} <= _HARMLESS_FLAGS
            case {"set": dict(how)}:
                self.sets.add(how["name"])
            case {"chain": dict(how)} if how["name"] in CHAINS.values():
                name = how["name"]
                attached = how.get("hook") == name and how.get("prio") == _PRIORITY and how.get("type") == "filter"
                self.chains[name] = Chain(how.get("policy", "accept"), attached)
            case {"rule": dict(rule)} if rule["chain"] in self.chains:
                self._add(rule["chain"], rule["handle"], rule.get("comment", ""), rule.get("expr", []))

    def _add(self, chain: str, handle: int, comment: str, expression: list[Json]) -> None:
        tag = parse(comment)
        rule = Listed(chain, handle, comment, expression, tag, tag and tag.place(self.ranks))
        self.chains[chain].rules.append(rule)
        if tag is not None:
            self.by_owner.setdefault(tag.owner, []).append(rule)

    def of(self, owner: str) -> list[Listed]:
        """The rules of one resource."""
        return self.by_owner.get(owner, [])

    def effective(self, chain: str) -> bool:
        """Whether the kernel asks the chain at all, where it exists."""
        return not self.dormant and (chain not in self.chains or self.chains[chain].attached)

    def right(self, owner: str, wanted: Sequence[Wanted]) -> bool:
        """Whether a resource has the rules that it wants, no others, and in their place."""
        there = self.of(owner)
        if not (_alike(there, wanted) or _same(there, wanted)):
            return False
        return self.misplaced.isdisjoint(rule.handle for rule in there) and all(
            self.effective(rule.chain) for rule in wanted
        )

    # --- putting right ------------------------------------------------------------------------------------

    def change(
        self, wanted: Iterable[tuple[str, Sequence[Wanted]]], policies: dict[str, str] | None = None
    ) -> list[Json]:
        """The transaction after which these owners have the rules that they want, and the chains these policies."""
        wrong = [(owner, rules) for owner, rules in wanted if not self.right(owner, rules)]
        gone = {rule.handle for owner, _ in wrong for rule in self.of(owner)}
        new = [rule for _, rules in wrong for rule in rules]
        chains = {rule.chain for rule in new} | (policies or {}).keys()
        commands: list[Json] = [{"add": {"table": TABLE}}] if chains else []  # which also wakes one that is dormant
        kept: dict[str, list[Listed]] = {}
        for name in sorted(chains):
            kept[name] = []
            commands += self._attach(name, kept[name], gone)
        commands += [
            {"delete": {"rule": {**_in(rule.chain), "handle": rule.handle}}}
            for chain in self.chains.values()
            for rule in chain.rules
            if rule.handle in gone
        ]
        commands += (self._placed(rule, kept[rule.chain]) for rule in self._in_order(new))
        commands += ({"add": {"chain": _base(name, policy)}} for name, policy in (policies or {}).items())
        return commands

    def _attach(self, name: str, kept: list[Listed], gone: set[int]) -> Iterator[Json]:
        """Make a chain, where it is not there as it should be; ``kept`` becomes what stays in it."""
        chain = self.chains.get(name)
        if chain is None:
            yield {"add": {"chain": _base(name, "accept")}}
        elif chain.attached:
            kept += (rule for rule in chain.rules if rule.handle not in gone)
        else:
            # How a chain is attached cannot be changed. What others have in it is put into the new one.
            yield {"flush": {"chain": _named(name)}}
            yield {"delete": {"chain": _named(name)}}
            yield {"add": {"chain": _base(name, chain.policy)}}
            for rule in chain.rules:
                if rule.handle not in gone:
                    yield _rule("add", name, rule.expression, rule.comment)
            gone.difference_update(rule.handle for rule in chain.rules)

    def _in_order(self, new: Sequence[Wanted]) -> list[Wanted]:
        return sorted(new, key=self._place)

    def _place(self, rule: Wanted) -> Place:
        tag = parse(rule.comment)
        return (1,) if tag is None else tag.place(self.ranks)

    def _placed(self, rule: Wanted, kept: Sequence[Listed]) -> Json:
        """Add a rule before the first that comes after it, else at the end."""
        place = self._place(rule)
        for other in kept:
            if other.place is not None and other.place > place:
                return _rule("insert", rule.chain, rule.expression, rule.comment, other.handle)
        return _rule("add", rule.chain, rule.expression, rule.comment)


def _alike(there: Sequence[Listed], wanted: Sequence[Wanted]) -> bool:
    """Whether they are listed in the very words in which we add them, as they mostly are; quick to see."""
    return len(there) == len(wanted) and all(
        one.chain == other.chain and one.comment == other.comment and one.expression == other.expression
        for one, other in zip(there, wanted, strict=True)
    )


def _same(there: Sequence[Listed], wanted: Sequence[Wanted]) -> bool:
    """Whether they mean the same."""
    return Counter(rule.essence() for rule in there) == Counter(rule.essence() for rule in wanted)


def _out_of_order(rules: Sequence[Listed]) -> Iterator[Listed]:
    """The fewest of our rules that have to move for all of them to be in order: those off the longest rising row."""
    ours = [(rule.place, rule) for rule in rules if rule.place is not None]
    ends: list[Place] = []
    lengths: list[int] = []
    for place, _ in ours:
        at = bisect_right(ends, place)
        ends[at:at + 1] = [place]  # fmt: skip
        lengths.append(at + 1)
    left = len(ends)
    for (_, rule), length in zip(reversed(ours), reversed(lengths), strict=True):
        if length == left:
            left -= 1
        else:
            yield rule


def _named(chain: str) -> Json:
    return {"family": TABLE["family"], "table": TABLE["name"], "name": chain}


def _in(chain: str) -> Json:
    return {"family": TABLE["family"], "table": TABLE["name"], "chain": chain}


def _base(chain: str, policy: str) -> Json:
    return {**_named(chain), "type": "filter", "hook": chain, "prio": _PRIORITY, "policy": policy}


def _rule(verb: str, chain: str, expression: Expression, comment: str, handle: int | None = None) -> Json:
    placed = {} if handle is None else {"handle": handle}
    named = {"comment": comment} if comment else {}
    return {verb: {"rule": {**_in(chain), **placed, "expr": list(expression), **named}}}
