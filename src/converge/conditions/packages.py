"""Conditions on installed packages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from converge.core.condition import Condition
from converge.core.trigger import Trigger

_PATIENCE = 60.0
"""Seconds that the package manager has for its answer, where one has to be asked."""


@dataclass(frozen=True, slots=True)
class PackageInstalled(Condition):
    """A package is installed, wholly, or one that provides it."""

    platforms = ("linux",)

    name: str

    def met(self) -> bool:
        from converge.resources.package.managers import this_manager

        found = this_manager().installed([self.name], time.monotonic() + _PATIENCE).get(self.name)
        return found is not None and not found.broken

    def triggers(self) -> Sequence[Trigger]:
        from converge.resources.package.managers import news_of

        return news_of()

    def __str__(self) -> str:
        return f"package_installed({self.name})"


def package_installed(name: str) -> Condition:
    """Holds while this package is installed, as the machine's own package manager sees it."""
    from converge.resources.package.validation import name_mistake

    if why := name_mistake(name):
        raise ValueError(f"package_installed: {why}")
    return PackageInstalled(name)
