"""What is known of macOS, kept as it prints it."""

from __future__ import annotations

from pathlib import Path

import pytest

from converge.host import state_dirs
from converge.host.fs.descriptors import mounted_on

# mount(8) of macOS 14, on a machine with a disk and a share.
MOUNTS = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
devfs on /dev (devfs, local, nobrowse)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse, protect, root data)
map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
/dev/disk4s2 on /Volumes/My (own) disk (hfs, local, nodev, nosuid, journaled, noowners, mounted by ada)
//ada@server/share on /Volumes/share (smbfs, nodev, nosuid, mounted by ada)
"""


def test_mount_points_are_read_from_what_mount_prints() -> None:
    assert mounted_on(MOUNTS) == {
        "/", "/dev", "/System/Volumes/Data", "/System/Volumes/Data/home", "/Volumes/My (own) disk", "/Volumes/share",
    }  # fmt: skip


def test_state_is_kept_where_macos_has_a_place_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_dirs, "this_os", lambda: "darwin")
    for name in ("CONVERGE_STATE_DIR", "CONVERGE_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(state_dirs, "may_do_all", lambda: True)
    own = Path("/Library/Application Support/converge")
    assert (state_dirs.state_dir(), state_dirs.runtime_dir()) == (own, Path("/var/run/converge"))
    monkeypatch.setattr(state_dirs, "may_do_all", lambda: False)
    monkeypatch.setenv("HOME", "/Users/ada")
    assert state_dirs.state_dir() == Path("/Users/ada/Library/Application Support/converge")
    assert state_dirs.runtime_dir() == state_dirs.state_dir() / "run"
