"""What other resources own below a directory: no purge, recursion or removal touches it."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge import Run, blueprint
from converge.core.change import IN_SYNC
from converge.core.errors import Busy, Mistakes, ResourceError
from converge.core.ownership import Ownership
from converge.core.resource import Owned, OwnsPath, OwnsTree, Resource
from converge.graph.graph import build_graph
from converge.resources import cron
from converge.resources.accounts import AuthorizedKeys, User
from converge.resources.archive import Archive
from converge.resources.exec import Exec
from converge.resources.file import Directory, File, Symlink
from converge.resources.git import Git
from converge.resources.mount import Mount
from converge.resources.package import locks
from converge.resources.service.systemd import SystemdService
from converge.resources.sysctl import Sysctl, setting

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives files to other users")
BOB, ANN = 12345, 12346
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2pYV1Q6mS1V8v6Kk3uQ1pXz5h7b2d4f6g8h0j2k4l6"


def make(top: Path, *names: str) -> None:
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("x")


def knowing(directory: Directory, *others: Resource) -> Directory:
    return directory.with_ownership(Ownership([directory, *others]))


def purged(directory: Directory, *others: Resource) -> set[str]:
    known = knowing(directory, *others)
    top = Path(directory.at)
    before = {str(place.relative_to(top)) for place in top.rglob("*")}
    if state := known.check():
        known.apply(state)
    assert known.check() == IN_SYNC
    return before - {str(place.relative_to(top)) for place in top.rglob("*")}


def account(monkeypatch: pytest.MonkeyPatch, name: str, home: Path) -> None:
    entry = pwd.struct_passwd((name, "x", BOB, BOB, "", str(home), "/bin/sh"))

    def find(asked: str) -> pwd.struct_passwd:
        if asked != name:
            raise KeyError(asked)
        return entry

    monkeypatch.setattr(pwd, "getpwnam", find)


@dataclass(frozen=True, slots=True)
class Cache(Resource):
    """A third party's kind."""

    kind = "cache"
    path: str = ""

    def identity(self) -> str:
        return self.path

    def owns(self) -> Iterable[Owned]:
        return (OwnsTree(f"{self.path}/data"), OwnsPath(f"{self.path}/index"))


def test_whole_trees_of_other_kinds_are_never_purged(tmp_path: Path) -> None:
    make(
        tmp_path, "u1/a/b", "app/untracked", "unpacked/x", "built/deep/y", "disk/z", "c/data/d", "c/index", "c/old", "f"
    )
    others = [
        User("u1", home=f"{tmp_path}/u1", create_home=True),
        Git(f"{tmp_path}/app", "/srv/repo.git"),
        Archive(f"{tmp_path}/unpacked", "/srv/a.tar"),
        Exec("make", ["make"], creates=f"{tmp_path}/built"),
        Mount(f"{tmp_path}/disk", fstype="tmpfs"),
        Cache(f"{tmp_path}/c"),
    ]
    assert purged(Directory(tmp_path, purge=True), *others) == {"f", "c/old"}


def test_a_home_is_found_where_the_machine_says_that_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "elsewhere/ann/x", "elsewhere/y")
    account(monkeypatch, "ann", tmp_path / "elsewhere/ann")
    assert purged(Directory(tmp_path / "elsewhere", purge=True), User("ann")) == {"y"}


def test_authorized_keys_stay_in_a_purged_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, ".ssh/authorized_keys", ".ssh/id_rsa", ".ssh/authorized_keys2")
    account(monkeypatch, "ann", tmp_path)
    keys = AuthorizedKeys("ann", [KEY])
    assert purged(Directory(tmp_path / ".ssh", purge=True), keys, User("ann")) == {"id_rsa", "authorized_keys2"}


