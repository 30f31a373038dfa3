"""``firewall_policy``: what happens to packets that no declared rule decides about."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import ClassVar, Literal

from converge.core.change import Changes, Verb
from converge.core.resource import Need, Resource, Uses
from converge.core.trigger import FirewallChanged, PathChanged, Trigger
from converge.resources.firewall.rule import Direction, rule_names


@dataclass(frozen=True, slots=True)
class FirewallPolicy(Resource):
    """What happens to packets that no rule of ``r.firewall`` decides about.

    With ``block``, what belongs to a connection that exists, the loopback interface, and what IPv6 itself needs
    (neighbour discovery, multicast membership, DHCPv6) stay allowed, and so does SSH unless ``keep_ssh=False``.
    """

    kind: ClassVar[str] = "firewall_policy"
    platforms = ("linux",)
    batch_check = True

    direction: Direction
    """``inbound`` to this machine or ``outbound`` from it; its id is ``firewall_policy:DIRECTION``."""
    action: Literal["allow", "block"]
    """``allow`` or ``block``."""
    _: KW_ONLY
    keep_ssh: bool = True
    """Allow the port that the SSH server listens on, whatever that is, where no declared rule says otherwise."""

    peers: tuple[str, ...] | None = field(default=None, init=False, repr=False)
    """The names of all rules of the blueprint, in its order; None until :meth:`with_declared_ids` told."""

    def identity(self) -> str:
        return self.direction

    def with_declared_ids(self, ids: Collection[str]) -> FirewallPolicy:
        copy = replace(self)
        object.__setattr__(copy, "where", self.where)
        object.__setattr__(copy, "peers", rule_names(ids))
        return copy

    def needs(self) -> Sequence[Need]:
        return (Uses("package:nftables"),)

    def triggers(self) -> Sequence[Trigger]:
        if self.action == "allow" or not self.keep_ssh:
            return (FirewallChanged(),)
        from converge.resources.firewall.nftables.ssh_ports import CONFIGURATION

        return (FirewallChanged(), *(PathChanged(path, deep=True) for path in CONFIGURATION))

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "only root can change the firewall"

    def group_key(self, verb: Verb) -> str | None:
        return verb

    @classmethod
    def check_many(cls, resources: Sequence[FirewallPolicy]) -> Iterator[Changes | Exception]:
        from converge.resources.firewall.nftables import default_policies

        return default_policies.check(resources)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[FirewallPolicy, Changes]]) -> Iterator[Exception | None]:
        from converge.resources.firewall.nftables import default_policies

        return default_policies.apply(work)
