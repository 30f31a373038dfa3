"""What differs: all packages of a manager held against what is installed, with one look for all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from converge.resources.base import IN_SYNC, Action, Busy, Change, ResourceError, State
from converge.resources.package import locks
from converge.resources.package.choice import choose
from converge.resources.package.manager import Installed, Manager, Offer, Step, Wish

if TYPE_CHECKING:
    from converge.resources.package import Package

AGAIN = 0.25
"""Seconds until it is asked again whether somebody else's transaction has ended: that sends no news of its own."""
LONGEST = 300.0
"""Seconds that commands may take where nothing else is said."""


def inspect(manager: Manager, packages: Sequence[Package]) -> list[State | Exception]:
    """What differs for each of them.

    Busy where something differs while somebody else is changing packages: that cannot be judged yet.
    """
    until = deadline(packages)
    found = compare(manager, packages, until)
    if any(isinstance(each, tuple) and each for each in found):
        if who := locks.holder(manager.root):
            return [each if isinstance(each, Exception) or not each else _busy(who) for each in found]
        _tell_what_else(manager, packages, found, until)
    return found


def compare(manager: Manager, packages: Sequence[Package], until: float) -> list[State | Exception]:
    """What differs for each of them, whoever may be at work."""
    installed = manager.installed([package.name for package in packages], until)
    offers = _offers(manager, packages, installed, until)
    found: list[State | Exception] = []
    for package in packages:
        try:
            refuse_impossible(manager, package)
            found.append(differences(manager, package, installed.get(package.name), offers.get(package.name)))
        except ResourceError as error:
            found.append(error)
    return found


def deadline(packages: Sequence[Package]) -> float:
    """When the commands for these have to have ended."""
    return time.monotonic() + max(package.seconds() or LONGEST for package in packages)


def _busy(who: str) -> Busy:
    return Busy(f"waits for {who}, which is changing packages", again=AGAIN)


def refuse_impossible(manager: Manager, package: Package) -> None:
    """Raises where this manager cannot do what is declared."""
    if package.hold is not None and not manager.holds:
        raise ResourceError(f"{manager.name} cannot hold a package at its version; leave hold out")
    if package.conffiles == "replace" and manager.name != "apt":
        raise ResourceError(f"conffiles is for dpkg, and {manager.name} has no such thing; leave it out")


def _offers(
    manager: Manager, packages: Sequence[Package], installed: Mapping[str, Installed], until: float
) -> Mapping[str, Offer]:
    """What could be installed; asked only for what is to be the newest."""
    names = [package.name for package in packages if package.state == "latest" and package.name in installed]
    return manager.offers(names, until) if names else {}


def differences(manager: Manager, package: Package, found: Installed | None, offer: Offer | None) -> State:
    """What differs for one package."""
    there = found is not None and not found.provided
    if package.absent():
        return (Change("package", found.version, None, "remove"),) if found is not None and there else IN_SYNC
    if found is None or (found.provided and package.version is not None):
        missing = Change("package", None, package.version or "present", "create")
        return (missing, Change("hold", None, "held")) if package.hold else (missing,)
    if found.provided:
        return IN_SYNC
    changes = []
    if found.broken:
        changes.append(Change("package", found.broken, "installed"))
    if package.version is not None and not manager.fits(found.version, package.version):
        changes.append(Change("version", found.version, package.version))
    elif package.state == "latest" and offer and offer.best and manager.is_newer(offer.best, found.version):
        changes.append(Change("version", found.version, offer.best))
    if package.hold is not None and package.hold != found.hold:
        changes.append(Change("hold", _held(found.hold), _held(package.hold)))
    return tuple(changes)


def _held(hold: bool) -> str:
    return "held" if hold else "not held"


def wish_for(package: Package, state: State) -> Wish | None:
    """What has to be installed for this state; None where nothing has."""
    if not any(change.property in ("package", "version") for change in state):
        return None
    return Wish(package.name, package.version, any(c.property == "package" and c.from_ is not None for c in state))


# --- what else would come or go -----------------------------------------------------------------------------------


def _tell_what_else(
    manager: Manager, packages: Sequence[Package], found: list[State | Exception], until: float
) -> None:
    """Add to what was found what else the transactions would bring or take away."""
    wishes: dict[int, Wish] = {}
    unwanted: dict[int, str] = {}
    for position, (package, state) in enumerate(zip(packages, found, strict=True)):
        if isinstance(state, Exception) or not state:
            continue
        if package.absent():
            unwanted[position] = package.name
        elif wish := wish_for(package, state):
            wishes[position] = wish
    _add_steps(manager, found, list(wishes), list(wishes.values()), [], until)
    _add_steps(manager, found, list(unwanted), [], list(unwanted.values()), until)


def _add_steps(
    manager: Manager,
    found: list[State | Exception],
    positions: Sequence[int],
    wishes: Sequence[Wish],
    unwanted: Sequence[str],
    until: float,
) -> None:
    if not positions:
        return
    try:
        steps = manager.simulate(choose(manager, wishes, until), unwanted, until)
    except (ResourceError, OSError):
        if len(positions) == 1:
            return  # an unknown name: a fresh index, or an earlier resource, may bring it; apply has the words for it
        half = len(positions) // 2
        for part in (slice(None, half), slice(half, None)):
            _add_steps(manager, found, positions[part], wishes[part], unwanted[part], until)
        return
    named = {*(wish.name for wish in wishes), *unwanted}
    also = "also" if len(positions) == 1 else "together also"
    extra = tuple(_extra(step, also) for step in steps if step.name not in named)
    after = {step.name: step.after for step in steps}
    for position, wish in zip(positions, wishes, strict=False):
        found[position] = _with_version(found[position], after.get(wish.name))
    first = found[positions[0]]
    found[positions[0]] = first if isinstance(first, Exception) else first + extra


def _with_version(state: State | Exception, version: str | None) -> State | Exception:
    """What was found, now that it is known in which version a missing package would come."""
    if isinstance(state, Exception) or version is None:
        return state
    return tuple(replace(change, to=version) if change.action == "create" else change for change in state)


def _extra(step: Step, also: str) -> Change:
    action: Action = "create" if step.before is None else "remove" if step.after is None else "update"
    return Change(f"{also} {step.name}", step.before, step.after, action)
