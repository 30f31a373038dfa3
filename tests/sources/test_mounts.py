"""Mounts that come and go, and file systems that do not tell."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from converge.core.trigger import PathChanged
from converge.host.mountinfo import filesystem_of, mount_of, parse_mountinfo
from converge.sources.linux.mounts import MountSource

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Mount, Run, Scene


def umount(point: str) -> None:
    subprocess.run(["umount", point], check=True)


def test_a_mount_is_put_over_a_path_and_taken_away(run: Run, mounted: Mount) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("a/b"))
        scene.write("a/b/file")
        scene.write("beside")
        scene.watch("a/b/file", "beside")
        for _ in range(2):
            mounted(scene.path("a"))
            await scene.until(lambda: "a/b/file" in scene.marks)
            assert await scene.news() == ["a/b/file"]
            os.mkdir(scene.path("a/b"))
            scene.write("a/b/file")
            assert await scene.news() == ["a/b/file"]
            scene.consistent()
            umount(scene.path("a"))
            await scene.until(lambda: "a/b/file" in scene.marks)
            await asyncio.sleep(0.01)  # the end of the file system and the end of the mount are two pieces of news
            await scene.news()
            scene.write("a/b/file", "again")
            assert await scene.news() == ["a/b/file"]
            scene.consistent()

    run(body)


def test_a_file_is_covered_by_a_bind_mount(run: Run, mounted: Mount) -> None:
    async def body(scene: Scene) -> None:
        scene.write("file")
        scene.write("other")
        scene.watch("file")
        mounted(scene.path("file"), "--bind", scene.path("other"))
        await scene.until(lambda: scene.marks)
        await scene.news()
        scene.write("other", "new")
        assert await scene.news() == ["file"]
        umount(scene.path("file"))
        await scene.until(lambda: scene.marks)
        await scene.news()
        scene.write("other", "newer")
        assert await scene.news() == []
        scene.write("file", "new")
        assert await scene.news() == ["file"]
        scene.consistent()

    run(body)


def test_a_mount_below_where_a_link_leads(run: Run, mounted: Mount) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("real/sub"))
        os.symlink("real", scene.path("link"))
        scene.watch("link/sub/file")
        mounted(scene.path("real/sub"))
        await scene.until(lambda: scene.marks)
        await scene.news()
        scene.write("real/sub/file")
        assert await scene.news() == ["link/sub/file"]
        scene.consistent()
        umount(scene.path("real/sub"))
        await scene.until(lambda: scene.marks)

    run(body)


def test_a_mount_in_a_tree_that_is_watched_as_a_whole(run: Run, mounted: Mount) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("tree/point"))
        scene.watch("tree", deep=True)
        mounted(scene.path("tree/point"))
        await scene.until(lambda: scene.marks)
        await scene.news()
        os.mkdir(scene.path("tree/point/dir"))
        assert await scene.news() == ["tree"]
        scene.write("tree/point/dir/file")
        assert await scene.news() == ["tree"]
        umount(scene.path("tree/point"))
        await scene.until(lambda: scene.marks)

    run(body)


# --- what does not tell ---------------------------------------------------------------------------------------


def entry(point: str, type_: str, number: int = 90) -> str:
    escaped = point.replace("\\", "\\134").replace(" ", "\\040")
    return f"{number} 1 0:{number} / {escaped} rw,relatime shared:1 - {type_} server:/x rw\n"


@pytest.mark.parametrize("type_", ["nfs4", "cifs", "fuse.sshfs", "virtiofs"])
def test_a_file_system_that_does_not_tell_is_polled_and_said_once(run: Run, tmp_path: Path, type_: str) -> None:
    """The list of mounts is ours, so that any directory can pass for a network's."""
    info = tmp_path / "mountinfo"
    point = f"{os.path.realpath(tmp_path)}/net"
    info.write_text(entry(point, type_))

    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("net/dir"))
        os.symlink("net/dir", scene.path("link"))
        scene.watch("net/dir/one", "net/two", "local", "link/three", "link")
        scene.source.watch("deep", [PathChanged(scene.path("net"), deep=True)])
        away = {"net/dir/one", "net/two", "link/three", "link", "deep"}
        await scene.until(lambda: scene.source.polled == away)
        assert dict(scene.polls) == dict.fromkeys(away, 30.0)
        assert scene.reports == [
            (
                "warning",
                f"changes on {point} ({type_}) made elsewhere are not reported by the kernel; polling every 30 s",
            )
        ]
        scene.write("net/two")
        scene.write("local")
        seen = await scene.news()
        # What may hang is not touched; what may not is watched as well.
        assert seen == (["deep", "local", "net/two"] if type_ == "virtiofs" else ["local"])
        scene.forget("net/two")
        assert scene.polls[-1] == ("net/two", 0.0)

        info.write_text("")
        mounts = scene.source._mounts
        assert mounts is not None
        mounts.look()
        assert await scene.news() == ["deep", "link", "link/three", "net/dir/one"]
        await scene.until(lambda: not scene.source.polled)
        assert {key for key, seconds in scene.polls if not seconds} == away
        scene.write("net/dir/one")
        assert await scene.news() == ["deep", "net/dir/one"]
        scene.write("link/three")
        assert await scene.news() == ["deep", "link/three"]
        scene.forget("net/dir/one", "local", "link/three", "link", "deep")
        scene.bare()

    run(body, mountinfo=str(info))


