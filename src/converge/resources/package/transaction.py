"""Puts packages right: all in one transaction; where that fails, in smaller ones, so that the bad one fails alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from converge.core.change import Changes
from converge.core.errors import Busy, ResourceError
from converge.resources.package import locks
from converge.resources.package.check import AGAIN, CONFIGURED, compare, deadline, wish_for
from converge.resources.package.conflicts import Declared, conflict
from converge.resources.package.manager import Conffiles, Manager, ManagerError, NotOffered, Remedy, Step, Wish
from converge.resources.package.resolve import choose

if TYPE_CHECKING:
    from converge.resources.package import Package

Errors: TypeAlias = "list[Exception | None]"

_PATIENCE = 3600.0
"""Seconds that our own transactions may take before one that waits for them has failed."""
_ours = threading.Lock()
"""Held while this process changes packages."""


def carry_out(manager: Manager, work: Sequence[tuple[Package, Changes]]) -> Errors:
    """Put all of them right; all are to be absent, or none, and all have the same options for a whole transaction.

    Raises Busy where somebody is changing packages already. Only one transaction of ours runs at a time; another
    does not wait for it here, as nobody would see that.
    """
    if not _ours.acquire(blocking=False):
        raise Busy("waits for another transaction of converge", again=AGAIN, at_most=_PATIENCE)
    try:
        if who := locks.holder(manager.root):
            raise Busy(f"waits for {who}", again=AGAIN)
        return _Transaction(manager, work).carry_out()
    finally:
        _ours.release()


class _Transaction:
    def __init__(self, manager: Manager, work: Sequence[tuple[Package, Changes]]) -> None:
        self.manager = manager
        self.packages = [package for package, _ in work]
        self.states = {package.name: state for package, state in work}
        self.until = deadline(self.packages)
        self.conffiles: Conffiles = self.packages[0].conffiles
        self.newest = self.packages[0].state == "latest"
        self.tried: set[str] = set()
        """Remedies are taken once."""
        self.index_is_new = False
        self.errors: dict[str, Exception] = {}

    def carry_out(self) -> Errors:
        if any(_is_broken(state) for state in self.states.values()):
            self._repair_first()
        self._split([package for package in self.packages if package.is_removal()], self._remove)
        self._install()
        self._hold()
        return [self.errors.get(package.name) for package in self.packages]

    def _repair_first(self) -> None:
        """What an interrupted transaction left is ended before anything else; that may be all that was needed."""
        error: Exception | None = None
        try:
            self._repair()
        except ManagerError as failed:
            error = failed
        self._look_again(self.packages)
        if error is not None:
            self._configure_each(self.packages)
            for package in self.packages:
                if _is_broken(self.states[package.name]) and self._wish(package) is None:
                    self.errors.setdefault(package.name, error)

    def _configure_each(self, packages: Sequence[Package]) -> None:
        """One by one, those that lack only their configuration: what fails then says why, and for which."""
        for package in packages:
            wanted = _is_unpacked(self.states[package.name]) and self._wish(package) is None
            if not wanted or package.name in self.errors:
                continue
            try:
                self.manager.repair(self.conffiles, self.until, [package.name])
            except ManagerError as error:
                self.errors[package.name] = error
            self._look_again([package])

    def _look_again(self, packages: Sequence[Package]) -> None:
        for package, found in zip(packages, compare(self.manager, packages, self.until), strict=True):
            if not isinstance(found, Exception):
                self.states[package.name] = found

    def _remove(self, packages: Sequence[Package]) -> None:
        unwanted = [package.name for package in packages]
        self._refuse_conflicts(packages, self.manager.simulate([], unwanted, self.until))
        self.manager.remove(unwanted, self.until)

    def _refuse_conflicts(self, packages: Sequence[Package], steps: Sequence[Step]) -> None:
        """Raises where the transaction would make wrong what somebody declared; asked right before it is done."""
        declared: Declared | None = packages[0].others
        if declared is not None:
            named = {package.name for package in packages}
            if others := list(declared.clashes(self.manager, packages[0], steps, named)):
                raise conflict(self.manager, packages, others, steps)

    def _install(self) -> None:
        packages = [
            package
            for package in self.packages
            if not package.is_removal() and package.name not in self.errors and self._wish(package)
        ]
        held = self._held_by_us(packages)
        if held:
            self.manager.hold(held, False, self.until)
        try:
            self._split(packages, self._install_all)
        finally:
            if failed := [name for name in held if name in self.errors]:
                self.manager.hold(failed, True, self.until)

    def _install_all(self, packages: Sequence[Package]) -> None:
        wishes = choose(self.manager, [wish for package in packages if (wish := self._wish(package))], self.until)
        self._refuse_conflicts(packages, self.manager.simulate(wishes, [], self.until))
        self.manager.install(wishes, self.conffiles, self.newest, self.until)

    def _wish(self, package: Package) -> Wish | None:
        return wish_for(package, self.states[package.name])

    def _held_by_us(self, packages: Sequence[Package]) -> list[str]:
        """Those whose hold is in the way of the very version that is declared with it."""
        names = [package.name for package in packages if package.hold]
        return [name for name, found in self.manager.installed(names, self.until).items() if found.hold]

    def _hold(self) -> None:
        """Set the holds that differ. One that :meth:`_install` took away, or that is for a new package, is due too."""
        for on in (True, False):
            due = [
                package
                for package in self.packages
                if package.hold is on and package.name not in self.errors and self._is_hold_due(package)
            ]
            self._split(due, self._hold_all if on else self._let_go)

    def _is_hold_due(self, package: Package) -> bool:
        changed = any(change.property == "hold" for change in self.states[package.name])
        return changed or (package.hold is True and self._wish(package) is not None)

    def _hold_all(self, packages: Sequence[Package]) -> None:
        self.manager.hold([package.name for package in packages], True, self.until)

    def _let_go(self, packages: Sequence[Package]) -> None:
        self.manager.hold([package.name for package in packages], False, self.until)

    # --- what helps -----------------------------------------------------------------------------------------------

    def _split(self, packages: Sequence[Package], do: Callable[[Sequence[Package]], None]) -> None:
        """Do it for all; where that fails, for each half of those that are still not right, and so on."""
        if not packages:
            return
        try:
            self._with_remedies(lambda: do(packages))
        except Busy:
            raise
        except (ResourceError, OSError) as error:
            # A command that fails because of one package may well have done its work for others.
            self._look_again(packages)
            self._configure_each(packages)
            left = [package for package in packages if self.states[package.name] and package.name not in self.errors]
            if len(packages) == 1 and left:
                self.errors[packages[0].name] = error
                return
            half = (len(left) + 1) // 2
            self._split(left[:half], do)
            self._split(left[half:], do)

    def _with_remedies(self, do: Callable[[], None]) -> None:
        try:
            do()
        except ManagerError as error:
            if error.remedy == "refresh" and self.index_is_new:
                raise NotOffered(str(error)) from error
            if not error.remedy or error.remedy in self.tried:
                raise
            try:
                self._repair() if error.remedy == "repair" else self._refresh(error.remedy)
            except ManagerError as second:
                raise ManagerError(f"{error}\nand what might help failed too: {second}") from second
            self._with_remedies(do)

    def _refresh(self, why: Remedy) -> None:
        self.tried.add(why)
        self.index_is_new = self.manager.refresh(self.until)

    def _repair(self) -> None:
        self.tried.add("repair")
        self.manager.repair(self.conffiles, self.until)


def _is_unpacked(state: Changes) -> bool:
    return any(change.property == "package" and change.to == CONFIGURED for change in state)


def _is_broken(state: Changes) -> bool:
    return any(change.property == "package" and change.from_ and change.to for change in state)