def test_files_of_cron_sysctl_and_links_of_systemd_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "cron/job", "cron/other", "sysctl/99-converge.conf", "sysctl/50-old.conf", "units/real.service")
    monkeypatch.setattr(cron, "FOLDER", f"{tmp_path}/cron")
    monkeypatch.setattr(setting, "FILE", f"{tmp_path}/sysctl/99-converge.conf")
    monkeypatch.setattr("converge.resources.service.systemd.FOLDERS", (f"{tmp_path}/units",))
    (tmp_path / "units/multi-user.target.wants").mkdir()
    for link, target in (("multi-user.target.wants/ssh.service", "ssh"), ("sshd.service", "ssh"), ("x.service", "x")):
        (tmp_path / "units" / link).symlink_to(f"/lib/systemd/system/{target}.service")
    job = cron.Cron("job", "true", "@daily")
    assert purged(Directory(tmp_path / "cron", purge=True), job) == {"other"}
    assert purged(Directory(tmp_path / "sysctl", purge=True), Sysctl("vm.swappiness", 1)) == {"50-old.conf"}
    ssh = SystemdService("ssh", enable=True)
    assert purged(Directory(tmp_path / "units", purge=True), ssh) == {"x.service", "real.service"}


def test_converges_own_folders_are_never_purged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "lib/converge/backups/x", "run/converge/lock", "lib/y")
    monkeypatch.setenv("CONVERGE_STATE_DIR", f"{tmp_path}/lib/converge")
    monkeypatch.setenv("CONVERGE_RUNTIME_DIR", f"{tmp_path}/run/converge")
    assert purged(Directory(tmp_path, purge=True)) == {"lib/y"}
    gone = Directory(tmp_path / "lib", state="absent", force=True)
    with pytest.raises(ResourceError, match="holds what converge itself owns"):
        gone.check()


def test_paths_that_are_spelled_through_links_are_the_same(tmp_path: Path) -> None:
    make(tmp_path, "real/f", "real/g", "real/app/x")
    (tmp_path / "link").symlink_to("real")
    file, app = File(tmp_path / "link/f"), Git(f"{tmp_path}/link/app", "/srv/repo.git")
    assert purged(Directory(tmp_path / "real", purge=True), file, app) == {"g"}


def test_a_tree_is_purged_neither_at_nor_below_its_top_but_open_ones_are(tmp_path: Path) -> None:
    make(tmp_path, "app/sub/x", "home/sub/y")
    git = Git(f"{tmp_path}/app", "/srv/repo.git")
    assert purged(Directory(tmp_path / "app", purge=True), git) == set()
    assert purged(Directory(tmp_path / "app/sub", purge=True), git) == set()
    user = User("u1", home=f"{tmp_path}/home")
    assert purged(Directory(tmp_path / "home/sub", purge=True), user) == {"y"}


def test_plan_counts_what_a_purge_and_a_removal_take(tmp_path: Path) -> None:
    make(tmp_path, "d/a/b/c", "d/a/e", "d/f")
    assert [(c.property, c.from_) for c in knowing(Directory(tmp_path / "d", purge=True)).check()] == [
        ("entry", "a"), ("entry", "f"), ("purge", "5 entries"),
    ]  # fmt: skip
    gone = knowing(Directory(tmp_path / "d", state="absent", force=True)).check()
    assert [(c.property, c.from_) for c in gone] == [("state", "present"), ("purge", "5 entries")]


def test_counting_ends_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converge.resources.file.purge.MOST_COUNTED", 10)
    make(tmp_path, *(f"d/{i:02}/{j}" for i in range(10) for j in range(5)))
    state = knowing(Directory(tmp_path / "d", purge=True)).check()
    assert state[-1].from_ == "more than 10 entries"
    assert len(state) == 11
    assert purged(Directory(tmp_path / "d", purge=True)) >= {"00", "09"}


def test_removal_of_what_another_resource_owns_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "srv/ann/x")
    account(monkeypatch, "ann", tmp_path / "srv/ann")
    gone = knowing(Directory(tmp_path / "srv", state="absent", force=True), User("ann"))
    with pytest.raises(ResourceError, match=r"holds what user:ann owns, so it is not removed"):
        gone.check()
    with pytest.raises(ResourceError, match=r"holds what user:ann owns, so it is not removed"):
        gone.apply(())
    assert (tmp_path / "srv/ann/x").exists()


