"""What differs: all packages of a manager held against what is installed, with one look for all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from converge.core.change import IN_SYNC, Action, Change, Changes
from converge.core.errors import Busy, ResourceError
from converge.resources.package import locks
from converge.resources.package.conflicts import Conflict, Declared, conflict, culprits, exclude
from converge.resources.package.manager import Installed, Manager, Offer, Step, Wish
from converge.resources.package.resolve import choose

if TYPE_CHECKING:
    from converge.resources.package import Package

AGAIN = 0.25
"""Seconds until it is asked again whether somebody else's transaction has ended: that sends no news of its own."""
CONFIGURED = "configured"
"""What a package is to be that is there, but for its configuration."""
LONGEST = 300.0
"""Seconds that commands may take where nothing else is said."""


def inspect(manager: Manager, packages: Sequence[Package]) -> list[Changes | Exception]:
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


def compare(manager: Manager, packages: Sequence[Package], until: float) -> list[Changes | Exception]:
    """What differs for each of them, whoever may be at work."""
    installed = manager.installed([package.name for package in packages], until)
    offers = _offers(manager, packages, installed, until)
    found: list[Changes | Exception] = []
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
    if package.recommends is not None and not manager.recommends:
        raise ResourceError(f"{manager.name} never installs what is only recommended; leave recommends out")


def _offers(
    manager: Manager, packages: Sequence[Package], installed: Mapping[str, Installed], until: float
) -> Mapping[str, Offer]:
    """What could be installed; asked only for what is to be the newest."""
    names = [package.name for package in packages if package.state == "latest" and package.name in installed]
    return manager.offers(names, until) if names else {}


def differences(manager: Manager, package: Package, found: Installed | None, offer: Offer | None) -> Changes:
    """What differs for one package."""
    there = found is not None and not found.provided
    if package.is_removal():
        return (Change("package", found.version, None, "remove"),) if found is not None and there else IN_SYNC
    if found is None or (found.provided and package.version is not None):
        missing = Change("package", None, package.version or "present", "create")
        return (missing, Change("hold", None, "held")) if package.hold else (missing,)
    if found.provided:
        return IN_SYNC
    changes = []
    if found.broken:
        changes.append(Change("package", found.broken, CONFIGURED if found.unpacked else "installed"))
    if package.version is not None and not manager.fits(found.version, package.version):
        changes.append(Change("version", found.version, package.version))
    elif package.state == "latest" and offer and offer.best and manager.is_newer(offer.best, found.version):
        changes.append(Change("version", found.version, offer.best))
    if package.hold is not None and package.hold != found.hold:
        changes.append(Change("hold", _held(found.hold), _held(package.hold)))
    return tuple(changes)


def _held(hold: bool) -> str:
    return "held" if hold else "not held"


def wish_for(package: Package, state: Changes) -> Wish | None:
    """What has to be installed for this state; None where nothing has."""
    due = [change for change in state if change.property in ("package", "version") and change.to != CONFIGURED]
    if not due:
        return None
    broken = any(change.property == "package" and change.from_ is not None for change in due)
    return Wish(package.name, package.version, broken, package.recommends)


# --- what else would come or go -----------------------------------------------------------------------------------


def _tell_what_else(
    manager: Manager, packages: Sequence[Package], found: list[Changes | Exception], until: float
) -> None:
    """Add to what was found what else the transactions would bring or take away; what would undo another declared
    package is an error of both.
    """
    wishes: dict[int, Wish] = {}
    unwanted: dict[int, str] = {}
    for position, (package, state) in enumerate(zip(packages, found, strict=True)):
        if isinstance(state, Exception) or not state:
            continue
        if package.is_removal():
            unwanted[position] = package.name
        elif wish := wish_for(package, state):
            wishes[position] = wish
    # Separate transactions, as in Package.group_key.
    for recommends in (None, True, False):
        alike = {position: wish for position, wish in wishes.items() if wish.recommends is recommends}
        _Group(manager, packages, found, alike, until).examine(list(alike))
    _Group(manager, packages, found, unwanted, until).examine(list(unwanted))


