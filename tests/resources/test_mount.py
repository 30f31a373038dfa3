"""mount: what the kernel's list and fstab say, and what of it differs. What is mounted really is in tests/system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge import mount_point
from converge.core.change import Change
from converge.core.errors import NotYet, ResourceError
from converge.core.trigger import MountsChanged
from converge.host.mountinfo import Table, parse, read_table
from converge.resources.mount import Mount, fstab, live, options
from converge.resources.mount.fstab import Entry

LINES = """\
20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
21 20 0:20 / /proc rw,nosuid,nodev,noexec shared:2 - proc proc rw
30 20 0:30 / /srv rw,nosuid shared:3 - tmpfs scratch rw,size=10240k,nr_inodes=400
31 30 8:1 /data/my\\040files /srv/my\\040files ro,relatime - ext4 /dev/sda1 rw
32 20 0:32 / /mnt rw - tmpfs lower rw
33 32 0:33 / /mnt ro - tmpfs upper rw
34 20 0:34 / /hidden/below rw - tmpfs below rw
35 20 0:35 / /hidden rw - tmpfs above rw
36 20 0:36 / /net rw - nfs4 server:/share rw,vers=4.2
37 20 0:37 / /auto rw - autofs systemd-1 rw,fd=1
cut off
"""


def table(text: str = LINES) -> Table:
    return Table(filter(None, map(parse, text.encode().splitlines())))


def differs(it: Mount, text: str = LINES) -> dict[str, tuple[str | None, str | None]]:
    assert list(it.mistakes()) == []
    return {change.property: (change.from_, change.to) for change in live.differences(it, table(text))}


# --- the kernel's list ---------------------------------------------------------------------------------------


def test_what_is_seen_at_a_path() -> None:
    seen = {path: found.source if (found := table().at(path)) else None
            for path in ("/", "/srv", "/srv/my files", "/mnt", "/hidden", "/hidden/below", "/srv/x")}  # fmt: skip
    assert seen == {
        "/": "/dev/sda1", "/srv": "scratch", "/srv/my files": "/dev/sda1", "/mnt": "upper", "/hidden": "above",
        "/hidden/below": None, "/srv/x": None,
    }  # fmt: skip
    holding = table().holding("/srv/my files/a/b")
    assert holding is not None
    assert holding.root == "/data/my files"


def test_this_machine_has_a_root() -> None:
    assert read_table().at("/") is not None


# --- what differs --------------------------------------------------------------------------------------------


def test_right_is_right() -> None:
    assert differs(Mount("/srv", "scratch", "tmpfs", "nosuid,size=10m,nr_inodes=400")) == {}
    assert differs(Mount("/", "/dev/sda1", "ext4", "errors=remount-ro")) == {}
    assert differs(Mount("/net", "server:/share/", "nfs", "hard,rw,_netdev")) == {}
    assert differs(Mount("/auto", "/dev/sdb1", "ext4", "noauto,x-systemd.automount")) == {}
    assert differs(Mount("/none", state="absent")) == {}
    assert differs(Mount("/srv", fstype="tmpfs", options="nosuid,size=50%")) == {}


def test_options_that_can_be_seen_are_compared() -> None:
    assert differs(Mount("/srv", fstype="tmpfs")) == {"options": ("nosuid", "suid")}
    assert differs(Mount("/srv", fstype="tmpfs", options="ro,noexec,nosuid,nodev,noatime")) == {
        "options": ("rw,dev,exec,not noatime", "ro,nodev,noexec,noatime")
    }
    assert differs(Mount("/srv", fstype="tmpfs", options="nosuid,size=20m,nr_inodes=1k")) == {
        "size": ("10240k", "20m"), "nr_inodes": ("400", "1k")
    }  # fmt: skip
    assert differs(Mount("/mnt", fstype="tmpfs", options="user,dev,exec")) == {"options": ("ro,suid", "rw,nosuid")}


def test_what_else_is_mounted_differs() -> None:
    assert differs(Mount("/net", "other:/share", "nfs")) == {"source": ("server:/share", "other:/share")}
    assert differs(Mount("/srv", "/dev/sdx9", "ext4", "nosuid")) == {
        "fstype": ("tmpfs", "ext4"), "source": ("scratch", "/dev/sdx9")
    }  # fmt: skip
    assert differs(Mount("/none", fstype="tmpfs")) == {"mounted": (None, "tmpfs")}
    assert differs(Mount("/srv", state="unmounted")) == {"mounted": ("scratch (tmpfs)", None)}


def test_a_bind_mount_is_known_by_what_it_shows() -> None:
    it = Mount("/srv/my files", "/data/my files", options="bind,ro")
    assert differs(it) == {}
    assert differs(Mount("/srv/my files", "/data/my files", options="bind")) == {}, "it takes over what is not said"
    assert differs(Mount("/srv/my files", "/data/other", options="bind,ro")).keys() == {"source"}
    assert differs(Mount("/srv/my files", "/data/my files", options="bind,rw")) == {"options": ("ro", "rw")}


def test_a_remount_says_all_that_is_wanted() -> None:
    assert options.remount_options("defaults,noexec") == "remount,noexec,rw,suid,dev"
    assert options.remount_options("bind,ro") == "remount,bind,ro"
    assert options.remount_options('ro,context="a,b"') == 'remount,ro,context="a,b",suid,dev,exec'


@pytest.mark.parametrize(("text", "size"), [("10", 10), ("4k", 4096), ("1G", 1 << 30), ("50%", None), ("", None)])
def test_sizes(text: str, size: int | None) -> None:
    assert options.parse_size(text) == size


def test_what_it_stands_on_may_be_yet_to_come(tmp_path: Path) -> None:
    root = Path(os.path.realpath(tmp_path))
    (root / "point").mkdir()
    (root / "link").symlink_to("point")
    live.require_place(Mount(f"{root}/point", fstype="tmpfs"), ())
    for it, needs in (
        (Mount(f"{root}/none", fstype="tmpfs"), f"file:{root}/none"),
        (Mount(f"{root}/point", f"{root}/image", options="loop"), f"file:{root}/image"),
        (Mount(f"{root}/point", f"{root}/dir", options="bind"), f"file:{root}/dir"),
        (Mount(f"{root}/point", "/dev/no-such-disk"), "file:/dev/no-such-disk"),
    ):
        with pytest.raises(NotYet) as raised:
            live.require_place(it, ())
        assert raised.value.needs == needs
    with pytest.raises(ResourceError, match=f"leads through, a symbolic link; declare {root}/point/x"):
        live.require_place(Mount(f"{root}/link/x", fstype="tmpfs"), ())


def test_the_wrong_mount_stays_until_there_is_something_to_replace_it() -> None:
    it = Mount("/proc", "/dev/no-such-disk", "ext4", persist=False)
    with pytest.raises(NotYet, match="/dev/no-such-disk, which is to be mounted at /proc, does not exist"):
        it.check()


# --- fstab ---------------------------------------------------------------------------------------------------

FSTAB = """\
# /etc/fstab: static file system information.
UUID=1234 / ext4 errors=remount-ro 0 1

