"""Packages that cannot be as declared together: none is taken away to bring another, and both are named."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from converge.core.change import Change, Changes
from converge.core.errors import Location, ResourceError
from converge.resources.package import Package, transaction
from converge.resources.package.check import inspect
from converge.resources.package.conflicts import Conflict
from converge.resources.package.manager import Conffiles, Installed, Manager, ManagerError, Offer, Remedy, Step, Wish


@dataclass(frozen=True, slots=True)
class Solver(Manager):
    """A manager as apt is: what is asked for comes, with its needs; what is in the way, or needs what goes, goes."""

    name: ClassVar[str] = "apt"

    needs: dict[str, set[str]] = field(default_factory=dict)
    conflicts: set[frozenset[str]] = field(default_factory=set)
    there: set[str] = field(default_factory=set)
    done: list[tuple[str, ...]] = field(default_factory=list)

    def installed(self, names: Collection[str], until: float) -> Mapping[str, Installed]:
        return {name: Installed("1") for name in names if name in self.there}

    def offers(self, names: Collection[str], until: float) -> Mapping[str, Offer]:
        return {}

    def after(self, wishes: Sequence[str], unwanted: Sequence[str]) -> set[str]:
        new = self._with_needs(set(wishes))
        if any(pair <= new for pair in self.conflicts):
            raise ManagerError(f"{' and '.join(sorted(wishes))} conflict")
        gone = set(unwanted) | {
            name for name in self.there for pair in self.conflicts if name in pair and pair - {name} <= new
        }
        while True:
            more = {name for name in self.there - gone if self.needs.get(name, set()) & (gone - new)}
            if not more:
                return (self.there - gone) | new
            gone |= more

    def _with_needs(self, names: set[str]) -> set[str]:
        while True:
            more = {need for name in names for need in self.needs.get(name, ())} - names
            if not more:
                return names
            names = names | more

    def simulate(self, wishes: Sequence[Wish], unwanted: Sequence[str], until: float) -> Sequence[Step]:
        after = self.after([wish.name for wish in wishes], unwanted)
        return [
            *(Step(name, "1", None) for name in sorted(self.there - after)),
            *(Step(name, None, "1") for name in sorted(after - self.there)),
        ]

    def install(self, wishes: Sequence[Wish], conffiles: Conffiles, newest: bool, until: float) -> None:
        self._become(self.after([wish.name for wish in wishes], []))

    def remove(self, names: Sequence[str], until: float) -> None:
        self._become(self.after([], names))

    def _become(self, after: set[str]) -> None:
        self.done.append(tuple(sorted(self.there ^ after)))
        self.there.clear()
        self.there.update(after)

    def refresh(self, until: float) -> bool:
        raise AssertionError

    def remedy(self, output: str) -> Remedy:
        return ""


def declared(*packages: Package) -> list[Package]:
    """As a blueprint declares them, one a line."""
    for number, package in enumerate(packages, 1):
        object.__setattr__(package, "where", Location("site.py", number))
    mapping = {package.id: package for package in packages}
    return [package.with_declared_ids(mapping) for package in packages]


def converge(manager: Manager, packages: Sequence[Package]) -> list[Changes | Exception]:
    """One round: what a check says of each, and then each kind of transaction."""
    found: list[Any] = list(inspect(manager, packages))
    for absent in (False, True):
        work = [
            (package, state)
            for package, state in zip(packages, found, strict=True)
            if package.is_removal() is absent and isinstance(state, tuple) and state
        ]
        if work:
            errors = dict(zip((package.name for package, _ in work), transaction.carry_out(manager, work), strict=True))
            found = [errors.get(package.name) or state for package, state in zip(packages, found, strict=True)]
    return found


def test_both_that_conflict_fail_and_name_both_lines() -> None:
    for there in (set[str](), {"cona"}, {"conb"}):
        manager = Solver(conflicts={frozenset(("cona", "conb"))}, there=set(there))
        packages = declared(Package("tool"), Package("cona"), Package("other"), Package("conb"))
        tool, cona, other, conb = inspect(manager, packages)
        for error in (cona, conb):
            assert isinstance(error, Conflict)
            assert "package:cona (site.py:2)" in str(error)
            assert "package:conb (site.py:4)" in str(error)
        assert isinstance(tool, tuple)
        assert isinstance(other, tuple)
        converge(manager, packages)
        assert manager.there == there | {"tool", "other"}


def test_a_dependency_that_is_declared_absent() -> None:
    for there in (set[str](), {"tool", "lib"}):
        manager = Solver(needs={"tool": {"lib"}}, there=set(there))
        found = inspect(manager, declared(Package("tool"), Package("lib", state="absent")))
        for error in found:
            assert isinstance(error, Conflict)
            assert "package:tool (site.py:1)" in str(error)
            assert "package:lib (site.py:2)" in str(error)
        words = "remove tool 1" if there else "install lib 1"
        assert words in str(found[0])


def test_it_is_asked_again_before_the_transaction() -> None:
    """The check was of another time, or of fewer packages."""
    manager = Solver(conflicts={frozenset(("cona", "conb"))}, there={"cona"})
    _, conb = declared(Package("cona"), Package("conb"))
    (error,) = transaction.carry_out(manager, [(conb, (Change("package", None, "present", "create"),))])
    assert "apt would remove cona 1" in str(error)
    assert manager.done == []


def test_what_nobody_declared_may_go() -> None:
    manager = Solver(conflicts={frozenset(("cona", "conb"))}, there={"cona"})
    (state,) = inspect(manager, declared(Package("conb")))
    assert state == (Change("package", None, "1", "create"), Change("also cona", "1", None, "remove"))
    assert converge(manager, declared(Package("conb"))) == [state]
    assert manager.there == {"conb"}


NAMES = "abcdef"


@settings(deadline=None)
@given(
    needs=st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES), max_size=2)),
    conflicts=st.sets(st.sets(st.sampled_from(NAMES), min_size=2, max_size=2).map(frozenset), max_size=3),
    wanted=st.dictionaries(st.sampled_from(NAMES), st.booleans(), min_size=1),
    there=st.sets(st.sampled_from(NAMES)),
)
def test_no_transaction_undoes_what_is_declared(
    needs: dict[str, set[str]], conflicts: set[frozenset[str]], wanted: dict[str, bool], there: set[str]
) -> None:
    manager = Solver(needs=needs, conflicts=conflicts, there=set(there))
    packages = declared(*(Package(name, state="present" if on else "absent") for name, on in wanted.items()))
    right = {name for name, on in wanted.items() if (name in there) is on}
    for _ in range(6):
        converge(manager, packages)
        now = {name for name, on in wanted.items() if (name in manager.there) is on}
        assert right <= now, "what was right stays right"
        right = now
    transactions = len(manager.done)
    last = converge(manager, packages)
    assert len(manager.done) == transactions, "it comes to rest"
    wrong = [package for package in packages if package.name not in right]
    assert all(
        isinstance(each, ResourceError) for package, each in zip(packages, last, strict=True) if package in wrong
    )
