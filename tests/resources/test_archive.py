"""archive: what is unpacked, what is refused, and that it is never half there; on real archives."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import io
import os
import re
import shutil
import ssl
import stat
import struct
import subprocess
import tarfile
import tempfile
import threading
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from converge.blueprints.load import load
from converge.core.change import IN_SYNC, Changes
from converge.core.errors import Busy, NotYet, Refusal, ResourceError
from converge.core.ownership import Ownership
from converge.core.resource import Resource
from converge.host.fs import busy
from converge.host.fs.atomic import temporary_name
from converge.resources.accounts import User
from converge.resources.archive import STAMP, Archive
from converge.resources.archive.unpacking import unpack
from converge.resources.exec import Exec
from converge.resources.file import File
from converge.resources.git import Git

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def make_tar(path: Path, files: dict[str, str], mode: str = "w:gz", members: list[tarfile.TarInfo] = []) -> Path:  # noqa: B006
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]  # the mode is a parameter here
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o4775 if name.endswith(".sh") else 0o664
            tar.addfile(info, io.BytesIO(content.encode()))
        for member in members:
            tar.addfile(member)
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def converge(it: Archive) -> Changes:
    assert list(it.mistakes()) == []
    state = it.check()
    if state:
        it.apply(state)
        assert it.check() == IN_SYNC
    return state


def tree(path: Path) -> dict[str, str]:
    return {str(each.relative_to(path)): each.read_text() for each in sorted(path.rglob("*"))
            if each.is_file() and each.name != STAMP}  # fmt: skip


def sha256(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make_tar(tmp_path / "app.tar.gz", {"app-1/run.sh": "run", "app-1/lib/a": "A", "README": "read"})


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_is_unpacked_once(tmp_path: Path, mode: str) -> None:
    source = make_tar(tmp_path / "a", {"x": "X", "deep/y": "Y"}, mode)
    dest = tmp_path / "dest"
    it = Archive(str(dest), str(source))
    (change,) = converge(it)
    assert change.action == "create"
    assert tree(dest) == {"x": "X", "deep/y": "Y"}
    assert stat.S_IMODE(dest.stat().st_mode) == 0o755
    (dest / "x").write_text("ours")
    assert converge(it) == IN_SYNC, "single files are not guarded"
    assert sorted(os.listdir(tmp_path)) == ["a", "dest"]


def test_a_zip_with_modes_and_a_link(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, mode in (("bin/run", 0o104777), ("plain", 0o100644)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, name)
        info = zipfile.ZipInfo("bin/again")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "../plain")
        archive.mkdir("empty")
    converge(Archive(str(tmp_path / "dest"), str(tmp_path / "a.zip")))
    assert tree(tmp_path / "dest") == {"bin/run": "bin/run", "plain": "plain", "bin/again": "plain"}
    assert stat.S_IMODE((tmp_path / "dest/bin/run").stat().st_mode) == 0o755
    assert (tmp_path / "dest/empty").is_dir()


def test_leading_parts_are_left_out(tmp_path: Path, app: Path) -> None:
    converge(Archive(str(tmp_path / "dest"), str(app), strip=1))
    assert tree(tmp_path / "dest") == {"run.sh": "run", "lib/a": "A"}
    assert stat.S_IMODE((tmp_path / "dest/run.sh").stat().st_mode) == 0o755, "neither set-user-id nor group-writable"
    state = converge(Archive(str(tmp_path / "dest"), str(app), strip=2))
    assert [change.action for change in state] == ["update"]
    assert tree(tmp_path / "dest") == {"a": "A"}


def test_another_archive_takes_its_place_as_a_whole(tmp_path: Path, app: Path) -> None:
    dest = tmp_path / "dest"
    converge(Archive(str(dest), str(app)))
    dest.chmod(0o750)
    make_tar(app, {"new": "N"})
    converge(Archive(str(dest), str(app)))
    assert tree(dest) == {"new": "N"}
    assert stat.S_IMODE(dest.stat().st_mode) == 0o750
    assert sorted(os.listdir(tmp_path)) == ["app.tar.gz", "dest"]


@pytest.mark.parametrize(
    ("other", "stays"),
    [
        (lambda dest: User("ann", home=f"{dest}/homes/ann"), True),
        (lambda dest: Git(f"{dest}/plugins/one", "/srv/one.git"), True),
        (lambda dest: Git(f"{dest.parent}/alias/plugins/one", "/srv/one.git"), True),
        (lambda dest: Git(f"{dest}/plugins/none", "/srv/one.git"), False),
        (lambda dest: User("ann", home=str(dest)), False),
        (lambda dest: User("ann", home=str(dest.parent)), False),
        (lambda dest: Exec("make", ["make"], creates=f"{dest}/plugins/one"), False),
        (lambda dest: Archive(f"{dest}/plugins/one", "/srv/a.tar"), False),
        (lambda dest: File(f"{dest}/plugins/one", content="x"), False),
    ],
)
@pytest.mark.parametrize("replace", [True, False])
def test_what_another_resource_would_not_make_again_is_never_replaced(
    tmp_path: Path, app: Path, other: Callable[[Path], Resource], stays: bool, replace: bool
) -> None:
    dest = tmp_path / "dest"
    (tmp_path / "alias").symlink_to(dest)
    it = Archive(str(dest), str(app), replace=replace)
    it = it.with_ownership(Ownership([it, other(dest)]))
    converge(it)
    if replace:
        (dest / STAMP).unlink()
    else:
        make_tar(app, {"new": "N"})
    state = it.check()
    for name in ("homes/ann", "plugins/one"):
        (dest / name).mkdir(parents=True)
    if not stays:
        converge(it)
        assert not (dest / "plugins").exists()
        return
    for act in (it.check, lambda: it.apply(state)):
        with pytest.raises(ResourceError, match=f"^{dest} holds what .* owns, so it is not replaced"):
            act()
    assert (dest / "homes/ann").is_dir()
    assert sorted(os.listdir(tmp_path)) == ["alias", "app.tar.gz", "dest"]


def test_an_archive_of_a_blueprint_knows_what_others_own(tmp_path: Path, app: Path) -> None:
    dest, site = tmp_path / "dest", tmp_path / "site.py"
    site.write_text(
        "from converge import Run, blueprint\n@blueprint('a')\ndef a(r: Run) -> None:\n"
        f"    r.archive({str(dest)!r}, {str(app)!r})\n    r.git('{dest}/one', '/srv/one.git')\n"
    )
    it, other = load(str(site)).graph.resources
    it.apply(it.check())
    (dest / "one").mkdir()
    make_tar(app, {"new": "N"})
    with pytest.raises(ResourceError, match=rf"holds what {other.id} \({site}:5\) owns, so it is not replaced"):
        it.check()


def test_what_else_is_there_is_not_lost_unless_told(tmp_path: Path, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dest = tmp_path / "dest"
    dest.mkdir()
    (dest / "precious").write_text("data")
    with pytest.raises(Busy, match="somebody is at work in"):  # it may be just being removed
        Archive(str(dest), str(app)).check()
    monkeypatch.setattr(busy, "QUIET", 0.0)
    with pytest.raises(Refusal, match="holds other things than this archive"):
        Archive(str(dest), str(app)).check()
    converge(Archive(str(dest), str(app), replace=True))
    assert "precious" not in tree(dest)
    (tmp_path / "empty").mkdir()
    converge(Archive(str(tmp_path / "empty"), str(app)))
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="is a file, which is not replaced"):
        Archive(str(tmp_path / "file"), str(app), replace=True).check()


def test_with_a_checksum_the_archive_may_be_gone(tmp_path: Path, app: Path) -> None:
    it = Archive(str(tmp_path / "dest"), str(app), checksum=sha256(app))
    converge(it)
    app.unlink()
    assert it.check() == IN_SYNC
    with pytest.raises(NotYet) as raised:
        Archive(str(tmp_path / "dest"), str(app)).check()
    assert raised.value.needs == f"file:{app}"


def test_the_wrong_archive_is_not_unpacked(tmp_path: Path, app: Path) -> None:
    it = Archive(str(tmp_path / "dest"), str(app), checksum="sha256:" + "0" * 64)
    with pytest.raises(ResourceError, match="is not what was declared: its checksum is sha256:"):
        it.apply(it.check())
    assert os.listdir(tmp_path) == ["app.tar.gz"]


@pytest.mark.parametrize(
    "members",
    [
        [link("out", "/etc/passwd")],
        [link("out", "../../x")],
        [link("d/out", "../../x")],
        [link("out", "..")],
        [link("here", "."), link("out", "here/../x")],
        [link("none", "")],
        [link("hard", "../x", tarfile.LNKTYPE)],
        [link("dir", "inside"), link("dir/x", "y")],
        [link("a", "b"), link("c", "a/x", tarfile.LNKTYPE)],
        [link("d/a", "../b"), link("c", "d/a", tarfile.LNKTYPE)],
        [tarfile.TarInfo("a/b"), tarfile.TarInfo("a")],
        [tarfile.TarInfo("a"), tarfile.TarInfo("a/b")],
        [tarfile.TarInfo("../outside")],
        [tarfile.TarInfo("x/../../outside")],
        [link("device", "", tarfile.CHRTYPE)],
        [link("pipe", "", tarfile.FIFOTYPE)],
    ],
)
def test_nothing_gets_out_of_its_directory(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    source = make_tar(tmp_path / "a.tar", {"first": "1"}, "w", members)
    it = Archive(str(tmp_path / "deep" / "dest"), str(source))
    (tmp_path / "deep").mkdir()
    with pytest.raises(ResourceError, match="is not unpacked: "):
        it.apply(it.check())
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "deep"]
    assert os.listdir(tmp_path / "deep") == []


steps = st.lists(st.sampled_from(["a", "b", "c", ".", ".."]), min_size=1, max_size=4).map("/".join)
kinds = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


@given(st.lists(st.tuples(steps, kinds, steps), max_size=6), st.integers(0, 2))
def test_whatever_an_archive_holds_stays_within(members: list[tuple[str, bytes, str]], strip: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outer = Path(os.path.realpath(folder))
        (outer / "x" / "in").mkdir(parents=True)
        links = [link(name, target if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "", kind)
                 for name, kind, target in members]  # fmt: skip
        source = make_tar(outer / "a.tar", {}, "w", links)
        with open(source, "rb") as file, contextlib.suppress(ResourceError, OSError):
            unpack(file, "a.tar", str(outer / "x" / "in"), strip)
        assert sorted(os.listdir(outer)) == ["a.tar", "x"]
        assert os.listdir(outer / "x") == ["in"]
        for path in (outer / "x" / "in").rglob("*"):
            assert Path(os.path.realpath(path)).is_relative_to(outer / "x" / "in")


@pytest.mark.parametrize(("name", "target"), [("../x", None), ("a/../../x", None), ("l", "/etc"), ("l", "../x")])
def test_nor_does_what_is_in_a_zip(tmp_path: Path, name: str, target: str | None) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = (0o100644 if target is None else 0o120777) << 16
        archive.writestr(info, target or "x")
    it = Archive(str(tmp_path / "dest"), str(tmp_path / "a.zip"))
    with pytest.raises(ResourceError, match="is not unpacked: "):
        it.apply(it.check())
    assert os.listdir(tmp_path) == ["a.zip"]


def test_links_within_it_are_kept(tmp_path: Path) -> None:
    members = [link("lib/current", "../data"), link("hard", "data", tarfile.LNKTYPE), link("dangling", "no/such")]
    source = make_tar(tmp_path / "a.tar", {"data": "D", "lib/x": "X"}, "w", members)
    converge(Archive(str(tmp_path / "dest"), str(source)))
    assert tree(tmp_path / "dest") == {"data": "D", "hard": "D", "lib/x": "X", "lib/current": "D"}
    assert (tmp_path / "dest/hard").stat().st_nlink == 2
    assert os.readlink(tmp_path / "dest/dangling") == "no/such"


def test_of_two_files_with_one_name_the_later_counts(tmp_path: Path) -> None:
    source = make_tar(tmp_path / "a.tar", {"./x": "old", "h": "H", "x": "new"}, "w", [link("x", "h", tarfile.LNKTYPE)])
    converge(Archive(str(tmp_path / "dest"), str(source)))
    assert tree(tmp_path / "dest") == {"h": "H", "x": "H"}


@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is not installed")
def test_it_unpacks_as_tar_does(tmp_path: Path) -> None:
    """Long names, holes, odd letters, and all the formats that tar writes."""
    top = tmp_path / "in"
    for name in ("a" * 120, "b/" * 60 + "c", "läuft \n", "empty"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name[:9] if name != "empty" else "")
    with open(top / "holes", "wb") as file:
        file.seek(1 << 22)
        file.write(b"end")
    (top / "run").write_text("x")
    (top / "run").chmod(0o755)
    os.utime(top / "run", (1e9, 1e9))
    for form in ("gnu", "pax", "ustar"):
        more = ["--sparse"] if form != "ustar" else []
        left_out = [f"--exclude={'a' * 120}"] if form == "ustar" else []
        subprocess.run(
            ["tar", f"--format={form}", *more, *left_out, "-cf", tmp_path / form, "-C", top, "."], check=True
        )
        converge(Archive(str(tmp_path / f"out-{form}"), str(tmp_path / form)))
        found = subprocess.run(
            ["diff", "-r", "-x", STAMP, "-x", "a" * 120 if left_out else STAMP, top, tmp_path / f"out-{form}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert found.stdout == ""
        run = (tmp_path / f"out-{form}" / "run").stat()
        assert (stat.S_IMODE(run.st_mode), run.st_mtime) == (0o755, 1e9)


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
targets = st.one_of(names, names.map("../{}".format), st.sampled_from([".", "/etc", "../../x", ""]))
times = st.sampled_from(["1000", "-1", "nan", "inf", "-inf", "99999999999999999999", str(2**63), "none", "1.5"])
OWN_RULES = r"may lead outside|leads through a link|is a hard link to something|leads outside"


@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is not installed")
@given(st.lists(st.tuples(names, kinds, targets, st.none() | times), max_size=6), st.integers(0, 1))
def test_whatever_an_archive_holds_it_unpacks_as_tar_does(
    members: list[tuple[str, bytes, str, str | None]], strip: int
) -> None:
    """What tar cannot unpack is refused, and what is refused although tar unpacks it, for a reason of security."""
    # tar 1.34 makes links that lead up at its end, in place of what took their inode's number in the meantime.
    late = [name for name, kind, target, _ in members if kind == tarfile.SYMTYPE and target.startswith((".", "/"))]
    assume(all(sum(name == each for name, *_ in members) == 1 for each in late))
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        with tarfile.open(top / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
            for number, (name, kind, target, time) in enumerate(members):
                info = link(name, target if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "", kind)
                info.size, info.mode = (1 if kind == tarfile.REGTYPE else 0), 0o755
                info.mtime, info.pax_headers = number, {} if time is None else {"mtime": time}
                tar.addfile(info, io.BytesIO(b"%d" % number))
        (top / "ours").mkdir()
        (top / "theirs").mkdir()
        done = subprocess.run(
            ["tar", "-xf", top / "a.tar", "-C", top / "theirs", f"--strip-components={strip}"],
            capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
        )  # fmt: skip
        said = [line for line in done.stderr.splitlines() if not re.search(UNHEEDED, line)]
        try:
            with open(top / "a.tar", "rb") as file:
                unpack(file, "a.tar", str(top / "ours"), strip)
        except ResourceError as error:
            assert said or re.search(OWN_RULES, str(error)), error
        else:
            assert not said
            assert whole_tree(top / "ours", done.returncode == 0) == whole_tree(top / "theirs", done.returncode == 0)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("time", ["1e400", "-inf", "nan", str(2**80), str(-(2**62))])
def test_a_time_out_of_range_is_no_failure(tmp_path: Path, form: int, time: str) -> None:
    info = tarfile.TarInfo("a")
    if form == tarfile.PAX_FORMAT:
        info.pax_headers = {"mtime": time}
    elif time.lstrip("-").isdecimal():
        info.mtime = int(time)
    with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
        tar.addfile(info)
    converge(Archive(str(tmp_path / "dest"), str(tmp_path / "a.tar")))
    assert (tmp_path / "dest" / "a").exists()


UNHEEDED = (
    r"Removing leading|Substituting|implausibly old|in the future|[Ee]xtended header|out of .* range|Exiting with"
)
"""Times that tar complains of (what it unpacks has that of the plain header then), and what it repairs."""


def whole_tree(top: Path, times: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in top.rglob("*"):
        if path.is_symlink():
            found[str(path.relative_to(top))] = ("link", os.readlink(path))
        elif path.is_dir():
            found[str(path.relative_to(top))] = "directory"
        else:
            status = path.stat()
            whose = min(each.name for each in top.rglob("*") if each.lstat().st_ino == status.st_ino)
            time = int(status.st_mtime) if times else None
            found[str(path.relative_to(top))] = (path.read_bytes(), whose, time)
    return found


class RawName(zipfile.ZipInfo):
    """A member whose name is written as these bytes, with these flags."""

    raw: tuple[bytes, int]

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.raw


def make_zip(path: Path, members: list[tuple[bytes, int, int, bytes]]) -> None:
    """Of raw names, the systems that they were made by, flags, and extra fields."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, (raw, system, flags, extra) in enumerate(members):
            info = RawName("x")
            info.raw, info.create_system, info.extra = (raw, flags), system, extra
            info.filename = info.orig_filename = f"{number}"
            archive.writestr(info, b"" if raw.endswith((b"/", b"\\")) else b"%d" % number)


