"""Level 1 of the CIS benchmark for Windows Server 2022, as a member server."""

from __future__ import annotations

from collections.abc import Iterable

from converge.blueprints.run import Run
from converge.core.platform import Platform
from converge.shipped.cis import rule
from converge.shipped.cis.windows.tables import GUARDS, Options, Rule

NAME = "Windows"


def rules() -> tuple[Rule, ...]:
    """All recommendations, in the order of their numbers."""
    from converge.shipped.cis.windows import (
        accounts,
        audit,
        components,
        firewall,
        hardening,
        network,
        optional,
        options,
        protection,
        services,
        sharing,
        system,
    )

    return (
        *accounts.RULES, *options.RULES, *sharing.RULES, *firewall.RULES, *audit.RULES, *hardening.RULES,
        *network.RULES, *system.RULES, *components.RULES, *protection.RULES,
        *optional.RULES, *services.RULES,
    )  # fmt: skip


def declare(r: Run, wanted: Iterable[Rule], given: Options) -> None:
    """Declare these recommendations; those that can lock somebody out only where that is wanted."""
    rule.declare(r, wanted, given, GUARDS)


def edition(_platform: Platform, _given: Options) -> str:
    """There is one."""
    return ""


__all__ = ["NAME", "Options", "declare", "edition", "rules"]
