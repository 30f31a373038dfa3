"""Packages of a real dnf, zypper and pacman, each with a system of its own in a folder, from repositories made here."""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import fcntl
import io
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from converge.core.change import Change, Changes
from converge.core.errors import Busy
from converge.host.process import variables
from converge.resources.package import Package, locks
from converge.resources.package.check import inspect
from converge.resources.package.conflicts import Conflict
from converge.resources.package.dnf import Dnf, Yum
from converge.resources.package.manager import Manager
from converge.resources.package.pacman import Pacman
from converge.resources.package.transaction import carry_out
from converge.resources.package.vercmp import Key, pacman_key, rpm_key
from converge.resources.package.zypper import Zypper
from converge.sources.paths import PathSource

TOOLS = {
    "dnf": "dnf", "zypper": "zypper", "pacman": "pacman-package-manager",
    "createrepo_c": "createrepo-c", "rpmbuild": "rpm",
}  # fmt: skip
SPEC = """
Name: {name}
Version: {version}
Release: 1
Summary: made for a test
License: none
BuildArch: noarch
{fields}
%description
made for a test
%files
"""


@lru_cache
def why_not() -> str | None:
    """Why these managers cannot be had here; installs them where they can."""
    missing = [package for program, package in TOOLS.items() if not shutil.which(program)]
    if not missing:
        return None
    if sys.platform != "linux" or os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        return f"{', '.join(missing)} are not installed, which only root on Debian can change"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["-y", "--no-install-recommends", "install", *missing]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode:
            return f"{', '.join(missing)} cannot be installed: {(done.stdout + done.stderr)[-500:]}"
    return None


@dataclass
class System:
    """Another system than this one, and the manager that is pointed at it."""

    manager: Manager
    root: Path
    add: Callable[[str, str, dict[str, str]], None]
    """Makes a package (name, version, relations) and puts it into the repository."""
    foreign_remove: list[str]

    def check(self, *packages: Package) -> list[Changes | Exception]:
        return inspect(self.manager, packages)

    def apply(self, *packages: Package) -> list[Exception | None]:
        found = self.check(*packages)
        states = [state for state in found if not isinstance(state, Exception)]
        assert len(states) == len(found), found
        work = [(package, state) for package, state in zip(packages, states, strict=True) if state]
        return carry_out(self.manager, work)

    def right(self, package: Package) -> str:
        """Put one right; returns the version that is then there."""
        assert self.apply(package) == [None]
        assert self.check(package) == [()]
        found = self.manager.installed([package.name], time.monotonic() + 60).get(package.name)
        return found.version if found else ""


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _rpm_repository(folder: Path) -> Callable[[str, str, dict[str, str]], None]:
    def add(name: str, version: str, relations: dict[str, str]) -> None:
        fields = "".join(f"{key.capitalize()}: {value}\n" for key, value in relations.items())
        spec = folder / "spec"
        spec.write_text(SPEC.format(name=name, version=version, fields=fields))
        defined = ("--define", f"_topdir {folder / 'build'}", "--define", f"_rpmdir {folder / 'repository'}")
        _run("rpmbuild", "-bb", *defined, spec)
        _run("createrepo_c", "-q", folder / "repository")

    return add


_PKGINFO = {"requires": "depend", "conflicts": "conflict"}


def _pacman_repository(folder: Path) -> Callable[[str, str, dict[str, str]], None]:
    """Its index is written here: Debian's repo-add lacks what it is made of."""
    described: dict[str, tuple[str, str]] = {}
    changes: list[str] = []
    repository = folder / "repository"
    repository.mkdir()

    def add(name: str, version: str, relations: dict[str, str]) -> None:
        file = repository / f"{name}-{version}-1-any.pkg.tar.gz"
        info = {"pkgname": name, "pkgver": f"{version}-1", "pkgdesc": "made for a test", "arch": "any", "size": "1"}
        info |= {_PKGINFO.get(key, key): value for key, value in relations.items()}
        _tar(file, {".PKGINFO": "".join(f"{key} = {value}\n" for key, value in info.items())})
        about = {"FILENAME": file.name, "NAME": name, "VERSION": f"{version}-1", "ARCH": "any"}
        about["CSIZE"] = str(file.stat().st_size)
        about |= {{"requires": "DEPENDS"}.get(key, key.upper()): value for key, value in relations.items()}
        described[name] = (f"{name}-{version}-1/desc", "".join(f"%{key}%\n{value}\n\n" for key, value in about.items()))
        _tar(repository / "made.db", dict(described.values()))
        changes.append(name)
        seconds = time.time() + len(changes)  # pacman fetches it again when it is newer, in whole seconds
        os.utime(repository / "made.db", (seconds, seconds))

    return add


