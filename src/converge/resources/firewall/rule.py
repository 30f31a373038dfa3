"""``firewall``: one declared rule."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, ClassVar, Literal, TypeAlias

from converge.resources.base import FirewallChanged, LinkChanged, Need, Resource, State, Trigger, Uses, Verb

Protocol: TypeAlias = Literal["tcp", "udp", "both", "icmp", "any"]
Direction: TypeAlias = Literal["inbound", "outbound"]
Verdict: TypeAlias = Literal["allow", "block", "reject"]


@dataclass(frozen=True, slots=True)
class Firewall(Resource):
    """A rule of the packet filter, in nftables' table ``inet converge`` that is ours alone."""

    kind: ClassVar[str] = "firewall"
    platforms = ("linux",)
    at_once = True

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
    """The names of all rules of the blueprint, in its order; None until :meth:`among` told."""
    # Any: rules as table.py has them, which a declaration alone does not need.
    _wanted: list[Any] | None = field(default=None, init=False, repr=False, compare=False)
    """What it is to the kernel, once that was asked: it follows from the declaration alone."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        from converge.resources.firewall.mistakes import mistakes

        return mistakes(self)

    def absent(self) -> bool:
        return self.state == "absent"

    def among(self, ids: Collection[str]) -> Firewall:
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

    def why_root(self) -> str | None:
        return None if os.geteuid() == 0 else "only root can change the firewall"

    def group_key(self, verb: Verb) -> str | None:
        return verb

    # --- what it does -------------------------------------------------------------------------------------

    @classmethod
    def check_many(cls, resources: Sequence[Firewall]) -> Iterator[State | Exception]:
        from converge.resources.firewall import rules

        return rules.check(resources)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Firewall, State]]) -> Iterator[Exception | None]:
        from converge.resources.firewall import rules

        return rules.apply(work)


_last: tuple[Collection[str], tuple[str, ...]] = ((), ())


def rule_names(ids: Collection[str]) -> tuple[str, ...]:
    """The names of all rules in a blueprint, in its order. One tuple for all that ask about the same blueprint."""
    global _last  # noqa: PLW0603 - only spares work: thousands of rules ask the same in turn
    if _last[0] is not ids:
        prefix = f"{Firewall.kind}:"
        _last = ids, tuple(id.removeprefix(prefix) for id in ids if id.startswith(prefix))
    return _last[1]
