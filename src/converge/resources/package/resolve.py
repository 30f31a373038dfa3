"""Which version to install, where what is wanted is a pattern, or the manager has no choice."""

from __future__ import annotations

from collections.abc import Sequence

from converge.resources.package.manager import Manager, ManagerError, Offer, Wish
from converge.resources.package.validation import is_pattern

_SHOWN = 5


def choose(manager: Manager, wishes: Sequence[Wish], until: float) -> list[Wish]:
    """The wishes, each with a version that the manager can be told, or with none.

    Asks for what is on offer only where that is needed. Raises ManagerError where there is no such version.
    """
    names = [wish.name for wish in wishes if wish.version and (is_pattern(wish.version) or not manager.pins)]
    offers = manager.offers(names, until) if names else {}
    chosen = set(names)
    return [_choose(manager, wish, offers.get(wish.name)) if wish.name in chosen else wish for wish in wishes]


def _choose(manager: Manager, wish: Wish, offer: Offer | None) -> Wish:
    if offer is None or not offer.versions:
        raise ManagerError(f"{manager.name} knows no package {wish.name} that could be installed", "refresh")
    wanted = wish.version or "*"
    if not manager.pins:
        if not manager.fits(offer.best, wanted):
            said = f"{manager.name} can only install the newest version of {wish.name}, {offer.best}, not {wanted}"
            raise ManagerError(said, "refresh")
        return wish._replace(version=None)
    for version in offer.versions:  # the newest first
        if manager.fits(version, wanted):
            return wish._replace(version=version)
    have = ", ".join(offer.versions[:_SHOWN])
    raise ManagerError(f"no version {wanted} of {wish.name} can be had; there are {have}", "refresh")