def test_what_is_mounted_on_what_may_hang_is_not_touched_either(run: Run, tmp_path: Path) -> None:
    info = tmp_path / "mountinfo"
    point = f"{os.path.realpath(tmp_path)}/net"
    info.write_text(entry(point, "nfs4") + entry(point + "/local", "ext4", 91))

    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("net/local"))
        scene.watch("net/local/file")
        await scene.until(lambda: scene.source.polled == {"net/local/file"})
        scene.write("net/local/file")
        assert await scene.news() == []

    run(body, mountinfo=str(info))


def test_proc_is_polled(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.source.watch("key", [PathChanged("/proc/sys/kernel/hostname")])
        await scene.until(lambda: scene.source.polled == {"key"})
        scene.source.watch("key", [])
        assert not scene.source.polled
        assert scene.polls == [("key", 30.0), ("key", 0.0)]
        scene.bare()

    run(body)


def test_a_whole_tree_ends_where_the_kernel_makes_things_up(run: Run, mounted: Mount) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("tree/proc"))
        mounted(scene.path("tree/proc"), "-t", "proc", "converge-test")
        mounts = scene.source._mounts
        assert mounts is not None
        await scene.until(lambda: scene.path("tree/proc") in mounts.mounts)
        scene.watch("tree", deep=True)
        assert len(scene.kernel_watches()) < 20
        scene.consistent()
        assert not scene.reports
        os.makedirs(scene.path("tree/a/b"))
        assert await scene.news() == ["tree"]

    run(body)


def test_without_a_list_of_mounts_paths_are_still_watched(run: Run, tmp_path: Path) -> None:
    async def body(scene: Scene) -> None:
        scene.watch("file")
        scene.write("file")
        assert await scene.news() == ["file"]

    missing = f"{tmp_path}/missing"
    scene = run(body, mountinfo=missing)
    assert scene.reports == [("warning", f"mounts are not watched: cannot read {missing}: No such file or directory")]


# --- the list -------------------------------------------------------------------------------------------------


def test_the_list_is_parsed_with_its_escapes() -> None:
    text = (
        entry("/", "ext4")
        + entry("/mnt/with blank\\slash", "nfs4")
        + entry("/mnt", "autofs")
        + entry("/mnt", "xfs")
        + "91 1 0:1 / /no/optional/fields rw - tmpfs tmpfs rw\ngarbage\n"
    )
    mounts = parse_mountinfo(text.encode().splitlines())
    assert {point: mount.type for point, mount in mounts.items()} == {
        "/": "ext4",
        "/mnt": "xfs",
        "/mnt/with blank\\slash": "nfs4",
        "/no/optional/fields": "tmpfs",
    }
    assert filesystem_of("/mnt/with blank\\slash/file", mounts).type == "nfs4"
    assert filesystem_of("/mnt/with", mounts).type == "xfs"
    assert filesystem_of("/mntx", mounts).type == "ext4"
    assert filesystem_of("/", mounts).type == "ext4"


def test_what_is_remote_and_what_is_silent() -> None:
    def kind(type_: str, point: str = "/mnt") -> tuple[bool, bool]:
        mount = mount_of(point, type_)
        return mount.silent, mount.remote

    assert kind("ext4") == kind("overlay") == kind("fuse.fuse-overlayfs") == kind("fuseblk") == (False, False)
    assert kind("nfs") == kind("autofs") == kind("fuse") == kind("fuse.anything") == (True, True)
    assert kind("9p") == kind("proc") == kind("fuse.mergerfs") == (True, False)
    assert kind("nfs", "/") == (True, False)


def test_mounts_are_told_as_they_come_and_go(tmp_path: Path, mounted: Mount) -> None:
    async def main() -> None:
        told: list[str] = []
        source = MountSource(told.extend, lambda error: pytest.fail(str(error)))

        async def news(point: str) -> None:
            async with asyncio.timeout(30):
                while point not in told:
                    await asyncio.sleep(0.001)
            told.clear()

        point = os.path.realpath(tmp_path / "with blank")
        os.mkdir(point)
        for number in range(5):
            mounted(point)
            await news(point)
            assert source.mounts[point].type == "tmpfs"
            if number % 2:
                mounted(point, "-o", "remount,ro")
                await news(point)
            umount(point)
            await news(point)
            assert point not in source.mounts
        source.close()
        source.close()

    asyncio.run(main())
