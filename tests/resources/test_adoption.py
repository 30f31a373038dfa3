"""Declarations of what is on the machine, by kind: from real files, and from recorded ones of the system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from converge.core.errors import ResourceError
from converge.resources.accounts import Group, User
from converge.resources.accounts.linux import adopt
from converge.resources.cron import Cron, parse
from converge.resources.file import Directory, File, Symlink
from converge.resources.mount import Mount
from converge.resources.mount import adopt as mounts
from converge.resources.sysctl import Sysctl

HASH = "$y$j9T$abcdefgh$0123456789012345678901234567890123456789abc"


# --- files ------------------------------------------------------------------------------------------------


def test_a_file_is_adopted_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("listen 80\nörtlich\t\x0c\n")
    path.chmod(0o4754)
    adopted = File.adopt(str(path))
    assert isinstance(adopted.resource, File)
    assert adopted.resource.content == "listen 80\nörtlich\t\x0c\n"
    assert adopted.resource.mode == 0o4754
    assert not adopted.resource.check()
    assert not adopted.remarks
    path.write_text("listen 81\n")
    assert adopted.resource.check()


@pytest.mark.parametrize(
    ("data", "mode", "why"),
    [
        (b"\xff\xfe", 0o644, "is no text"),
        (b"a\0b", 0o644, "is no text"),
        (b"x" * (64 * 1024 + 1), 0o644, "has 64 KB"),
        (b"token", 0o640, "Not everybody may read"),
        (f"ada:{HASH}:1::".encode(), 0o644, "password hash"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o644, "private key"),
    ],
)
def test_what_is_no_short_public_text_is_left_out_with_advice(data: bytes, mode: int, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    path.chmod(mode)
    adopted = File.adopt(str(path))
    assert isinstance(adopted.resource, File)
    assert adopted.resource.content is None
    assert why in adopted.remarks[0]
    assert 'source="a"' in adopted.remarks[0]
    assert not adopted.resource.check()


def test_64_kilobytes_are_still_written_out(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 64 * 1024)
    path.chmod(0o644)
    adopted = File.adopt(str(path)).resource
    assert isinstance(adopted, File)
    assert adopted.content == "x" * 64 * 1024


def test_a_directory_and_a_link_are_adopted_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o1750)
    directory = Directory.adopt(f"{tmp_path}/").resource
    assert isinstance(directory, Directory)
    assert (directory.at, directory.mode) == (str(tmp_path), 0o1750)
    assert not directory.check()
    (tmp_path / "link").symlink_to("../nowhere")
    link = Symlink.adopt(str(tmp_path / "link")).resource
    assert isinstance(link, Symlink)
    assert link.target == "../nowhere"
    assert not link.check()


def test_what_is_something_else_is_told_with_the_kind_it_is(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("x")
    os.mkfifo(tmp_path / "fifo")
    for path, kind, said in (
        (tmp_path, File, "is a directory; adopt it as a directory"),
        (tmp_path / "link", File, "is a symbolic link; adopt it as a symlink"),
        (tmp_path / "fifo", Directory, "is a FIFO; there is no kind for that"),
        (tmp_path / "nothing", Symlink, "does not exist"),
    ):
        with pytest.raises(ResourceError, match=said):
            kind.adopt(str(path))  # type: ignore[attr-defined]  # of different classes


# --- accounts ---------------------------------------------------------------------------------------------


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Account files of a machine."""
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\n"
        "deploy:x:1600:1600:Deploy:/home/deploy:/bin/bash\n"
        "svc:x:990:100::/srv/svc:\n"
        "locked:x:1700:1700::/home/locked:/bin/sh\n"
    )
    (tmp_path / "group").write_text("root:x:0:\ndeploy:x:1600:\nusers:x:100:\nops:x:990:svc,deploy\nadm:x:4:deploy\n")
    (tmp_path / "shadow").write_text(
        f"root:*:1::::::\ndeploy:{HASH}:1:::::21946:\nsvc:!:1::::::\nlocked:!{HASH}:1:::::0:\n"
    )
    monkeypatch.setattr(adopt, "ETC", str(tmp_path))
    return tmp_path


def test_a_user_is_adopted_without_the_password(etc: Path) -> None:
    adopted = User.adopt("deploy")
    assert adopted.resource == User(
        "deploy", uid=1600, groups=["adm", "ops"], shell="/bin/bash", comment="Deploy", expires="2030-02-01"
    )
    assert "password is left out" in adopted.remarks[0]
    assert "$y$" not in repr(adopted)


def test_a_system_user_and_one_with_a_locked_password(etc: Path) -> None:
    svc, locked = User.adopt("svc"), User.adopt("locked")
    assert svc.resource == User("svc", uid=990, group="users", groups=["ops"], home="/srv/svc", system=True)
    assert not svc.remarks
    assert locked.resource == User("locked", uid=1700, group=1700, groups=[], shell="/bin/sh", locked=True)
    assert "$y$" not in repr(locked)


