"""Owner, group, mode, hard links, extended attributes and access lists."""

import os
import stat
import struct
from importlib import import_module
from pathlib import Path

import pytest

from converge.core.change import IN_SYNC, Changes
from converge.core.errors import NotYet, ResourceError
from converge.core.resource import Uses
from converge.resources.file import Directory, File, Symlink

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives files to other users")
BOB = 12345


def settle(resource: File | Directory | Symlink) -> Changes:
    state = resource.check()
    if state:
        resource.apply(state)
    assert resource.check() == IN_SYNC
    return state


def facts(state: Changes) -> dict[str, tuple[str | None, str | None, str]]:
    return {change.property: (change.from_, change.to, change.action) for change in state}


@root
def test_owner_and_group_of_a_new_file(tmp_path: Path) -> None:
    state = settle(File(tmp_path / "f", content="x", owner="nobody", group=BOB))
    assert facts(state)["owner"] == (None, "nobody", "create")
    assert facts(state)["group"] == (None, "12345", "create")
    assert (tmp_path / "f").stat().st_gid == BOB


@root
def test_owner_is_repaired_in_place_and_set_user_id_goes(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("x")
    place.chmod(0o4755)
    inode = place.stat().st_ino
    assert facts(settle(File(place, owner=BOB))) == {
        "mode": ("4755", "0755", "update"),
        "owner": ("root", "12345", "update"),
    }
    assert (place.stat().st_ino, stat.S_IMODE(place.stat().st_mode)) == (inode, 0o755)


@root
def test_new_content_keeps_owner_group_and_mode(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("x")
    os.chown(place, BOB, BOB + 1)
    place.chmod(0o6750)
    settle(File(place, content="y"))
    status = place.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (BOB, BOB + 1, 0o6750)


def test_group_of_a_new_file_follows_a_set_group_id_directory(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, -1, BOB)
    tmp_path.chmod(0o2755)
    settle(File(tmp_path / "f", content="x"))
    assert (tmp_path / "f").stat().st_gid == tmp_path.stat().st_gid


def test_owner_or_group_that_does_not_exist_is_not_yet_there(tmp_path: Path) -> None:
    for resource in (File(tmp_path / "f", owner="no-such"), Directory(tmp_path, owner="no-such")):
        with pytest.raises(NotYet, match="the user no-such does not exist") as caught:
            resource.check()
        assert caught.value.needs == "user:no-such"
    with pytest.raises(NotYet, match="the group no-such does not exist") as caught:
        Symlink(tmp_path / "l", "x", group="no-such").check()
    assert caught.value.needs == "group:no-such"
    assert Uses("user:no-such") in File("/f", owner="no-such").needs()


def test_new_content_splits_hard_links_and_plan_says_so(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    os.link(tmp_path / "f", tmp_path / "other")
    assert facts(settle(File(tmp_path / "f", content="new")))["hard links"] == ("2", "1", "update")
    assert (tmp_path / "other").read_text() == "old"


def test_mode_of_linked_files_is_changed_in_place_where_only_we_can_link(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    os.link(tmp_path / "f", tmp_path / "other")
    assert set(facts(settle(File(tmp_path / "f", mode=0o600)))) == {"mode"}
    assert (tmp_path / "f").stat().st_nlink == 2


@root
def test_linked_file_in_a_directory_of_another_user(tmp_path: Path) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("root's secret")
    secret.chmod(0o600)
    home = tmp_path / "bob"
    home.mkdir()
    os.link(secret, home / "f")
    os.chown(home, BOB, BOB)
    for file in (File(home / "f", mode=0o644), File(home / "f", owner=BOB), File(home / "f", line="x", owner=BOB)):
        with pytest.raises(ResourceError, match="has 2 hard links and belongs to root, in a directory where others"):
            file.check()
    state = settle(File(home / "f", content="root's secret", mode=0o644, owner=BOB))
    assert "hard links" in facts(state)
    assert (secret.stat().st_uid, stat.S_IMODE(secret.stat().st_mode), secret.stat().st_nlink) == (0, 0o600, 1)


@root
def test_linked_file_of_the_directorys_own_user_is_copied(tmp_path: Path) -> None:
    os.chown(tmp_path, BOB, BOB)
    (tmp_path / "f").write_text("mine")
    os.chown(tmp_path / "f", BOB, BOB)
    os.link(tmp_path / "f", tmp_path / "other")
    state = settle(File(tmp_path / "f", mode=0o600))
    assert facts(state)["hard links"] == ("2", "1", "update")
    assert (tmp_path / "f").read_text() == "mine"
    assert (tmp_path / "f").stat().st_uid == BOB


def test_extended_attributes_survive(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("x")
    try:
        os.setxattr(place, "user.origin", b"\0kept")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    settle(File(place, content="y"))
    assert os.getxattr(place, "user.origin") == b"\0kept"


@root
def test_capabilities_do_not_survive_new_content(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("x")
    os.setxattr(place, "security.capability", struct.pack("<IIIII", 0x02000000, 1 << 10, 0, 0, 0))
    settle(File(place, content="y"))
    assert "security.capability" not in os.listxattr(place)


def acl(*entries: tuple[int, int, int]) -> bytes:
    """An access list as the kernel takes it: version 2, then tag, permissions and id of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NONE = 0xFFFFFFFF
FOR_BOB = acl((1, 6, NONE), (2, 4, BOB), (4, 4, NONE), (16, 4, NONE), (32, 0, NONE))


def with_acl(place: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(place, name, value)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")


def test_access_lists_survive(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("x")
    with_acl(place, "system.posix_acl_access", FOR_BOB)
    before = os.getxattr(place, "system.posix_acl_access")
    settle(File(place, content="y"))
    assert os.getxattr(place, "system.posix_acl_access") == before


def test_a_list_that_the_directory_would_add_is_not_added_to_a_file_without_one(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("x")
    place.chmod(0o640)
    with_acl(tmp_path, "system.posix_acl_default", FOR_BOB)
    settle(File(place, content="y"))
    assert os.listxattr(place) == []
    assert stat.S_IMODE(place.stat().st_mode) == 0o640


@root
def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent != Path("/tmp") and parent.is_relative_to("/tmp"):
            parent.chmod(0o755)
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o600)
    (tmp_path / "closed").mkdir(mode=0o700)
    import_module("converge.resources.file.privilege")  # which Bob may not be able to read
    os.seteuid(BOB)
    try:
        (content,) = File(tmp_path / "f", content="y").check()
        below = [
            File(tmp_path / "closed" / "f", content="y").check(),
            Directory(tmp_path / "closed" / "d").check(),
            Symlink(tmp_path / "closed" / "l", "t").check(),
        ]
        reasons = [
            File(tmp_path / "f", content="x").needs_root(),
            File("/tmp/mine", content="x").needs_root(),
            File("/tmp/mine", content="x", owner="root").needs_root(),
            File("/tmp/mine", content="x", group=0).needs_root(),
            File("/tmp/mine", content="x", owner="no-such").needs_root(),
        ]
        with pytest.raises(ResourceError, match="permission denied for uid 12345"):
            File(tmp_path / "new").apply(File(tmp_path / "new").check())
        with pytest.raises(ResourceError, match="permission denied for uid 12345, so its state is unknown"):
            File(tmp_path / "f", content="y").apply((content,))
    finally:
        os.seteuid(0)
    assert (content.from_, content.to, content.action) == ("unknown (not readable by uid 12345)", "y", "unknown")
    assert [[change.action for change in state] for state in below] == [["unknown"]] * 3
    assert reasons[0] == f"{tmp_path} cannot be written by uid 12345"
    assert reasons[1] is None
    assert reasons[2] == "only root can make root the owner of /tmp/mine"
    assert reasons[3] is None or "only root" in reasons[3]
    assert reasons[4] is not None and "yet to be made" in reasons[4]


def test_root_needs_no_reason() -> None:
    if os.geteuid() == 0:
        assert File("/etc/x", owner="nobody").needs_root() is None
