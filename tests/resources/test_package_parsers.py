"""What package managers write and say, read as they mean it. The texts were recorded from real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.errors import ResourceError
from converge.resources.package import apk, apt, dnf, dpkg, pacman, rpm, zypper
from converge.resources.package.manager import Installed, Manager, Offer, Step

STATUS = """\
Package: dpkg
Essential: yes
Status: install ok installed
Architecture: amd64
Multi-Arch: foreign
Version: 1.21.22
Description: Debian package management system
 Package: is no field here, and neither is
 Version: 9

Package: exim4
Status: hold ok installed
Architecture: all
Version: 4.96-15
Provides: mail-transport-agent, exim (= 4.96-15)

Package: half
Status: install ok half-configured
Architecture: amd64
Version: 1.0

Package: torn
Status: install reinstreq half-installed
Architecture: amd64
Version: 1.0

Package: left
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
Provides: nothing-any-more

Package: lib
Status: install ok installed
Architecture: i386
Version: 2.0
"""


@pytest.fixture
def system(tmp_path: Path) -> Path:
    folder = tmp_path / "var/lib/dpkg"
    (folder / "updates").mkdir(parents=True)
    (folder / "status").write_text(STATUS)
    return tmp_path


class TestDpkg:
    def test_states(self, system: Path) -> None:
        names = ["dpkg", "exim4", "half", "torn", "left", "lib", "lib:i386", "mail-transport-agent", "nothing-any-more"]
        assert apt.Apt(str(system)).installed(names, 0) == {
            "dpkg": Installed("1.21.22"),
            "exim4": Installed("4.96-15", hold=True),
            "half": Installed("1.0", broken="half-configured", unpacked=True),
            "torn": Installed("1.0", broken="half-installed, to be reinstalled"),
            "lib:i386": Installed("2.0"),
            "mail-transport-agent": Installed("", provided=True),
        }

    def test_what_is_not_merged_yet_counts(self, system: Path) -> None:
        folder = system / "var/lib/dpkg/updates"
        entry = "Package: half\nStatus: {}\nArchitecture: amd64\nVersion: {}\n"
        (folder / "0002").write_text(entry.format("install ok installed", "1.2"))
        (folder / "0001").write_text(entry.format("install ok unpacked", "1.1"))
        (folder / "tmp.i").write_text(entry.format("install ok unpacked", "7"))
        assert apt.Apt(str(system)).installed(["half"], 0) == {"half": Installed("1.2")}

    def test_no_dpkg(self, tmp_path: Path) -> None:
        with pytest.raises(ResourceError, match="dpkg does not manage this machine"):
            dpkg.read(str(tmp_path))

    @given(st.binary())
    def test_nothing_breaks_it(self, text: bytes) -> None:
        list(dpkg.parse(text))

    @given(st.lists(st.tuples(st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True), st.booleans()), max_size=20))
    def test_each_package_is_found_as_it_was_written(self, packages: list[tuple[str, bool]]) -> None:
        text = "\n".join(
            f"Package: {name}\nStatus: install ok {'installed' if there else 'not-installed'}\nArchitecture: all\n"
            for name, there in packages
        )
        found = [(entry.name, entry.is_there()) for entry in dpkg.parse(text.encode())]
        assert found == packages


POLICY = """\
tool:
  Installed: 1.0
  Candidate: 2.0
  Version table:
     2.0 500
        500 file:/srv/repository ./ Packages
 *** 1.0 100
        100 /var/lib/dpkg/status
mail-transport-agent:
  Installed: (none)
  Candidate: (none)
  Version table:
