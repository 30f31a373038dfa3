"""package: what a declaration says, what differs, and how a transaction is split. Real managers are in tests/system."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge import package_installed
from converge.blueprints.run import Run
from converge.core.change import Change, Changes
from converge.core.errors import Busy, ResourceError
from converge.engine.permanence import is_permanent
from converge.resources.package import Package, transaction
from converge.resources.package.check import inspect
from converge.resources.package.manager import (
    Conffiles,
    Installed,
    Manager,
    ManagerError,
    Offer,
    Remedy,
    Step,
    Wish,
    last_words,
)
from converge.resources.package.managers import manager_called
from converge.resources.package.validation import fits, name_mistake, version_mistake
from converge.resources.package.vercmp import pacman_key, rpm_key


class TestDeclaration:
    def mistakes(self, *args: Any, **options: Any) -> list[str]:
        run = Run()
        run.package(*args, **options)
        return [mistake.text for mistake in run._mistakes]

    @pytest.mark.parametrize("name", ["git", "g++", "libstdc++6", "foo:i386", "python3.11", "7zip", "foo.i686"])
    def test_names(self, name: str) -> None:
        assert self.mistakes(name) == []
        assert Package(name).id == f"package:{name}"

    @pytest.mark.parametrize(
        "name", ["", "-y", "a b", "a*", "a=1", "/etc/x.deb", "foo-", "a\n", "foo/sid", "a;b", "~n", ".a"]
    )
    def test_what_is_no_name(self, name: str) -> None:
        assert len(self.mistakes(name)) == 1

    @given(st.text(max_size=12))
    def test_no_name_is_an_option_a_path_or_a_pattern(self, name: str) -> None:
        if name_mistake(name) is None:
            assert name[0] not in "-+~./"
            assert name[-1] != "-"
            assert not set(name) & set(" \t\n\0*?[]{}()$`\\\"'=/;|&<>,~^!#%")

    @given(st.text(max_size=12))
    def test_no_version_is_an_option_or_more_words(self, version: str) -> None:
        if version_mistake(version) is None:
            assert version[0] != "-"
            assert not set(version) & set(" \t\n\0[]{}()$`\\\"'=/;|&<>,!#%")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"version": "1.0", "state": "latest"}, "exclude each other"),
            ({"version": "1.0", "state": "absent"}, "exclude each other"),
            ({"version": "*"}, "is any version"),
            ({"version": "1.0 2"}, "is no version"),
            ({"hold": True, "state": "latest"}, "leave one out"),
            ({"hold": False, "state": "absent"}, "cannot be held"),
            ({"hold": True, "manager": "pacman"}, "pacman cannot hold"),
            ({"conffiles": "replace", "manager": "dnf"}, "conffiles is for apt"),
            ({"recommends": True, "state": "absent"}, "leave recommends out"),
            ({"recommends": False, "manager": "apk"}, "apk never installs what is only recommended"),
            ({"manager": "brewery"}, "manager"),
            ({"state": "gone"}, "state"),
        ],
    )
    def test_options_that_cannot_be(self, options: dict[str, Any], said: str) -> None:
        (mistake,) = self.mistakes("tool", **options)
        assert said in mistake

    def test_present_and_absent_is_a_mistake_that_names_both_places(self) -> None:
        run = Run()
        run.package("tool")
        run.package("tool", state="absent")
        (mistake,) = run._mistakes
        assert "is declared twice" in mistake.text
        assert __file__ in mistake.text

    def test_groups(self) -> None:
        one, other = Package("a"), Package("b", state="absent")
        assert one.group_key("check") == other.group_key("check")
        assert one.group_key("apply") != other.group_key("apply")
        alone = Package("c", recommends=False)
        assert one.group_key("check") == alone.group_key("check")
        assert one.group_key("apply") != alone.group_key("apply")

    def test_a_condition_with_what_is_no_name(self) -> None:
        with pytest.raises(ValueError, match="package_installed"):
            package_installed("-x")
        assert str(package_installed("tool")) == "package_installed(tool)"

    def test_unknown_managers(self) -> None:
        with pytest.raises(ResourceError, match="no package manager called 'portage'"):
            manager_called("portage")
        with pytest.raises(ResourceError, match="has no package manager that converge knows"):
            manager_called("")


def test_versions_that_fit() -> None:
    assert fits("1.2-3", "1.2-3")
    assert fits("1.2-3", "1.2*")
    assert not fits("1.2-3", "1.2")
    assert not fits("1.20", "1.2.*")


@pytest.mark.parametrize("key", [rpm_key, pacman_key])
def test_order_of_versions(key: Any) -> None:
    ordered = ["0.9", "1.0-1", "1.0-2", "1.0-10", "1.0.1-1", "1.9", "1.10", "1:0.1", "2:0"]
    assert all(key(lower) < key(higher) for lower, higher in itertools.pairwise(ordered))


def test_letters_and_tildes() -> None:
    rpm = ["1.0~rc1", "1.0", "1.0^git1", "1.0a", "1.0.1"]
    assert all(rpm_key(lower) < rpm_key(higher) for lower, higher in itertools.pairwise(rpm))
    pacman = ["1.0alpha", "1.0rc1", "1.0", "1.0.a", "1.0.1"]
    assert all(pacman_key(lower) < pacman_key(higher) for lower, higher in itertools.pairwise(pacman))


def test_last_words_are_what_matters() -> None:
    said = "Reading package lists...\nBuilding dependency tree...\n\nE: Unable to locate package x\n"
    assert last_words(said) == ["E: Unable to locate package x"]


# --- against a manager that is pretended -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pretended(Manager):
    """A manager whose whole transaction fails where one of its packages is bad."""

    name: ClassVar[str] = "apt"
    holds: ClassVar[bool] = True

    there: dict[str, Installed] = field(default_factory=dict)
    bad: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    whole: bool = True
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    available: dict[str, list[str]] = field(default_factory=dict)

    def installed(self, names: Collection[str], until: float) -> Mapping[str, Installed]:
        return {name: self.there[name] for name in names if name in self.there}

    def offers(self, names: Collection[str], until: float) -> Mapping[str, Offer]:
        return {name: Offer(found[0], found) for name in names if (found := self.available.get(name))}

    def simulate(self, wishes: Sequence[Wish], unwanted: Sequence[str], until: float) -> Sequence[Step]:
        self.calls.append(("simulate",))
        return [*(Step(wish.name, None, "1") for wish in wishes), Step("extra", None, "2")]

    def install(self, wishes: Sequence[Wish], conffiles: Conffiles, newest: bool, until: float) -> None:
        names = [wish.name for wish in wishes]
        self.calls.append(("install", *names))
        if self.bad & set(names):
            raise ManagerError(f"cannot install {sorted(self.bad & set(names))}")
        if self.stale & set(names) and ("refresh",) not in self.calls:
            raise ManagerError("unknown name", "refresh")
        self.there.update({wish.name: Installed(wish.version or "1") for wish in wishes})

    def remove(self, names: Sequence[str], until: float) -> None:
        self.calls.append(("remove", *names))
        if self.bad & set(names):
            raise ManagerError("cannot remove it")
        for name in names:
            del self.there[name]

    def hold(self, names: Sequence[str], on: bool, until: float) -> None:
        self.calls.append(("hold" if on else "unhold", *names))
        for name in names:
            self.there[name] = self.there[name]._replace(hold=on)

    def refresh(self, until: float) -> bool:
        self.calls.append(("refresh",))
        return self.whole

    def repair(self, conffiles: Conffiles, until: float, names: Sequence[str] = ()) -> None:
        self.calls.append(("repair",))
        for name, found in self.there.items():
            self.there[name] = found._replace(broken="")

    def remedy(self, output: str) -> Remedy:
        return ""


def put_right(manager: Manager, *packages: Package) -> list[Exception | None]:
    states = inspect(manager, packages)
    work: list[tuple[Package, Changes]] = []
    for package, state in zip(packages, states, strict=True):
        assert not isinstance(state, Exception)
        work.append((package, state))
    return transaction.carry_out(manager, work)


NAMES = [f"p{number}" for number in range(16)]


@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)), st.booleans())
def test_exactly_the_bad_ones_fail(bad: set[str], stale: set[str], absent: bool) -> None:
    manager = Pretended("/nowhere", bad=frozenset(bad), stale=frozenset(stale))
    if absent:
        manager.there.update(dict.fromkeys(NAMES, Installed("1")))
    packages = [Package(name, state="absent" if absent else "present") for name in NAMES]
    errors = put_right(manager, *packages)
    assert {name for name, error in zip(NAMES, errors, strict=True) if error} == bad
    assert set(manager.there) == (bad if absent else set(NAMES) - bad)
    transactions = [call for call in manager.calls if call[0] in ("install", "remove")]
    # One, one more after the index was fetched anew, and for each bad one at most the halves on the way to it.
    assert len(transactions) <= 2 + 2 * len(bad) * math.log2(len(NAMES))
    assert manager.calls.count(("refresh",)) <= 1


def test_one_transaction_for_all() -> None:
    manager = Pretended("/nowhere")
    assert put_right(manager, *map(Package, NAMES)) == [None] * len(NAMES)
    assert manager.calls == [("simulate",), ("simulate",), ("install", *NAMES)]


def test_what_else_would_come() -> None:
    manager = Pretended("/nowhere")
    assert inspect(manager, [Package("a")]) == [
        (Change("package", None, "1", "create"), Change("also extra", None, "2", "create"))
    ]
    first, second = inspect(manager, [Package("a"), Package("b")])
    assert isinstance(first, tuple)
    assert first[1:] == (Change("together also extra", None, "2", "create"),)
    assert second == (Change("package", None, "1", "create"),)


def test_plans_simulate_apart_what_differs_in_recommends() -> None:
    asked: list[Sequence[Wish]] = []

    class Asked(Pretended):
        recommends: ClassVar[bool] = True

        def simulate(self, wishes: Sequence[Wish], unwanted: Sequence[str], until: float) -> Sequence[Step]:
            asked.append(wishes)
            return []

    packages = [Package("a"), Package("b", recommends=False), Package("c"), Package("d", recommends=True)]
    inspect(Asked("/nowhere"), packages)
    assert [[(wish.name, wish.recommends) for wish in wishes] for wishes in asked] == [
        [("a", None), ("c", None)], [("d", True)], [("b", False)],
    ]  # fmt: skip


def test_a_manager_without_recommendations_says_so() -> None:
    (found,) = inspect(Pretended("/nowhere"), [Package("a", recommends=False)])
    assert str(found) == "apt never installs what is only recommended; leave recommends out"


def test_what_is_in_sync_asks_for_nothing_more() -> None:
    manager = Pretended("/nowhere", there={"a": Installed("1.5", hold=True), "virtual": Installed("", provided=True)})
    right = [
        Package("a"), Package("a", version="1.*"), Package("a", hold=True), Package("virtual"),
        Package("virtual", state="absent"), Package("virtual", state="latest"), Package("gone", state="absent"),
    ]  # fmt: skip
    assert inspect(manager, right) == [()] * len(right)
    assert manager.calls == []


def test_a_pattern_takes_the_newest_that_fits() -> None:
    manager = Pretended("/nowhere", available={"a": ["2.0", "1.9", "1.2"]})
    assert put_right(manager, Package("a", version="1.*")) == [None]
    assert manager.there["a"].version == "1.9"
    (error,) = put_right(manager, Package("a", version="3.*"))
    assert str(error) == "no version 3.* of a can be had; there are 2.0, 1.9, 1.2"


@pytest.mark.parametrize("whole", [True, False])
def test_what_no_repository_has_is_permanent_once_all_were_asked(whole: bool) -> None:
    manager = Pretended("/nowhere", available={"a": ["2.0"]}, whole=whole)
    for error in put_right(manager, Package("a", version="3.*"), Package("unknown", version="1.*")):
        assert isinstance(error, ManagerError)
        assert is_permanent(error) is whole
    assert manager.calls.count(("refresh",)) == 1


def test_a_declared_hold_is_not_in_its_own_way_and_comes_back() -> None:
    manager = Pretended("/nowhere", there={"a": Installed("1", hold=True)})
    assert put_right(manager, Package("a", version="2", hold=True)) == [None]
    assert manager.there["a"] == Installed("2", hold=True)
    manager = Pretended("/nowhere", there={"a": Installed("1", hold=True)}, bad=frozenset("a"))
    (error,) = put_right(manager, Package("a", version="2", hold=True))
    assert "cannot install" in str(error)
    assert manager.there["a"] == Installed("1", hold=True), "what failed is held as before"


def test_a_repair_may_be_all_that_is_needed() -> None:
    manager = Pretended("/nowhere", there={"a": Installed("1", broken="unpacked")})
    assert put_right(manager, Package("a")) == [None]
    assert [call[0] for call in manager.calls] == ["simulate", "repair"]


def test_only_one_transaction_of_ours_at_a_time() -> None:
    with transaction._ours, pytest.raises(Busy, match="another transaction of converge"):
        transaction.carry_out(Pretended("/nowhere"), [(Package("a"), ())])
    assert transaction.carry_out(Pretended("/nowhere"), [(Package("a"), ())]) == [None]


APT_LOCKED = """\
E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (unattended-upgr)
E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?
"""


@pytest.mark.parametrize(
    ("name", "script", "who"),
    [
        ("apt", f"echo '{APT_LOCKED}'; exit 100", "unattended-upgr (process 4711)"),
        ("apt", 'echo "E: Cache is out of sync, can\'t x-ref a package file"; exit 100', "another package manager"),
        ("dnf", "exit 200", "another package manager"),
        ("zypper", "exit 7", "another package manager"),
        ("pacman", "echo 'error: failed to init transaction (unable to lock database)'; exit 1", "another package"),
        ("apk", "echo 'ERROR: Unable to lock database: temporary error (try again later)'; exit 99", "another package"),
    ],
)
def test_a_lock_that_is_only_found_by_the_manager_itself(name: str, script: str, who: str) -> None:
    with pytest.raises(Busy, match=re.escape(f"waits for {who}")):
        manager_called(name).run(["sh", "-c", script], time.monotonic() + 60)


def test_no_time_is_left() -> None:
    with pytest.raises(ManagerError, match="no time was left to run true"):
        Pretended().run(["true"], time.monotonic() - 1)