def unicode_path(raw: bytes, name: bytes, version: int = 1, checksum: int | None = None) -> bytes:
    data = struct.pack("<BL", version, zlib.crc32(raw) if checksum is None else checksum) + name
    return struct.pack("<HH", 0x7075, len(data)) + data


UNIX, DOS, NTFS = 3, 0, 11


@pytest.mark.parametrize(
    ("member", "path"),
    [
        (("café".encode(), UNIX, 0, b""), "café"),
        (("café".encode("cp437"), DOS, 0, b""), "café"),
        (("café".encode(), DOS, 0x800, b""), "café"),
        (("café".encode(), NTFS, 0, b""), "café"),
        (("café".encode("latin-1"), UNIX, 0, b""), "caf\udce9"),
        ((b"caf?", UNIX, 0, unicode_path(b"caf?", "café".encode())), "café"),
        ((b"caf?", DOS, 0, b"UT\1\0x" + unicode_path(b"caf?", "café".encode())), "café"),
        ((b"new", UNIX, 0, unicode_path(b"caf?", "café".encode())), "new"),
        ((b"caf?", UNIX, 0, unicode_path(b"caf?", b"x", version=2)), "caf?"),
        ((b"caf?", UNIX, 0, unicode_path(b"caf?", b"")), "caf?"),
        ((b"d\\e\\f", DOS, 0, b""), "d/e/f"),
        ((b"d/e\\f", DOS, 0, b""), "d/e\\f"),
        ((b"d\\e", UNIX, 0, b""), "d\\e"),
        ((b"d\\", DOS, 0x800, b""), "d/"),
        ((b"a\0b", UNIX, 0, b""), "a"),
    ],
)
def test_names_in_a_zip(tmp_path: Path, member: tuple[bytes, int, int, bytes], path: str) -> None:
    make_zip(tmp_path / "a.zip", [member])
    (tmp_path / "ours").mkdir()
    with open(tmp_path / "a.zip", "rb") as file:
        unpack(file, "a.zip", str(tmp_path / "ours"), 0)
    assert (tmp_path / "ours" / path).is_dir() if path.endswith("/") else (tmp_path / "ours" / path).read_text() == "0"