"""


def test_apt() -> None:
    offers = dict(apt.parse_policy(POLICY))
    assert offers == {"tool": Offer("2.0", ["2.0", "1.0"]), "mail-transport-agent": Offer("", [])}
    said = "Inst tool [1.0] (2.0 repo:1 [amd64]) []\nInst new:i386 (1.1 repo [i386])\nRemv old [3]\nConf tool (2.0 x)\n"
    assert list(apt.parse_simulation(said)) == [
        Step("tool", "1.0", "2.0"), Step("new:i386", None, "1.1"), Step("old", "3", None),
    ]  # fmt: skip


def test_an_index_that_was_not_fetched_whole() -> None:
    whole = "Hit:1 file:/srv/repository ./ InRelease\nGet:2 http://deb Packages [3 B]\nReading package lists...\n"
    failed = "W: Failed to fetch http://deb/InRelease  Could not resolve 'deb'\nW: Some index files failed to download."
    is_whole = Manager.is_whole
    assert is_whole(whole)
    assert not is_whole(whole + failed)
    assert not is_whole("Err:1 http://deb bookworm InRelease\n  Could not connect to deb:80\n")
    assert is_whole("Metadata cache created.\n")
    assert not is_whole("Errors during downloading\nIgnoring repositories: extras\nMetadata cache created.\n")
    assert is_whole("All repositories have been refreshed.\n")
    assert not is_whole("Skipping repository 'made' because of the above error.\n")
    assert is_whole(":: Synchronizing package databases...\n core downloading...\n")
    assert is_whole("fetch https://alpine/main/APKINDEX.tar.gz\nOK: 20071 distinct packages available\n")
    assert not is_whole("WARNING: updating https://alpine/main: temporary error (try again later)\n")
    remedy = apt.Apt().remedy
    assert remedy("E: Unable to locate package x") == "refresh"
    assert remedy("E: Failed to fetch http://deb/x.deb  404\nE: Unable to fetch some archives") == "fetch"


TABLE = """\
Last metadata expiration check: 0:00:22 ago on Wed Nov 25 02:41:41 2026.
Dependencies resolved.
================================================================================
 Package                                               Arch   Version
                                                                    Repo   Size
================================================================================
Installing:
 foo                                                   noarch 1.1-1 local 5.4 k
 longpackagenameforwrapping-that-is-longer-than-anything
                                                       noarch 1.0-1 local 5.5 k
Installing dependencies:
 libfoo                                                noarch 1.0-1 local 5.4 k
Upgrading:
 bar                                                   noarch 2:1.0-1 local 5.4 k
Removing:
 old                                                   noarch 1.0-1 @local   0
Removing dependent packages:
 older                                                 noarch 1.0-1 @local   0

Transaction Summary
================================================================================
Install  3 Packages
"""


def test_dnf() -> None:
    long = "longpackagenameforwrapping-that-is-longer-than-anything"
    assert list(dnf.parse_transaction(TABLE)) == [
        Step("foo", None, "1.1-1"), Step(long, None, "1.0-1"), Step("libfoo", None, "1.0-1"),
        Step("bar", "another version", "2:1.0-1"), Step("old", "1.0-1", None), Step("older", "1.0-1", None),
    ]  # fmt: skip
    assert list(dnf.parse_transaction("Error: Unable to find a match: x\n")) == []


def test_rpm() -> None:
    said = (
        "kernel\t0\t5.9-1\tx86_64\tkernel kernel-core \nno package provides nope\n"
        "kernel\t0\t5.10-1\tx86_64\tkernel kernel-core \nfoo\t2\t1.0-1\tnoarch\tfoo virtual-foo \n"
    )
    found = dict(rpm.parse_query(said))
    assert found["kernel"] == found["kernel.x86_64"] == Installed("5.10-1"), "the newest of several"
    assert found["foo"] == Installed("2:1.0-1")
    assert found["virtual-foo"] == found["kernel-core"] == Installed("", provided=True)
    fits = dnf.Dnf().fits
    assert all(fits("2:1.0-1", wanted) for wanted in ("2:1.0-1", "1.0-1", "1.0", "1.*"))
    assert not any(fits("2:1.0-1", wanted) for wanted in ("1:1.0-1", "1.0-2", "1"))


def test_zypper() -> None:
    search = """warning on stderr
<?xml version='1.0'?><stream><search-result version="0.0"><solvable-list>
<solvable status="installed" name="tool" kind="package" edition="1.0-1" arch="noarch" repository="(System Packages)"/>
<solvable status="other-version" name="tool" kind="package" edition="1.9-1" arch="noarch" repository="made"/>
<solvable status="other-version" name="tool" kind="package" edition="1.10-1" arch="noarch" repository="made"/>
</solvable-list></search-result></stream>"""
    assert zypper.parse_search(search)["tool"] == Offer("1.10-1", ["1.10-1", "1.9-1"])
    summary = """<?xml version='1.0'?><stream><install-summary>
