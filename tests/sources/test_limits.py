"""Where the kernel has no more to give, or gives nothing to us."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Nobody, Run, Scene


def test_a_queue_that_overflows_marks_everything(run: Run) -> None:
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        limit = int(file.read())
    if limit > 200_000:
        pytest.skip(f"making {limit} events takes too long")

    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("noise"))
        os.symlink("noise", scene.path("link"))
        scene.watch("noise/file", "a/b/file", "link/other")
        await scene.settle()
        for number in range(limit // 2 + 1000):
            name = scene.path(f"noise/{number}")
            os.close(os.open(name, os.O_CREAT))
            os.unlink(name)
        os.makedirs(scene.path("a/b"))
        assert await scene.news() == ["a/b/file", "link/other", "noise/file"]
        assert len(scene.reports) == 1
        assert "overflowed" in scene.reports[0][1]
        scene.consistent()
        scene.write("a/b/file")
        scene.write("link/other")
        assert await scene.news() == ["a/b/file", "link/other"]

    run(body)


def test_a_read_that_fails_is_told_once_and_ends_it(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.watch("file")
        null = os.open("/dev/zero", os.O_WRONLY)
        os.dup2(null, scene.fileno())  # readable, it says, and then it is not
        os.close(null)
        scene.source._read()
        scene.source._fail(OSError("again"))
        assert [type(error) for error in scene.failures] == [OSError]
        scene.watch("other")
        scene.forget("file")
        scene.source.close()
        scene.failures.clear()

    run(body)


def test_nothing_is_done_after_it_is_closed(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.write("file")
        scene.watch("file")
        before = set(os.listdir("/proc/self/fd"))
        scene.source.close()
        assert len(before - set(os.listdir("/proc/self/fd"))) == 3
        scene.source.close()
        scene.write("file")
        await asyncio.sleep(0)
        assert scene.marks == []

    run(body)


# --- no permission --------------------------------------------------------------------------------------------


def test_what_we_may_not_read_is_polled_and_watched_again_when_we_may(run: Run, nobody: Nobody) -> None:
    async def body(scene: Scene) -> None:
        for folder in (scene.root, os.path.dirname(scene.root), os.path.dirname(os.path.dirname(scene.root))):
            os.chmod(folder, 0o755)
        os.makedirs(scene.path("closed/below"))
        os.makedirs(scene.path("passable/open"))
        os.chmod(scene.path("closed"), 0o700)
        os.chmod(scene.path("passable"), 0o711)
        scene.write("secret")
        os.chmod(scene.path("secret"), 0o600)
        os.symlink("closed/below", scene.path("link"))
        with nobody():
            scene.watch("closed/one", "closed/below/two", "passable/open/three", "secret", "open", "link/four")
            hidden = {"closed/one", "closed/below/two", "passable/open/three", "secret", "link/four"}
            await scene.until(lambda: scene.source.polled == hidden)
            assert [text for _, text in scene.reports] == [
                f"cannot watch {scene.path(name)}: Permission denied; polling every 0.05 s what is declared there"
                for name in ("closed", "passable", "secret")
            ]
        scene.write("passable/open/three")
        with nobody():
            assert await scene.news() == ["passable/open/three"]
        os.chmod(scene.path("closed"), 0o755)
        os.chmod(scene.path("passable"), 0o755)
        with nobody():
            await scene.until(lambda: scene.source.polled == {"secret"})
            assert await scene.news() == ["closed/below/two", "closed/one", "link/four", "passable/open/three"]
        scene.write("closed/below/two")
        with nobody():
            assert await scene.news() == ["closed/below/two"]
        os.chmod(scene.path("secret"), 0o644)
        with nobody():
            await scene.until(lambda: not scene.source.polled)
            scene.forget("closed/one", "closed/below/two", "passable/open/three", "secret", "open", "link/four")
            scene.bare()
        assert len(scene.reports) == 3

    run(body, seconds=0.05)


def test_what_is_in_a_directory_that_we_may_not_read_tells_for_itself(run: Run, nobody: Nobody) -> None:
    async def body(scene: Scene) -> None:
        for folder in (scene.root, os.path.dirname(scene.root), os.path.dirname(os.path.dirname(scene.root))):
            os.chmod(folder, 0o755)
        os.makedirs(scene.path("passable/open"))
        scene.write("passable/open/file")
        os.chmod(scene.path("passable"), 0o711)
        with nobody():
            scene.watch("passable/open/file")
        os.rename(scene.path("passable/open"), scene.path("passable/away"))
        with nobody():
            assert await scene.news() == ["passable/open/file"]
        scene.write("passable/away/file")
        with nobody():
            assert await scene.news() == []
            assert scene.source.polled == {"passable/open/file"}

    run(body)


# --- limits, in a user namespace of our own so that nobody else is held up ------------------------------------

LIMITED = """
import asyncio, json, sys
from converge.core.trigger import PathChanged
from converge.sources.paths import PathSource