@pytest.mark.parametrize("name", [b"..\\x", b"d\\..\\..\\x"])
def test_backslashes_lead_nowhere(tmp_path: Path, name: bytes) -> None:
    make_zip(tmp_path / "a.zip", [(name, DOS, 0, b"")])
    with open(tmp_path / "a.zip", "rb") as file, pytest.raises(ResourceError, match="leads outside of it"):
        unpack(file, "a.zip", str(tmp_path), 0)


@pytest.mark.skipif(shutil.which("zip") is None, reason="zip is not installed")
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_zip_of_the_system(tmp_path: Path, locale: str) -> None:
    (tmp_path / "ünter").mkdir()
    (tmp_path / "ünter" / "ß 💥").write_text("x")
    subprocess.run(["zip", "-qr", "a.zip", "ünter"], cwd=tmp_path, check=True, env={**os.environ, "LC_ALL": locale})
    converge(Archive(str(tmp_path / "dest"), str(tmp_path / "a.zip")))
    assert tree(tmp_path / "dest") == {"ünter/ß 💥": "x"}


raw_names = st.lists(
    st.sampled_from([b"a", b"b", b"c", "é".encode(), "ß".encode("latin-1"), b"d\\e"]), min_size=1, max_size=3
)


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
@given(st.lists(st.tuples(raw_names.map(b"/".join), st.booleans(), st.booleans()), max_size=5))
def test_it_unpacks_as_unzip_does(members: list[tuple[bytes, bool, bool]]) -> None:
    """Names of other systems depend on a table of unzip's that goes by the locale; those of Unix and NTFS do not."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        top = Path(folder)
        make_zip(top / "a.zip", [
            (raw + b"/" * directory, NTFS if ntfs else UNIX, 0, b"") for raw, directory, ntfs in members
        ])  # fmt: skip
        (top / "ours").mkdir()
        (top / "theirs").mkdir()
        done = subprocess.run(
            ["unzip", "-o", "-qq", top / "a.zip", "-d", top / "theirs"],
            capture_output=True, check=False, env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]},
        )  # fmt: skip
        try:
            with open(top / "a.zip", "rb") as file:
                unpack(file, "a.zip", str(top / "ours"), 0)
        except ResourceError:
            assert done.returncode != 0
        else:
            # Where a file and a directory have one name, unzip skips the later one, with an error.
            assert done.returncode or whole_tree(top / "ours", False) == whole_tree(top / "theirs", False)


def test_a_damaged_archive_leaves_nothing(tmp_path: Path, app: Path) -> None:
    whole = make_tar(app, {f"{number}": os.urandom(3000).hex() for number in range(50)}).read_bytes()
    for broken in (b"", b"no archive", whole[: len(whole) // 2], whole[:5000] + b"?" * 5000 + whole[10000:]):
        app.write_bytes(broken)
        it = Archive(str(tmp_path / "dest"), str(app))
        with pytest.raises(ResourceError, match=r"neither a tar|cannot be unpacked"):
            it.apply(it.check())
        assert os.listdir(tmp_path) == ["app.tar.gz"]


def test_what_an_interrupted_run_left_behind_is_removed(tmp_path: Path) -> None:
    left = tmp_path / temporary_name("dest")
    (left / "half").mkdir(parents=True)
    (tmp_path / temporary_name("other")).mkdir()
    Archive.tidy_many([Archive(str(tmp_path / "dest"), "/a.tar"), Archive(str(tmp_path / "none" / "x"), "/a.tar")])
    assert not left.exists()
    assert len(os.listdir(tmp_path)) == 1


def test_without_its_folder_it_waits(tmp_path: Path, app: Path) -> None:
    with pytest.raises(NotYet) as raised:
        Archive(str(tmp_path / "none" / "dest"), str(app)).check()
    assert raised.value.needs == f"file:{tmp_path}/none"
    assert raised.value.changes


@as_root
def test_all_of_it_has_its_owner(tmp_path: Path, app: Path) -> None:
    it = Archive(str(tmp_path / "dest"), str(app), owner="nobody", group=1234)
    converge(it)
    for path in (tmp_path / "dest", *(tmp_path / "dest").rglob("*")):
        assert (path.owner(), path.stat().st_gid) == ("nobody", 1234)
    os.chown(tmp_path / "dest", 0, 0)
    assert [change.property for change in converge(it)] == ["owner", "group"]
    with pytest.raises(NotYet) as raised:
        Archive(str(tmp_path / "dest2"), str(app), owner="nosuchuser").check()
    assert raised.value.needs == "user:nosuchuser"


class Served(NamedTuple):
    """A server, and what it was sent as ``Authorization``."""

    host: str
    authorizations: list[str | None]

    def __call__(self, path: str) -> str:
        return f"https://{self.host}/{path}"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """What is in a folder, by https from this machine; trusted because a certificate of the test's own is."""
    authorizations: list[str | None] = []
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:  # Any: the server's own
            super().__init__(*args, directory=str(tmp_path))

        def do_GET(self) -> None:
            if self.path.startswith("/elsewhere/"):
                self.send_response(302)
                self.send_header("Location", self.path.removeprefix("/elsewhere"))
                self.end_headers()
                return
            authorizations.append(self.headers.get("Authorization"))
            super().do_GET()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Served(f"localhost:{server.server_port}", authorizations)
        server.shutdown()
        thread.join()