def test_what_only_root_can_read_is_said(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        return None

    monkeypatch.setattr("converge.resources.accounts.linux.database.Database.shadow", refused)
    adopted = User.adopt("deploy")
    assert isinstance(adopted.resource, User)
    assert adopted.resource.expires is None
    assert "only root can read password" in adopted.unread[0]


def test_a_group_is_adopted_with_its_members(etc: Path) -> None:
    assert Group.adopt("ops").resource == Group("ops", gid=990, system=True, members=["deploy", "svc"])
    assert Group.adopt("deploy").resource == Group("deploy", gid=1600)
    with pytest.raises(ResourceError, match="there is no group none-such"):
        Group.adopt("none-such")
    with pytest.raises(ResourceError, match="there is no user none-such"):
        User.adopt("none-such")


# --- mounts -----------------------------------------------------------------------------------------------

MOUNTINFO = r"""
20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
21 20 0:30 / /srv/mem rw,nosuid,noatime - tmpfs tmpfs rw,size=4096k,mode=750,inode64
22 20 8:1 /srv/data /mnt/bound ro,nosuid - ext4 /dev/sda1 rw
23 20 8:2 / /data rw,relatime - ext4 /dev/sda2 rw
24 20 0:31 / /net rw - nfs4 server:/export rw,vers=4.2
25 20 0:40 / /lazy rw - autofs systemd-1 rw
26 20 0:41 / /share rw - cifs //server/share rw
27 20 0:42 /part /orphan rw - ext4 /dev/sdz rw
"""
FSTAB = "UUID=ab /data ext4 defaults,noexec 0 2\n//server/share /share cifs user=a,password=hidden 0 0\n"


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is mounted on a machine."""
    for name, text in (("MOUNTINFO", MOUNTINFO), ("FSTAB", FSTAB)):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(mounts, name, str(tmp_path / name))


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/", Mount("/data", "UUID=ab", "ext4", "defaults,noexec", passno=2)),
        ("/srv/mem", Mount("/srv/mem", None, "tmpfs", "nosuid,noatime,size=4096k,mode=750", persist=False)),
        ("/mnt/bound", Mount("/mnt/bound", "/srv/data", None, "bind,ro,nosuid", persist=False)),
        ("/net", Mount("/net", "server:/export", "nfs4", persist=False)),
    ],
)
def test_a_mount_is_adopted_as_fstab_or_else_the_kernel_has_it(path: str, expected: Mount) -> None:
    adopted = Mount.adopt(path)
    assert adopted.resource == expected
    assert isinstance(adopted.resource, Mount)
    assert adopted.resource.options == expected.options
    assert not list(adopted.resource.mistakes())


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize(
    ("path", "said"),
    [("/nothing", "nothing is mounted"), ("/lazy", "when somebody looks into it"), ("/share", "hold a password"),
     ("/orphan", "seen nowhere else")],
)  # fmt: skip
def test_what_cannot_be_adopted_says_why(path: str, said: str) -> None:
    with pytest.raises(ResourceError, match=said) as refused:
        Mount.adopt(path)
    assert "hidden" not in str(refused.value)


# --- cron -------------------------------------------------------------------------------------------------

PRINTABLE = st.text(alphabet=st.characters(exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=40)


@given(
    command=PRINTABLE.map(str.strip),
    schedule=st.sampled_from(["@daily", "*/5 * * * *", "0 4 1-7 jan,feb mon"]),
    user=st.sampled_from(["root", "deploy"]),
    env=st.dictionaries(st.sampled_from(["PATH", "MAILTO", "A_1"]), PRINTABLE),
)
def test_what_cron_has_written_is_read_back(command: str, schedule: str, user: str, env: dict[str, str]) -> None:
    cron = Cron("job", command, schedule, user=user, env=env)
    assume(not list(cron.mistakes()))
    found = parse("job", cron._text())
    assert found is not None
    assert (found, found.command, found.env) == (cron, cron.command, cron.env)


@pytest.mark.parametrize(
    "text",
    [
        "", "# nothing\n", "* * * * * root\n", "@daily root\n", "5 * * * * root a\n6 * * * * root b\n",
        "* * * * * root cat%input\n", "* * * * * root a\nPATH=/bin\n", "no job at all\n", "61 * * * * root a\n",
    ],
)  # fmt: skip
def test_what_is_no_single_job_is_none(text: str) -> None:
    assert parse("job", text) is None


def test_a_job_that_a_person_wrote_is_understood() -> None:
    found = parse("job", '# by hand\nPATH = "/bin"\nMAILTO=\n\n 5  4 * * *\troot   date +\\%s  >/x \n')
    assert found == Cron("job", "date +%s  >/x", "5 4 * * *", env={"PATH": "/bin", "MAILTO": ""})
    assert found is not None
    assert found.command == "date +%s  >/x"


# --- sysctl -----------------------------------------------------------------------------------------------


def test_a_setting_of_the_kernel_is_adopted_as_it_is() -> None:
    adopted = Sysctl.adopt("net/ipv4/ip_local_port_range").resource
    assert isinstance(adopted, Sysctl)
    low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert (adopted.key, adopted.value) == ("net.ipv4.ip_local_port_range", f"{low} {high}")
    assert not adopted.check()
    for key, said in (("net.nosuch", "no setting"), ("net.ipv4", "group of settings"), ("../x.y", "is no key")):
        with pytest.raises(ResourceError, match=said):
            Sysctl.adopt(key)


def test_access_lists_are_adopted(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    file = File(tmp_path / "f", mode=0o640, acl=["user:nobody:rw"])
    folder = Directory(tmp_path / "d", mode=0o750, acl=["user:nobody:rx"], default_acl=["group:12345:rwx"])
    for declared in (file, folder):
        declared.apply(declared.check())
        adopted = type(declared).adopt(declared.at).resource
        assert isinstance(adopted, File | Directory)
        assert adopted.check() == ()
        assert (adopted.mode, list(adopted.acl)) == (declared.mode, list(declared.acl))
    assert list(Directory.adopt(folder.at).resource.default_entries()) == ["group:12345:rwx"]  # type: ignore[attr-defined]