<to-upgrade><solvable type="package" name="tool" edition="2" arch="noarch" edition-old="1"/></to-upgrade>
<to-install><solvable type="package" name="new" edition="1" arch="noarch"/></to-install>
<to-remove><solvable type="package" name="old" edition="3" arch="noarch"/></to-remove>
</install-summary></stream>"""
    steps = [Step("tool", "1", "2"), Step("new", None, "1"), Step("old", "3", None)]
    assert list(zypper.parse_summary(summary)) == steps
    with pytest.raises(ResourceError, match="cannot be read"):
        zypper.parse_search("no xml")


def test_zypper_locks(tmp_path: Path) -> None:
    (tmp_path / "etc/zypp").mkdir(parents=True)
    (tmp_path / "etc/zypp/locks").write_text("\ntype: package\nmatch_type: glob\nsolvable_name: ker*\n")
    assert list(zypper.Zypper(str(tmp_path))._locks()) == ["ker*"]
    assert list(zypper.Zypper(str(tmp_path / "none"))._locks()) == []


def test_pacman(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/pacman/local"
    for entry, more in (("gcc-libs-12.2.0-1", ""), ("exim-1:4.96-2", "%PROVIDES%\nsmtp-server\nmta=4\n\n%X%\nno\n")):
        (folder / entry).mkdir(parents=True)
        (folder / entry / "desc").write_text(f"%NAME%\nx\n\n{more}")
    (folder / "ALPM_DB_VERSION").write_text("9\n")
    found = pacman.Pacman(str(tmp_path)).installed(["gcc-libs", "exim", "mta", "no", "gcc"], 0)
    assert found == {
        "gcc-libs": Installed("12.2.0-1"), "exim": Installed("1:4.96-2"), "mta": Installed("", provided=True),
    }  # fmt: skip
    info = "Repository      : core\nName            : a\nVersion         : 1:2-3\nDescription     : Name : b\n\n"
    assert dict(pacman.parse_info(info + info.replace("1:2-3", "9-9"))) == {"a": Offer("1:2-3", ["1:2-3"])}


INSTALLED = """\
C:Q1hash=
P:busybox
V:1.36.1-r5
A:x86_64
D:so:libc.musl-x86_64.so.1
p:/bin/sh cmd:sh=1.36.1-r5
F:bin
R:busybox

P:musl
V:1.2.4-r2
p:so:libc.musl-x86_64.so.1=1
"""
APK_POLICY = """\
busybox policy:
  1.36.1-r5:
    lib/apk/db/installed
  1.36.1-r7:
    https://dl-cdn.alpinelinux.org/alpine/v3.19/main
nope policy:
"""


def test_apk(tmp_path: Path) -> None:
    """apk itself cannot be had here: these are the formats that it documents."""
    (tmp_path / "lib/apk/db").mkdir(parents=True)
    (tmp_path / "lib/apk/db/installed").write_text(INSTALLED)
    found = apk.Apk(str(tmp_path)).installed(["busybox", "musl", "cmd:sh", "nope"], 0)
    assert found == {
        "busybox": Installed("1.36.1-r5"), "musl": Installed("1.2.4-r2"), "cmd:sh": Installed("", provided=True),
    }  # fmt: skip
    assert dict(apk.parse_policy(APK_POLICY)) == {"busybox": Offer("1.36.1-r7", ["1.36.1-r7"])}
    steps = "(1/3) Installing libx (1.0-r0)\n(2/3) Upgrading y (1-r0 -> 2-r0)\n(3/3) Purging z (1-r1)\nOK: 9 MiB\n"
    assert list(apk.parse_steps(steps)) == [
        Step("libx", None, "1.0-r0"), Step("y", "1-r0", "2-r0"), Step("z", "1-r1", None),
    ]  # fmt: skip