LABEL=data\t/srv/my\\040files   xfs  nosuid,nodev  # no comment, but the fifth field
#/dev/sdb1 /mnt auto defaults 0 0
/dev/sdb1 none swap sw 0 0
"""
ENTRY = Entry("LABEL=data", "/srv/my files", "xfs", "nodev,nosuid", 0, 0)


def test_a_line_that_says_the_same_is_right() -> None:
    (found,) = fstab.entries(FSTAB, "/srv/my files")
    assert found.means(ENTRY)
    assert not found.means(ENTRY._replace(passno=2))
    assert not found.means(ENTRY._replace(options="nodev"))
    assert fstab.entries(FSTAB, "/mnt") == []


def test_only_its_own_line_is_touched() -> None:
    new = fstab.with_entry(FSTAB, ENTRY._replace(passno=2))
    lines, before = new.split("\n"), FSTAB.split("\n")
    assert lines[3] == "LABEL=data /srv/my\\040files xfs nodev,nosuid 0 2"
    assert lines[:3] + lines[4:] == before[:3] + before[4:]
    assert fstab.without(FSTAB, "/srv/my files").split("\n") == before[:3] + before[4:]
    assert fstab.with_entry(FSTAB.rstrip("\n"), ENTRY._replace(point="/x")).splitlines()[-2:] == [
        "/dev/sdb1 none swap sw 0 0", "LABEL=data /x xfs nodev,nosuid 0 0"
    ]  # fmt: skip
    twice = FSTAB + "tmpfs /srv/my\\040files/ tmpfs\n"
    assert len(fstab.entries(twice, "/srv/my files")) == 2
    assert fstab.entries(fstab.with_entry(twice, ENTRY), "/srv/my files") == [ENTRY]


def test_an_escape_is_a_byte() -> None:
    """As libmount, and editors that follow it, write what is no ASCII."""
    text = "/dev/sdx1 /mnt/caf\\303\\251 ext4 defaults 0 0\n"
    (found,) = fstab.entries(text, "/mnt/café")
    assert fstab.with_entry(text, found) == "/dev/sdx1 /mnt/café ext4 defaults 0 0\n", "and it is not doubled"


def test_the_last_of_an_option_counts() -> None:
    assert differs(Mount("/srv", fstype="tmpfs", options="nosuid,size=1g,size=10m")) == {}
    one, other = (ENTRY._replace(options=options) for options in ("size=1g,size=2m", "size=2m,size=1g"))
    assert not one.means(other)
    assert one.means(one)
    waits = ENTRY._replace(options="x-systemd.requires=a,x-systemd.requires=b")
    assert not waits.means(ENTRY._replace(options="x-systemd.requires=b"))


words = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), min_size=1).map(
    lambda text: "/" + text.strip("/")
)


@given(st.lists(st.sampled_from(FSTAB.splitlines())), words, words)
def test_what_is_written_is_read_and_nothing_else_changes(lines: list[str], point: str, source: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    entry = Entry(source, point.rstrip("/") or "/", "auto", "defaults", 0, 0)
    new = fstab.with_entry(text, entry)
    assert fstab.entries(new, entry.point) == [entry]
    assert fstab.with_entry(new, entry) == new
    assert fstab.without(new, entry.point) == fstab.without(text, entry.point)


def test_the_file_is_written_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fstab, "FSTAB", str(tmp_path / "fstab"))
    fstab.put(ENTRY)
    assert (tmp_path / "fstab").read_text() == ENTRY.line() + "\n"
    (tmp_path / "fstab").write_bytes(b"# \xff\n")
    (tmp_path / "fstab").chmod(0o600)
    fstab.put(ENTRY)
    assert (tmp_path / "fstab").read_bytes() == b"# \xff\n" + ENTRY.line().encode() + b"\n"
    assert (tmp_path / "fstab").stat().st_mode & 0o777 == 0o600
    fstab.remove(ENTRY.point)
    assert (tmp_path / "fstab").read_bytes() == b"# \xff\n"


def test_passwords_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fstab, "FSTAB", str(tmp_path / "fstab"))
    it = Mount("/none", "//server/share", "cifs", "username=me,password=secret,ro")
    (change,) = it._fstab_changes("//server/share /none cifs password=other")
    assert change == Change("fstab", "//server/share /none cifs password=*** 0 0",
                            "//server/share /none cifs username=me,password=***,ro 0 0")  # fmt: skip
    assert "secret" not in repr(it)


# --- the declaration -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("it", "mistake"),
    [
        (Mount("srv", fstype="tmpfs"), "is not absolute"),
        (Mount("/srv/../x", fstype="tmpfs"), "holds .."),
        (Mount("/srv"), "source is missing"),
        (Mount("/srv", "data", options="bind"), "give its full path"),
        (Mount("/srv", "/dev/sdb1", "swap"), "swap space is not mounted"),
        (Mount("/srv", "/dev/sdb1", options="ro, nosuid"), "options is empty, or has characters"),
        (Mount("/srv", "/dev/sdb1", options="remount,ro"), "options has remount"),
        (Mount("/srv", "/dev/sdb1", passno=-1), "0 or more"),
        (Mount("/srv", "/dev/sdb1", options="ro", state="absent"), "leave out source and options"),
        (Mount("/", state="unmounted"), "cannot be taken away"),
    ],
)
def test_mistakes(it: Mount, mistake: str) -> None:
    (text,) = it.mistakes()
    assert mistake in text


def test_its_name_has_no_needless_slashes() -> None:
    assert Mount("//srv/./data/", fstype="tmpfs").id == "mount:/srv/data"


def test_a_condition_on_a_mount() -> None:
    assert mount_point("/").met()
    assert not mount_point("/no/such/place").met()
    assert str(~mount_point("//srv/")) == "~mount_point(/srv)"
    assert list(mount_point("/srv").triggers()) == [MountsChanged("/srv")]
    with pytest.raises(ValueError, match="must be an absolute path"):
        mount_point("srv")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: plays an unprivileged user")
def test_what_a_link_of_a_user_leads_to_is_not_mounted(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "point").mkdir()
    (tmp_path / "link").symlink_to("private")
    it = Mount(f"{tmp_path}/point", f"{tmp_path}/link", options="bind")
    live.require_place(it, ())
    os.lchown(tmp_path / "link", 12345, 12345)
    for source in (f"{tmp_path}/link", f"{tmp_path}/link/"):
        with pytest.raises(ResourceError, match="owned by uid 12345, who could point it elsewhere"):
            live.require_place(Mount(it.path, source, options="bind"), ())