def _tar(path: Path, files: dict[str, str]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


def dnf(folder: Path, root: Path) -> System:
    repositories = root / "etc" / "yum.repos.d"
    repositories.mkdir(parents=True)
    text = f"[local]\nname=local\nbaseurl=file://{folder}/repository\ngpgcheck=0\n"
    (repositories / "local.repo").write_text(text)
    settings = (f"reposdir={repositories}", f"cachedir={folder}/cache", "metadata_expire=3600", "install_weak_deps=0")
    arguments = (f"--installroot={root}", "--releasever=1", *(f"--setopt={setting}" for setting in settings))
    return System(Dnf(str(root), arguments), root, _rpm_repository(folder), ["rpm", "--root", str(root), "-e"])


def zypper(folder: Path, root: Path) -> System:
    repositories = root / "etc" / "zypp" / "repos.d"
    repositories.mkdir(parents=True)
    text = f"[local]\nname=local\nbaseurl=dir:{folder}/repository\nenabled=1\ngpgcheck=0\nautorefresh=0\n"
    (repositories / "local.repo").write_text(text)
    arguments = ("--root", str(root), "--no-gpg-checks")
    return System(Zypper(str(root), arguments), root, _rpm_repository(folder), ["rpm", "--root", str(root), "-e"])


def pacman(folder: Path, root: Path) -> System:
    for path in ("var/lib/pacman/local", "var/cache/pacman/pkg", "etc"):
        (root / path).mkdir(parents=True)
    config = root / "etc" / "pacman.conf"
    config.write_text(
        f"[options]\nArchitecture = auto\nSigLevel = Never\n[made]\nServer = file://{folder}/repository\n"
    )
    add = _pacman_repository(folder)
    arguments = ("-r", str(root), "--config", str(config), "--cachedir", str(root / "var/cache/pacman/pkg"))
    return System(Pacman(str(root), arguments), root, add, ["pacman", *arguments, "-R", "--noconfirm"])


@pytest.fixture(params=[dnf, zypper, pacman])
def system(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    return prepared(request.param, tmp_path, monkeypatch)


def prepared(kind: Callable[[Path, Path], System], folder: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    if why := why_not():
        pytest.skip(f"no other package managers: {why}")
    # Debian's rpm keeps its database in the home folder unless told to do as others do.
    (folder / "home").mkdir()
    (folder / "home" / ".rpmmacros").write_text("%_dbpath /var/lib/rpm\n")
    monkeypatch.setenv("HOME", str(folder / "home"))  # for the test's own calls
    monkeypatch.setattr(variables, "_of_user", lambda account: {"HOME": str(folder / "home")})
    (folder / "root").mkdir()
    made = kind(folder, folder / "root")
    made.add("libtool", "1.0", {})
    made.add("tool", "1.0", {"requires": "libtool", "provides": "virtual-tool"})
    made.add("other", "1.0", {})
    made.manager.refresh(time.monotonic() + 60)
    return made


def test_come_and_go(system: System) -> None:
    assert system.check(Package("tool"), Package("libtool", state="absent")) == [
        (Change("package", None, "1.0-1", "create"), Change("also libtool", None, "1.0-1", "create")), (),
    ]  # fmt: skip
    assert system.right(Package("tool")) == "1.0-1"
    assert system.check(Package("virtual-tool"), Package("libtool"), Package("tool", version="1.0*")) == [(), (), ()]
    subprocess.run([*system.foreign_remove, "tool"], check=True, capture_output=True)
    assert system.check(Package("tool")) == [(Change("package", None, "1.0-1", "create"),)]
    assert system.right(Package("tool")) == "1.0-1"
    if system.manager.name == "pacman":  # it refuses, where the others take along what depends on it
        (error,) = system.apply(Package("libtool", state="absent"))
        assert "breaks dependency 'libtool' required by tool" in str(error)
        assert system.apply(*(Package(name, state="absent") for name in ("libtool", "tool"))) == [None, None]
    else:
        (found,) = system.check(Package("libtool", state="absent"))
        assert found == (Change("package", "1.0-1", None, "remove"), Change("also tool", "1.0-1", None, "remove"))
        assert system.right(Package("libtool", state="absent")) == ""
    assert system.check(Package("tool", state="absent")) == [()]


def test_one_bad_name_fails_alone(system: System) -> None:
    packages = [Package(name) for name in ("tool", "unknown-one", "other")]
    first, unknown, last = system.apply(*packages)
    assert first is last is None
    assert "unknown-one" in str(unknown)
    assert system.check(packages[0], packages[2]) == [(), ()]


def test_recommendations(system: System) -> None:
    if not system.manager.recommends:
        (refused,) = system.check(Package("tool", recommends=False))
        assert "never installs what is only recommended" in str(refused)
        return
    for name in ("bare", "full"):
        system.add(f"{name}-extra", "1.0", {})
        system.add(name, "1.0", {"recommends": f"{name}-extra"})
    system.manager.refresh(time.monotonic() + 60)
    for package, brings in ((Package("bare", recommends=False), False), (Package("full", recommends=True), True)):
        extra = f"{package.name}-extra"
        (planned,) = system.check(package)
        assert isinstance(planned, tuple)
        assert any(change.property == f"also {extra}" for change in planned) is brings
        system.right(package)
        assert bool(system.manager.installed([extra], time.monotonic() + 60)) is brings


def declared(*packages: Package) -> list[Package]:
    mapping = {package.id: package for package in packages}
    return [package.with_declared_ids(mapping) for package in packages]


def test_what_cannot_be_together_is_left_alone(system: System) -> None:
    system.add("conb", "1.0", {})
    system.add("cona", "1.0", {"conflicts": "conb"})
    system.manager.refresh(time.monotonic() + 60)
    cona, other, conb = declared(Package("cona"), Package("other"), Package("conb"))
    found = system.check(cona, other, conb)
    assert isinstance(found[1], tuple)
    if system.manager.name != "pacman":  # what it prints, it has not looked at for conflicts
        assert isinstance(found[0], Conflict)
        assert found[2] is found[0]
        assert "package:cona and package:conb cannot be installed together" in str(found[0])
        assert "conflict" in str(found[0]), "the manager's own words"

    # One is there: the manager itself refuses the other, and takes nothing away.
    assert system.right(cona) == "1.0-1"
    (error,) = system.apply(conb)
    assert "conflict" in str(error)
    assert system.check(cona) == [()]

    # A package, and what it needs declared absent; and the other way round, once it is there.
    tool, libtool = declared(Package("tool"), Package("libtool", state="absent"))
    for there, words in (False, "would install libtool 1.0-1"), (True, "would remove tool 1.0-1"):
        if there:
            system.right(Package("tool"))
        found = system.check(tool, libtool)
        if there and system.manager.name == "pacman":  # it refuses that itself
            (error,) = carry_out(system.manager, [(libtool, found[1])])  # type: ignore[list-item]
            assert "breaks dependency" in str(error)
            break
        assert isinstance(found[0], Conflict)
        assert found[0] is found[1]
        assert words in str(found[0])
        # Asked again right before the transaction: the check may have been of another time.
        state = (Change("package", None, "1.0-1", "create"),)
        (error,) = carry_out(system.manager, [(libtool if there else tool, state)])
        assert words in str(error)


def test_versions(system: System) -> None:
    assert system.right(Package("tool", version="1.0")) == "1.0-1"
    system.add("tool", "1.10", {"requires": "libtool"})
    system.add("tool", "1.9", {"requires": "libtool"})
    if system.manager.name == "pacman":  # its repositories have one version, the last that was added
        system.add("tool", "1.10", {"requires": "libtool"})
        assert system.right(Package("tool", version="1.1*")) == "1.10-1", "the stale index was fetched anew"
        (error,) = system.apply(Package("tool", version="1.9"))
        assert "can only install the newest version of tool, 1.10-1, not 1.9" in str(error)
        system.add("tool", "2.0", {"requires": "libtool"})
        system.manager.refresh(time.monotonic() + 60)
        assert system.right(Package("tool", state="latest")) == "2.0-1"
        system.add("tool", "1.0", {"requires": "libtool"})
        system.manager.refresh(time.monotonic() + 60)
        assert system.check(Package("tool", state="latest")) == [()], "what is newer than the repository stays"
        return
    assert system.right(Package("tool", version="1.9*")) == "1.9-1", "the stale index was fetched anew"
    assert system.right(Package("tool", state="latest")) == "1.10-1"
    assert system.right(Package("tool", version="1.0-1")) == "1.0-1"
    (error,) = system.apply(Package("tool", version="3*"))
    assert "no version 3* of tool can be had; there are 1.10-1, 1.9-1, 1.0-1" in str(error)


def test_news(system: System) -> None:
    """Who changes packages is heard when that is done; who only asks, as every check does, is not."""
    system.right(Package("tool"))
    system.right(Package("other"))
    asyncio.run(_listen(system))


async def _listen(system: System) -> None:
    heard: list[float] = []
    source = PathSource(lambda _: heard.append(time.monotonic()), print, print, print)
    try:
        source.watch("tool", [each._replace(path=f"{system.root}{each.path}") for each in system.manager.news()])
        assert system.check(Package("tool"), Package("other")) == [(), ()]
        await asyncio.sleep(0.2)  # for news that must not come
        assert heard == []
        remove = await asyncio.create_subprocess_exec(*system.foreign_remove, "tool", stdout=subprocess.DEVNULL)
        assert await remove.wait() == 0
        ended = time.monotonic()
        await asyncio.sleep(0.2)
        assert heard, "no news"
        print(f"{system.manager.name}: the last news came {(heard[-1] - ended) * 1000:.1f} ms after the removal ended")
        assert len(system.check(Package("tool"))[0]) >= 1  # type: ignore[arg-type]  # a state, and not right
    finally:
        source.close()


def test_yum_is_dnf_by_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepared(dnf, tmp_path, monkeypatch)
    (tmp_path / "yum").symlink_to(shutil.which("dnf") or "")
    monkeypatch.setattr(variables, "SYSTEM_PATH", f"{tmp_path}:{variables.SYSTEM_PATH}")
    made.manager = Yum(made.manager.root, made.manager.arguments)
    assert made.right(Package("tool", version="1.*")) == "1.0-1"
    assert made.right(Package("tool", state="absent")) == ""


def test_versions_are_ordered_as_rpm_and_pacman_do() -> None:
    if why := why_not():
        pytest.skip(f"no rpm and pacman: {why}")
    dice = random.Random(7)
    pairs = [tuple("".join(dice.choices("0019ab.~^", k=dice.randint(1, 5))) for _ in range(2)) for _ in range(2000)]
    script = "".join(f'print(rpm.vercmp("{a}", "{b}") .. " ")' + "\n" for a, b in pairs)
    done = subprocess.run(["rpm", "--eval", f"%{{lua:{script}}}"], capture_output=True, text=True, check=True)
    theirs = [int(answer) for answer in done.stdout.split()]
    assert [pair for pair, answer in zip(pairs, theirs, strict=True) if order(rpm_key, *pair) != answer] == []

    compare = ctypes.CDLL(ctypes.util.find_library("alpm")).alpm_pkg_vercmp
    plain = re.compile("[0-9ab]+([.][0-9ab]+)*")  # signs that follow each other are in no real version
    pairs = [pair for pair in pairs if all(map(plain.fullmatch, pair))]
    assert len(pairs) > 200
    wrong = [pair for pair in pairs if order(pacman_key, *pair) != compare(*(each.encode() for each in pair))]
    assert wrong == []


def order(key: Callable[[str], Key], one: str, other: str) -> int:
    return (key(one) > key(other)) - (key(one) < key(other))


def test_holds(system: System) -> None:
    if not system.manager.holds:
        pytest.skip(f"{system.manager.name} has no holds")
    system.right(Package("tool", version="1.0", hold=True))
    system.add("tool", "2.0", {"requires": "libtool"})
    system.manager.refresh(time.monotonic() + 60)
    assert system.right(Package("tool", version="2.0", hold=True)) == "2.0-1"
    assert system.check(Package("tool", hold=False)) == [(Change("hold", "held", "not held"),)]
    system.right(Package("tool", hold=False))


def test_somebody_elses_lock(system: System) -> None:
    path = system.root / ("var/lib/pacman/db.lck" if system.manager.name == "pacman" else "var/lib/rpm/.rpm.lock")
    system.right(Package("other"))
    holder = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, 2); print(1, flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        ["setsid", "--fork", sys.executable, "-c", holder, path],  # so that it is no child of ours
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == b"1\n"
    try:
        assert locks.holder(str(system.root)), "somebody has it"
        absent, right = system.check(Package("other", state="absent"), Package("other"))
        assert isinstance(absent, Busy)
        assert "waits for " in str(absent)
        assert right == (), "what is right is right, whoever is at work"
        with pytest.raises(Busy):
            carry_out(system.manager, [(Package("other", state="absent"), (Change("package", "1", None, "remove"),))])
    finally:
        other.communicate()
    deadline = time.monotonic() + 10
    while _is_locked(path) and time.monotonic() < deadline:
        time.sleep(0.01)
    path.unlink()
    assert system.right(Package("other", state="absent")) == ""


def _is_locked(path: Path) -> bool:
    with path.open("r+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