@pytest.mark.parametrize(
    "other",
    [
        User("u1", home="/srv/d/u1"),
        Git("/srv/d/app", "/srv/repo.git"),
        Exec("make", ["make"], creates="/srv/d/built"),
        Cache("/srv/d/cache"),
        Archive("/srv/d", "/srv/a.tar"),
    ],
    ids=lambda other: other.kind,
)
def test_removal_of_what_is_declared_below_is_a_mistake(other: Resource) -> None:
    with pytest.raises(Mistakes, match=r"file:/srv/d .* is to be absent"):
        build_graph([Directory("/srv/d", state="absent", force=True), other])


def test_a_purge_knows_what_an_included_blueprint_declares(tmp_path: Path) -> None:
    from converge.testing import declare

    @blueprint("inner-owned", "a user")
    def inner(r: Run) -> None:
        r.user("u1", home=f"{tmp_path}/u1")

    @blueprint("outer-owned", "purges")
    def outer(r: Run) -> None:
        r.include("inner-owned")
        r.directory(tmp_path, purge=True)

    make(tmp_path, "u1/x", "y")
    directory = declare(outer)[f"file:{tmp_path}"]
    assert [change.from_ for change in directory.check()] == ["y"]


# --- what package managers and we ourselves are about to rename -------------------------------------------


def test_unfinished_files_of_package_managers_are_never_purged(tmp_path: Path) -> None:
    kept = (
        "a.conf.dpkg-new",
        "a.conf.dpkg-tmp",
        "b;5f3a9c01",
        ".apk.9f8e7d6c5b4a",
        "x.pkg.tar.zst.part",
        "d/c.dpkg-new",
    )
    make(tmp_path, *kept, "a.conf.dpkg-old", "b.rpmsave", "c;name", "d/x", "e/x")
    gone = {"a.conf.dpkg-old", "b.rpmsave", "c;name", "d/x", "e", "e/x"}
    assert purged(Directory(tmp_path, purge=True)) == gone


def test_only_what_we_are_writing_ourselves_evades_a_purge(tmp_path: Path) -> None:
    make(tmp_path, ".x.converge-deadbeef", ".mine.converge-deadbeef", ".twice.converge-deadbeef")
    os.link(tmp_path / ".twice.converge-deadbeef", tmp_path / "other")
    names = {".x.converge-deadbeef", ".twice.converge-deadbeef", "other"}
    files = [File(tmp_path / "mine"), File(tmp_path / "twice")]
    assert purged(Directory(tmp_path, purge=True), *files) == names


@root
def test_what_somebody_else_calls_like_our_new_files_is_purged(tmp_path: Path) -> None:
    make(tmp_path, ".mine.converge-deadbeef", ".his.converge-deadbeef")
    os.chown(tmp_path / ".mine.converge-deadbeef", BOB, BOB)
    os.chown(tmp_path / ".his.converge-deadbeef", BOB, BOB)  # as ours is, just before it takes its name
    files = [File(tmp_path / "mine"), File(tmp_path / "his", owner=BOB)]
    assert purged(Directory(tmp_path, purge=True), *files) == {".mine.converge-deadbeef"}


# --- whose it is ------------------------------------------------------------------------------------------


def owners(top: Path) -> dict[str, tuple[int, int]]:
    return {str(place.relative_to(top)): place.lstat()[4:6] for place in top.rglob("*")}


@root
def test_the_nearest_declaration_says_whose_it_is(tmp_path: Path) -> None:
    make(tmp_path, "mine", "link-target", "app/x/y", "home/z", "in/f", "in/deep/g", "grouped")
    (tmp_path / "link").symlink_to("mine")
    others = [
        File(tmp_path / "mine", owner=ANN),
        File(tmp_path / "grouped", group=ANN),
        Symlink(tmp_path / "link", "mine", owner=ANN),
        Git(f"{tmp_path}/app", "/srv/repo.git", user="ann"),
        User("u1", home=f"{tmp_path}/home"),
        Directory(tmp_path / "in", owner=ANN),
        Directory(tmp_path / "in/deep", owner=ANN, recurse=True),
    ]
    outer = knowing(Directory(tmp_path, owner=BOB, group=BOB, recurse=True), *others)
    outer.apply(outer.check())
    assert outer.check() == IN_SYNC
    assert owners(tmp_path) == {
        "mine": (0, BOB), "grouped": (BOB, 0), "link": (0, BOB), "link-target": (BOB, BOB),
        "app": (0, 0), "app/x": (0, 0), "app/x/y": (0, 0), "home": (0, 0), "home/z": (0, 0),
        "in": (0, BOB), "in/f": (BOB, BOB), "in/deep": (0, BOB), "in/deep/g": (0, BOB),
    }  # fmt: skip


