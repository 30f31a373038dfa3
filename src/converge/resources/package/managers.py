"""The package managers that are known, each loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from converge.core.errors import ResourceError
from converge.core.platform import this_platform
from converge.core.trigger import PathChanged
from converge.resources.package.manager import Manager

CLASSES: Final = {
    "apt": "converge.resources.package.apt:Apt",
    "dnf": "converge.resources.package.dnf:Dnf",
    "yum": "converge.resources.package.dnf:Yum",
    "zypper": "converge.resources.package.zypper:Zypper",
    "apk": "converge.resources.package.apk:Apk",
    "pacman": "converge.resources.package.pacman:Pacman",
}


def this_manager(name: str | None = None) -> Manager:
    """The manager of this name, or else the machine's own."""
    return manager_called(name or this_platform().package_manager)


def news_of(name: str | None = None, *, index: bool = False) -> Sequence[PathChanged]:
    """What would tell that packages changed, with ``index`` also that others can be had.

    Nothing where there is no manager: that is said when it is to do something.
    """
    try:
        manager = this_manager(name)
    except ResourceError:
        return ()
    return [*manager.news(), *(manager.index_news() if index else ())]


def manager_called(name: str) -> Manager:
    """The manager of this name."""
    place = CLASSES.get(name)
    if place is None:
        raise ResourceError(
            f"no package manager called {name!r} is known; known are {', '.join(CLASSES)}"
            if name
            else "this machine has no package manager that converge knows; it looked for " + ", ".join(CLASSES)
        )
    module, _, cls = place.partition(":")
    manager: Manager = getattr(import_module(module), cls)()
    return manager