class _Group:
    """What is to be installed, or else removed, in one transaction as far as that goes."""

    def __init__(
        self,
        manager: Manager,
        packages: Sequence[Package],
        found: list[Changes | Exception],
        due: Mapping[int, Wish] | Mapping[int, str],
        until: float,
    ) -> None:
        self.manager = manager
        self.packages = packages
        self.found = found
        self.due = due
        self.until = until

    def examine(self, positions: Sequence[int]) -> bool:
        """Whether all of them can be simulated, in parts at least, before any of them was found in a conflict."""
        if not positions:
            return True
        try:
            steps = self._simulate(positions)
        except (ResourceError, OSError) as error:
            if len(positions) == 1:
                # An unknown name: a fresh index, or an earlier resource, may bring it; apply has the words for it.
                return False
            half = len(positions) // 2
            left, right = positions[:half], positions[half:]
            fine = [self.examine(part) for part in (left, right)]
            if all(fine):
                self._exclude(left, right, error)
            return all(fine)
        if self._is_conflict(positions, steps):
            if len(positions) > 1:
                half = len(positions) // 2
                for part in (positions[:half], positions[half:]):
                    self.examine(part)
            return False
        self._add(positions, steps)
        return True

    def _simulate(self, positions: Sequence[int]) -> Sequence[Step]:
        due = [self.due[position] for position in positions]
        wishes = choose(self.manager, [each for each in due if isinstance(each, Wish)], self.until)
        return self.manager.simulate(wishes, [each for each in due if isinstance(each, str)], self.until)

    def _fails(self, positions: Sequence[int]) -> bool:
        try:
            self._simulate(positions)
        except (ResourceError, OSError):
            return True
        return False

    def _exclude(self, left: Sequence[int], right: Sequence[int], error: Exception) -> None:
        """Those of two halves that cannot be together; without them, the others may be."""
        guilty = culprits(left, right, self._fails)
        if len(guilty) > 2:
            return  # no pair explains it; apply has the words for it
        try:
            self._simulate(guilty)
        except (ResourceError, OSError) as raised:
            error = raised
        self._fail(guilty, exclude([self.packages[position] for position in guilty], error))
        rest = [position for position in (*left, *right) if position not in guilty]
        if self._fails(rest) and len(rest) > 1:
            half = len(rest) // 2
            self._exclude(rest[:half], rest[half:], error)

    def _is_conflict(self, positions: Sequence[int], steps: Sequence[Step]) -> bool:
        packages = [self.packages[position] for position in positions]
        declared: Declared | None = packages[0].others
        if declared is None:
            return False
        others = list(declared.clashes(self.manager, packages[0], steps, {package.name for package in packages}))
        if others and len(positions) == 1:
            names = {other.name for other in others}
            both = [at for at, package in enumerate(self.packages) if package.name in names]
            self._fail([*positions, *both], conflict(self.manager, packages, others, steps))
        return bool(others)

    def _fail(self, positions: Sequence[int], error: Conflict) -> None:
        for position in positions:
            self.found[position] = error

    def _add(self, positions: Sequence[int], steps: Sequence[Step]) -> None:
        named = {self.packages[position].name for position in positions}
        also = "also" if len(positions) == 1 else "together also"
        extra = tuple(_extra(step, also) for step in steps if step.name not in named)
        after = {step.name: step.after for step in steps}
        for position in positions:
            if isinstance(self.due[position], Wish):
                self.found[position] = _with_version(self.found[position], after.get(self.packages[position].name))
        first = self.found[positions[0]]
        self.found[positions[0]] = first if isinstance(first, Exception) else first + extra


def _with_version(state: Changes | Exception, version: str | None) -> Changes | Exception:
    """What was found, now that it is known in which version a missing package would come."""
    if isinstance(state, Exception) or version is None:
        return state
    return tuple(replace(change, to=version) if change.action == "create" else change for change in state)


def _extra(step: Step, also: str) -> Change:
    action: Action = "create" if step.before is None else "remove" if step.after is None else "update"
    return Change(f"{also} {step.name}", step.before, step.after, action)