def test_two_recursions_leave_each_other_alone(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: gives files to other users")
    make(tmp_path, "a/b/c", "a/d")
    inner = Directory(tmp_path / "a/b", owner=ANN, recurse=True)
    outer = Directory(tmp_path, owner=BOB, recurse=True)
    both = [knowing(inner, outer), knowing(outer, inner)]
    for _ in range(2):
        for directory in both:
            if state := directory.check():
                directory.apply(state)
    assert [directory.check() for directory in both] == [IN_SYNC, IN_SYNC]
    assert {name: uid for name, (uid, _) in owners(tmp_path).items()} == {
        "a": BOB,
        "a/b": ANN,
        "a/b/c": ANN,
        "a/d": BOB,
    }


@root
@pytest.mark.parametrize("former", [0, BOB])
def test_no_right_of_the_former_owner_outlives_a_recursion(tmp_path: Path, former: int) -> None:
    make(tmp_path, "d/tool", "d/shared", "d/locked")
    (tmp_path / "d/sub").mkdir()
    for name, mode in (("tool", 0o6755), ("shared", 0o666), ("locked", 0o2644), ("sub", 0o2777), ("", 0o2777)):
        os.chown(tmp_path / "d" / name, former, former)
        (tmp_path / "d" / name).chmod(mode)
    directory = Directory(tmp_path, owner=ANN, group=ANN, recurse=True)
    directory.apply(directory.check())
    assert directory.check() == IN_SYNC
    modes = {place.name: stat.S_IMODE(place.stat().st_mode) for place in tmp_path.rglob("*")}
    writable = 0 if former else 0o022
    assert modes == {
        "tool": 0o755, "shared": 0o644 | writable, "locked": 0o644, "sub": 0o755 | writable, "d": 0o755 | writable,
    }  # fmt: skip


@root
def test_a_set_group_id_directory_of_roots_hands_its_new_group_on(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o2775)
    directory = Directory(tmp_path, group=ANN, recurse=True)
    directory.apply(directory.check())
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o2775


@root
def test_what_others_may_have_moved_there_is_not_given_away(tmp_path: Path) -> None:
    make(tmp_path, "d/secret", "d/public")
    os.chown(tmp_path / "d", BOB, BOB)
    (tmp_path / "d/secret").chmod(0o640)
    directory = Directory(tmp_path / "d", owner=BOB, recurse=True)
    state = directory.check()
    with pytest.raises(ResourceError, match=r"d/secret belongs to root and is not readable for others"):
        directory.apply(state)
    assert (tmp_path / "d/secret").stat().st_uid == 0
    os.chown(tmp_path / "d/secret", BOB, BOB)
    directory.apply(directory.check())
    assert directory.check() == IN_SYNC


@root
def test_a_link_never_becomes_one_that_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    os.chown(tmp_path / "link", BOB, BOB, follow_symlinks=False)
    directory = Directory(tmp_path, owner=0, recurse=True)
    state = directory.check()
    with pytest.raises(ResourceError, match=f"link is a symbolic link made by uid {BOB}; converge follows links"):
        directory.apply(state)
    assert (tmp_path / "link").lstat().st_uid == BOB


# --- laws -------------------------------------------------------------------------------------------------

_names = st.sampled_from(["a", "b", "c"])
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join)


@settings(max_examples=150, deadline=None)
@given(there=st.lists(_paths, max_size=12), files=st.lists(_paths, max_size=4), trees=st.lists(_paths, max_size=3))
def test_law_of_purging(there: list[str], files: list[str], trees: list[str]) -> None:
    """What is owned, what is in owned trees, and what leads there is left; nothing else is."""
    top = Path(tempfile.mkdtemp())
    try:
        for path in there:
            (top / path).mkdir(parents=True, exist_ok=True)
        before = {str(place.relative_to(top)) for place in top.rglob("*")}
        others: list[Resource] = [File(top / path) for path in files]
        others += [Exec(path, ["true"], creates=f"{top}/{path}") for path in trees]
        gone = purged(Directory(top, purge=True), *others)
        for path in before:
            leads = any(f"{owned}/".startswith(path + "/") for owned in (*files, *trees))
            inside = any(f"{path}/".startswith(tree + "/") for tree in trees)
            assert (path in gone) == (not leads and not inside), path
    finally:
        shutil.rmtree(top)


