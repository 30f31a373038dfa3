"""Level 1 of the CIS benchmark for macOS 15."""

from __future__ import annotations

from collections.abc import Iterable

from converge.blueprints.run import Run
from converge.core.errors import ConvergeError
from converge.core.platform import Platform
from converge.shipped.cis import rule
from converge.shipped.cis.darwin.tables import GUARDS, Options, Rule

NAME = "macOS"


def rules() -> tuple[Rule, ...]:
    """All recommendations, in the order of their numbers."""
    from converge.shipped.cis.darwin import access, settings, sharing, system

    return (*settings.UPDATES, *sharing.RULES, *settings.RULES, *system.RULES, *access.RULES)


def declare(r: Run, wanted: Iterable[Rule], given: Options) -> None:
    """Declare these recommendations; those that can lock somebody out only where that is wanted."""
    for name, value in given._asdict().items():
        if isinstance(value, int) and value < 1:
            raise ConvergeError(f"{name} takes a number from 1 up, not {value}")
    rule.declare(r, wanted, given, GUARDS)


def edition(_platform: Platform, _given: Options) -> str:
    """There is one."""
    return ""


__all__ = ["NAME", "Options", "declare", "edition", "rules"]
