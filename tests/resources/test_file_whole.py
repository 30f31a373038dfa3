"""Validating a whole configuration with the new file in place: in a mount namespace as root, by a swap otherwise."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from converge.core.errors import ResourceError
from converge.resources.file import File

USER = 64123
READS_ALL = """#!/bin/sh
# Reads its whole configuration, as servers do: every file of the directory, whatever its name.
cd {conf} || exit 9
ls -A >>{folder}/seen
test "$(cat $(ls -A) | grep -c default)" -le 1 && exit 0
echo "a duplicate default server"
exit 1
"""
WAITS = "#!/bin/sh\ncat {conf}/* >{folder}/read\nread line <{folder}/go\nexit $line\n"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes mounts, and a second user")


class Server:
    """A program with a configuration directory of its own, and as whom it is changed."""

    def __init__(self, folder: Path, user: int) -> None:
        self.folder = folder
        self.user = user
        self.conf = folder / "conf"
        self.conf.mkdir()
        self.program = folder / "server"
        self.write_program(READS_ALL)
        for place in (folder, self.conf, self.program):
            os.chown(place, user, user)

    def write_program(self, text: str) -> None:
        self.program.write_text(text.format(conf=self.conf, folder=self.folder))
        self.program.chmod(0o755)

    def put(self, name: str, text: str) -> None:
        (self.conf / name).write_text(text)
        os.chown(self.conf / name, self.user, self.user)

    def file(self, name: str, content: str, **options: object) -> File:
        return File(self.conf / name, content=content, validate=str(self.program), **options)

    def child(self, act: Callable[[], object]) -> int:
        """The process that does it, as the user."""
        child = os.fork()
        if child == 0:
            try:
                if self.user:
                    os.setgroups([])
                    os.setgid(self.user)
                    os.setuid(self.user)
                act()
                os._exit(0)
            except ResourceError as error:
                (self.folder / "error").write_text(str(error))
                os._exit(3)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        return child

    def apply(self, file: File) -> str | None:
        """What it was refused with."""
        _, status = os.waitpid(self.child(lambda: file.apply(file.check())), 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, 3)
        return (self.folder / "error").read_text() if code else None

    def names(self) -> list[str]:
        return sorted(os.listdir(self.conf))


@pytest.fixture(params=[0, USER], ids=["namespace", "swap"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="whole-", dir="/var/tmp"))
    monkeypatch.setenv("CONVERGE_RUNTIME_DIR", str(folder / "run"))
    monkeypatch.setenv("CONVERGE_STATE_DIR", str(folder / "state"))
    yield Server(folder, request.param)
    shutil.rmtree(folder)
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()


def eventually(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@needs_root
@pytest.mark.parametrize("before", ["nothing", "a file", "a link"])
def test_a_fragment_is_tried_with_all_others(server: Server, before: str) -> None:
    place = server.conf / "b.conf"
    (server.conf / "a.conf").write_text("default\n")
    (server.conf / "below").mkdir()
    (server.conf / "below" / "x").write_text("x")
    if before == "a file":
        server.put("b.conf", "old\n")
    elif before == "a link":
        place.symlink_to("a.conf")
        os.lchown(place, server.user, server.user)
        server.put("a.conf", "")
        (server.conf / "c.conf").write_text("default\n")
    server.write_program(READS_ALL.replace("$(ls -A) |", "$(ls -A | grep -v below) |"))
    names = server.names()
    said = server.apply(server.file("b.conf", "default\n"))
    assert said is not None
    assert "server failed with exit code 1 on the whole configuration with the new file" in said
    assert said.endswith("so nothing was changed: a duplicate default server")
    assert ("private mount namespace" in said) is (server.user == 0)
    assert server.names() == names
    if before == "a file":
        assert place.read_text() == "old\n"
    assert place.is_symlink() is (before == "a link")
    assert server.apply(server.file("b.conf", "plain\n")) is None
    assert place.read_text() == "plain\n"
    assert not place.is_symlink()
    seen = set((server.folder / "seen").read_text().split())
    hidden = {name for name in seen if name.startswith(".")}
    assert seen - hidden == {*names, "b.conf"}
    assert not hidden or server.user, "the temporary file is no part of the configuration"


@needs_root
def test_what_it_reads_has_the_final_owner_and_mode_and_the_directory_its_own(server: Server) -> None:
    server.conf.chmod(0o711)
    server.write_program("#!/bin/sh\nstat -c '%a %u' {conf} {conf}/f >{folder}/stat\n")
    assert server.apply(server.file("f", "x", mode=0o640)) is None
    assert (server.folder / "stat").read_text() == f"711 {server.user}\n640 {server.user}\n"


@needs_root
def test_others_see_the_new_file_only_where_no_namespace_can_be_had(server: Server) -> None:
    place = server.conf / "a.conf"
    server.put("a.conf", "old")
    os.mkfifo(server.folder / "go")
    server.write_program(WAITS)
    child = server.child(lambda: (file := server.file("a.conf", "new")).apply(file.check()))
    eventually((server.folder / "read").exists)
    eventually(lambda: (server.folder / "read").read_text() == "new")
    assert place.read_text() == ("new" if server.user else "old")
    (server.folder / "go").write_text("1\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert place.read_text() == "old"
    assert server.names() == ["a.conf"]


@needs_root
@pytest.mark.parametrize("existed", [True, False])
def test_killed_in_the_middle_leaves_a_whole_file_and_nothing_else(server: Server, existed: bool) -> None:
    place = server.conf / "a.conf"
    if existed:
        server.put("a.conf", "old")
    os.mkfifo(server.folder / "go")
    server.write_program(WAITS)
    file = server.file("a.conf", "new")
    child = server.child(lambda: file.apply(file.check()))
    eventually(lambda: (server.folder / "read").exists() and (server.folder / "read").read_text() == "new")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    (server.folder / "go").write_text("1\n")
    assert (place.read_text() if place.exists() else None) == ("new" if server.user else "old" if existed else None)
    File.tidy_many([file])
    assert server.names() == (["a.conf"] if existed or server.user else [])


@needs_root
def test_a_command_that_hangs_is_ended_and_nothing_was_changed(server: Server) -> None:
    server.put("a.conf", "old")
    server.write_program("#!/bin/sh\necho $$ >{folder}/pid\nsleep 600 &\nwait\n")
    said = server.apply(server.file("a.conf", "new", timeout=0.3))
    assert said is not None
    assert "did not end within 0.3 s" in said
    assert (server.conf / "a.conf").read_text() == "old"
    assert server.names() == ["a.conf"]
    pid = int((server.folder / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@needs_root
def test_two_that_are_wrong_only_together_never_both_go_live(server: Server) -> None:
    server.write_program(READS_ALL.replace("test ", "sleep 0.1; test "))

    def both() -> None:
        files = [server.file(name, "default\n") for name in ("a.conf", "b.conf")]
        refused: list[Exception] = []

        def apply(file: File) -> None:
            try:
                file.apply(file.check())
            except ResourceError as error:
                refused.append(error)

        threads = [threading.Thread(target=apply, args=(file,)) for file in files]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1, refused
        assert len(server.names()) == 1

    assert os.waitstatus_to_exitcode(os.waitpid(server.child(both), 0)[1]) == 0


@needs_root
def test_what_somebody_else_wrote_in_the_meantime_is_not_put_back(server: Server) -> None:
    place = server.conf / "a.conf"
    server.put("a.conf", "old")
    server.write_program("#!/bin/sh\necho theirs >{conf}/new; mv {conf}/new {conf}/a.conf; exit 1\n")
    assert server.apply(server.file("a.conf", "ours")) is not None
    assert place.read_text() == ("theirs\n" if server.user else "old")


def test_where_the_file_system_has_no_hard_links_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as vfat says

    monkeypatch.setattr("converge.resources.file.whole._accepted_apart", lambda *_: False)
    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_text("old")
    file = File(tmp_path / "a", content="new", validate="true")
    with pytest.raises(ResourceError, match="cannot be kept under a second name during the test"):
        file.apply(file.check())
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@needs_root
def test_a_directory_that_others_may_write_is_refused(server: Server) -> None:
    server.conf.chmod(0o777)
    said = server.apply(server.file("a.conf", "new"))
    assert said is not None
    assert "others may write to its directory or to one above it" in said
    assert "as %s" in said
    assert server.names() == []
    assert not (server.folder / "seen").exists()


@needs_root
def test_what_is_mounted_below_is_seen(tmp_path: Path) -> None:
    """In a namespace of the test's own, so that nothing of it can be left."""
    script = tmp_path / "script"
    script.write_text(
        f"""
import os, sys
from converge.resources.file import File
os.makedirs("{tmp_path}/conf/below")
os.system("mount -t tmpfs x {tmp_path}/conf/below && echo there >{tmp_path}/conf/below/f")
file = File("{tmp_path}/conf/a", content="x", validate="grep -q there {tmp_path}/conf/below/f")
file.apply(file.check())
assert file.check() == ()
"""
    )
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_root
def test_with_no_right_to_make_mounts_root_swaps(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(
        f"""
from converge.resources.file import File
from converge.core.errors import ResourceError
file = File("{tmp_path}/a", content="x", validate="false")
try:
    file.apply(file.check())
except ResourceError as error:
    print(error)
"""
    )
    command = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "which was live for the test" in done.stdout, done.stderr
    assert not (tmp_path / "a").exists()