@root
@settings(max_examples=100, deadline=None)
@given(
    there=st.lists(_paths, max_size=8),
    single=st.dictionaries(_paths, st.sampled_from([1, 2, None]), max_size=4),
    deep=st.dictionaries(_paths, st.sampled_from([3, 4]), max_size=3),
)
def test_law_of_owners(there: list[str], single: dict[str, int | None], deep: dict[str, int]) -> None:
    """Whatever the order, all come to rest, and each path has the owner of its nearest declaration."""
    top = Path(tempfile.mkdtemp()) / "top"  # where nobody else could have moved something to
    try:
        for path in (*there, *single, *deep):
            (top / path).mkdir(parents=True, exist_ok=True)
        top.mkdir(exist_ok=True)
        single = {path: owner for path, owner in single.items() if path not in deep}
        declared = [Directory(top / path, owner=owner) for path, owner in single.items()]
        declared += [Directory(top / path, owner=owner, recurse=True) for path, owner in deep.items()]
        declared += [Directory(top, owner=BOB, recurse=True)]
        known = [directory.with_ownership(Ownership(declared)) for directory in declared]
        for directory in known:
            if state := directory.check():
                directory.apply(state)
        assert [directory.check() for directory in known] == [IN_SYNC] * len(known)
        for place in top.rglob("*"):
            path = str(place.relative_to(top))
            above = [deep[tree] for tree in sorted(deep, key=len) if f"{path}/".startswith(tree + "/")]
            wanted = single.get(path) or (above[-1] if above else BOB)
            assert place.stat().st_uid == wanted, path
    finally:
        shutil.rmtree(top.parent)


# --- while packages are changed ---------------------------------------------------------------------------

HOLDER = """
import fcntl, sys, time
with open(sys.argv[1], "r+") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Begins what looks like somebody's dpkg; it ends when its input does."""
    lock = tmp_path / "lock-frontend"
    lock.touch()
    monkeypatch.setattr(locks, "LOCKED_FILES", (str(lock),))
    begun: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        begun.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        return holder

    yield begin
    for holder in begun:
        holder.communicate()


def test_nothing_is_purged_during_a_transaction(
    tmp_path: Path, transaction: Callable[[], subprocess.Popen[bytes]]
) -> None:
    make(tmp_path, "d/x")
    directory = knowing(Directory(tmp_path / "d", purge=True))
    state = directory.check()
    holder = transaction()
    with pytest.raises(Busy, match=rf"{tmp_path}/d: nothing is purged while .* is changing packages"):
        directory.check()
    with pytest.raises(Busy):
        directory.apply(state)
    assert (tmp_path / "d/x").exists()
    holder.communicate()
    directory.apply(directory.check())
    assert directory.check() == IN_SYNC


def test_a_purge_under_way_stops_when_a_transaction_begins(
    tmp_path: Path, transaction: Callable[[], subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, *(f"d/{number:03}/x" for number in range(100)))
    directory = knowing(Directory(tmp_path / "d", purge=True))
    state = directory.check()
    removed = []

    def unlink(name: str, *, dir_fd: int) -> None:
        removed.append(name)
        if len(removed) == 10:
            transaction()
            time.sleep(0.01)  # a package manager reads its database before it touches any file
        real(name, dir_fd=dir_fd)

    real = os.unlink
    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(Busy):
        directory.apply(state)
    assert len(removed) == 10


def test_what_is_in_place_is_right_during_a_transaction(
    tmp_path: Path, transaction: Callable[[], subprocess.Popen[bytes]]
) -> None:
    make(tmp_path, "d/a", "d/a.dpkg-new")
    transaction()
    assert knowing(Directory(tmp_path / "d", purge=True), File(tmp_path / "d/a")).check() == IN_SYNC