root = sys.argv[1]
marks, reports, polls = [], [], {}

async def main():
    def limit(number):
        with open("/proc/sys/user/max_inotify_watches", "w") as file:
            file.write(str(number))
    source = PathSource(marks.append, lambda *report: reports.append(report), failed, polls.__setitem__, seconds=0.05)
    with open("/proc/self/fdinfo/%d" % source._watches.fileno()) as file:
        used = file.read().count("inotify wd")
    limit(used + root.count("/") + 20)
    for number in range(40):
        open(f"{root}/{number}", "w").close()
        source.watch(str(number), [PathChanged(f"{root}/{number}")])
    await until(lambda: polls)
    starved = sorted(polls, key=int)
    again = dict(polls)
    await asyncio.sleep(0.2)
    assert polls == again and len(reports) == 1, reports
    with open(f"{root}/{starved[0]}", "a") as file:
        file.write("x")
    with open(f"{root}/0", "a") as file:
        file.write("x")
    await until(lambda: "0" in marks)
    limit(100000)
    await until(lambda: not source.polled)
    assert not any(polls.values())
    assert set(starved) <= set(marks)
    marks.clear()
    with open(f"{root}/39", "a") as file:
        file.write("x")
    await until(lambda: "39" in marks)
    source.close()
    print(json.dumps([starved, reports]))

async def until(holds):
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)

def failed(error):
    raise error

asyncio.run(main())
"""

NO_INSTANCES = """
import asyncio, sys
from converge.sources.paths import PathSource
async def main():
    with open("/proc/sys/user/max_inotify_instances", "w") as file:
        file.write("0")
    try:
        PathSource(print, lambda *report: print(*report), print, print)
    except OSError as error:
        print(error.errno)
asyncio.run(main())
"""


def limited(script: str, *arguments: str) -> str:
    probe = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", "echo 1000 > /proc/sys/user/max_inotify_watches"],
        check=False,
        capture_output=True,
        text=True,
    )
    if probe.returncode:
        pytest.skip(f"no user namespace with limits of its own: {probe.stderr.strip()}")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_limit_of_watches_is_said_once_with_what_to_do_and_the_rest_is_polled(tmp_path: object) -> None:
    import json

    starved, reports = json.loads(limited(LIMITED, str(tmp_path)))
    assert 15 < len(starved) < 40
    assert starved[-1] == "39"
    assert reports[0][0] == "warning"
    assert "fs.inotify.max_user_watches" in reports[0][1]
    assert "sysctl fs.inotify.max_user_watches=" in reports[0][1]
    assert len(reports) == 1


def test_the_limit_of_instances_is_said_with_what_to_do() -> None:
    lines = limited(NO_INSTANCES).splitlines()
    assert "sysctl fs.inotify.max_user_instances=" in lines[0]
    assert lines[1:] == ["24"]
