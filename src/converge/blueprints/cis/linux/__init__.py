"""Level 1 of the CIS benchmarks for a Debian or Ubuntu server."""

from __future__ import annotations

from collections.abc import Iterable

from converge.blueprints.cis.linux.catalogue import Machine, Options, Rule
from converge.declaration import Run

NAME = "Linux"


def rules() -> tuple[Rule, ...]:
    """All recommendations, in the order of their numbers."""
    from converge.blueprints.cis.linux import access, logging, network, services, system

    return (*system.RULES, *services.RULES, *network.RULES, *access.RULES, *logging.RULES)


def declare(r: Run, wanted: Iterable[Rule], given: Options) -> None:
    """Declare these recommendations."""
    from converge.blueprints.cis.linux.gathered import declare_gathered

    machine = Machine(r, given, ubuntu=r.platform.distro == "ubuntu")
    for each in wanted:
        each.declare(machine)
    declare_gathered(machine)


__all__ = ["NAME", "Options", "declare", "rules"]
