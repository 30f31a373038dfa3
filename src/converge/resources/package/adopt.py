"""Declares a package that is installed."""

from __future__ import annotations

import time

from converge.core.errors import ResourceError
from converge.core.resource import Adopted
from converge.resources.package import Package
from converge.resources.package.check import LONGEST
from converge.resources.package.managers import this_manager
from converge.resources.package.validation import name_mistake


def adopt_package(name: str) -> Adopted:
    """The package, in whatever version; that is only told."""
    if why := name_mistake(name):
        raise ResourceError(why)
    found = this_manager().installed([name], time.monotonic() + LONGEST).get(name)
    if found is None:
        raise ResourceError(f"the package {name} is not installed")
    if found.broken:
        raise ResourceError(f"the package {name} is {found.broken}; let the package manager end that first")
    if found.provided:
        return Adopted(Package(name), ("Another package provides it.",))
    return Adopted(Package(name, hold=found.hold or None), (f"Installed is {found.version}.",))