def test_a_download(tmp_path: Path, app: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    dest = tmp_path / "dest"
    converge(Archive(str(dest), served(app.name), checksum=sha256(app), strip=1))
    assert tree(dest) == {"run.sh": "run", "lib/a": "A"}
    absent = Archive(str(tmp_path / "no"), served("none.tar"), checksum=sha256(app))
    with pytest.raises(ResourceError, match=r"none\.tar cannot be downloaded: (Not Found|File not found)"):
        absent.apply(absent.check())
    wrong = Archive(str(tmp_path / "no"), served("key"), checksum=sha256(app))
    with pytest.raises(ResourceError, match="is not what was declared"):
        wrong.apply(wrong.check())
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ResourceError, match="certificate verify failed"):
        Archive(str(tmp_path / "no"), served(app.name), checksum=sha256(app)).apply(absent.check())
    assert not (tmp_path / "no").exists()


def test_a_download_with_a_password(tmp_path: Path, app: Path, served: Served) -> None:
    """The last @ ends it. It goes to the server that it is for, not where that one leads, and is not shown."""
    url = f"https://me:p@ss%2Fw0rd@{served.host}/{{}}?private_token=t0ken"
    shown = f"https://***@{served.host}/app.tar.gz?private_token=*** (sha256:{sha256(app)[7:19]}…)"
    it = Archive(str(tmp_path / "dest"), url.format(app.name), checksum=sha256(app))
    assert [change.to for change in converge(it)] == [shown]
    assert served.authorizations == ["Basic " + base64.b64encode(b"me:p@ss/w0rd").decode()]
    converge(Archive(str(tmp_path / "dest2"), url.format(f"elsewhere/{app.name}"), checksum=sha256(app)))
    assert served.authorizations[1:] == [None]
    for name in ("none", "key"):
        absent = Archive(str(tmp_path / "no"), url.format(name), checksum=sha256(app))
        with pytest.raises(ResourceError) as raised:
            absent.apply(absent.check())
        assert "p@ss" not in str(raised.value) and "w0rd" not in str(raised.value) and "t0ken" not in str(raised.value)


@pytest.mark.parametrize(
    ("it", "mistake"),
    [
        (Archive("opt/x", "/a.tar"), "is not absolute"),
        (Archive("/opt/../x", "/a.tar"), "holds .."),
        (Archive("/", "/a.tar"), "in the place of the root directory"),
        (Archive("/opt/x", ""), "is no archive"),
        (Archive("/opt/x", "http://x/a.tar"), "by https:// alone"),
        (Archive("/opt/x", "https://x/a.tar"), "a download needs a checksum"),
        (Archive("/opt/x", "/a.tar", checksum="md5:1"), "64 hexadecimal digits"),
        (Archive("/opt/x", "/a.tar", strip=-1), "strip takes 0 or more"),
    ],
)
def test_mistakes(it: Archive, mistake: str) -> None:
    (text,) = it.mistakes()
    assert mistake in text


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory of an unprivileged user, next to one of root."""
    with tempfile.TemporaryDirectory() as top:
        place = Path(top, "u1")
        place.mkdir()
        os.chown(place, 12345, 12345)
        yield place


@as_root
def test_an_archive_is_not_read_through_a_link_of_a_user(home: Path, app: Path) -> None:
    shutil.copy(app, home.parent / "secret.tar")
    (home / "app.tar").symlink_to(home.parent / "secret.tar")
    os.lchown(home / "app.tar", 12345, 12345)
    it = Archive(str(home / "dest"), str(home / "app.tar"))
    with pytest.raises(ResourceError, match=r"symbolic link .* owned by uid 12345"):
        it.check()


@as_root
def test_an_archive_of_root_that_a_user_may_have_moved_is_not_unpacked(home: Path, app: Path) -> None:
    shutil.copy(app, home / "app.tar")
    (home / "app.tar").chmod(0o600)
    with pytest.raises(ResourceError, match="belongs to root and is not readable by everybody"):
        Archive(str(home / "dest"), str(home / "app.tar")).check()
    os.chown(home / "app.tar", 12345, 12345)
    converge(Archive(str(home / "dest"), str(home / "app.tar")))


@as_root
def test_a_fifo_in_place_of_the_archive_or_of_its_stamp_holds_nothing_up(home: Path, app: Path) -> None:
    os.mkfifo(home / "app.tar")
    with pytest.raises(ResourceError, match="is not a regular file"):
        Archive(str(home / "dest"), str(home / "app.tar")).check()
    (home / "dest").mkdir()
    os.mkfifo(home / "dest" / STAMP)
    with pytest.raises(ResourceError, match="is not a regular file"):
        Archive(str(home / "dest"), str(app)).check()


@as_root
def test_another_owner_gets_no_write_bits_of_the_former_one(home: Path, app: Path) -> None:
    it = Archive(str(home / "dest"), str(app), owner=12345)
    converge(it)
    (home / "dest").chmod(0o2777)
    it = Archive(str(home / "dest"), str(app), owner="root")
    assert {change.property: change.to for change in converge(it)} == {"owner": "root", "mode": "0755"}
    assert stat.S_IMODE((home / "dest").stat().st_mode) == 0o755


@as_root
def test_a_staging_directory_that_is_exchanged_receives_nothing(
    home: Path, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user moves a directory of their own onto the name, between its making and its opening."""
    (home / "theirs").mkdir()
    os.chown(home / "theirs", 12345, 12345)
    make = os.mkdir

    def exchanged(name: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(name, mode, dir_fd=dir_fd)
        if "converge" in name:
            os.rename(name, f"{name}-away", src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            os.rename(home / "theirs", name, dst_dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", exchanged)
    it = Archive(str(home / "dest"), str(app))
    with pytest.raises(ResourceError, match="was replaced by another directory while it was made"):
        it.apply(it.check())
    assert not (home / "dest").exists()


@as_root
def test_a_directory_of_root_that_a_user_names_like_a_leftover_stays(home: Path, app: Path) -> None:
    (home / "private").mkdir()
    (home / "private" / "kept").touch()
    (home / "private").rename(home / temporary_name("dest"))
    theirs = home / temporary_name("dest")
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    Archive.tidy_many([Archive(str(home / "dest"), str(app))])
    assert not theirs.exists()
    assert [path.name for path in home.rglob("kept")] == ["kept"]
