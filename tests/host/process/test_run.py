"""Running commands: real processes, ended for certain, their output bounded."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from converge.core.errors import NotYet, ResourceError
from converge.core.platform import SYSTEM_PATH
from converge.host import process
from converge.host.process import Result, run
from converge.host.process.variables import NETWORK, ours

STARTED_BY = 1.0
"""Seconds within which a shell has surely begun its script: timeouts in tests that look at what it had begun."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run commands as somebody else")
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may do what is refused here")


@pytest.fixture(params=["pidfd", "polling"])
def end_noticed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to notice that a command ended."""
    if request.param == "polling":

        def refuse(pid: int) -> int:
            raise OSError

        monkeypatch.setattr(os, "pidfd_open", refuse)
    return str(request.param)


@pytest.fixture
def strays() -> Iterator[list[int]]:
    """Processes that a test leaves running on purpose; ended after it."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        if lives(pid):
            os.kill(pid, signal.SIGKILL)


def lives(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait for what takes a moment."""
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def sh(script: str, **options: object) -> Result:
    return run(["/bin/sh", "-c", script], **options)  # type: ignore[arg-type]


def test_output_and_status_come_back(end_noticed: str) -> None:
    assert run(["echo", "hello"]) == Result(0, "hello\n", False)


def test_both_streams_come_back_in_the_order_written() -> None:
    assert sh("echo 1; echo 2 >&2; echo 3; exit 3") == Result(3, "1\n2\n3\n", False)


def test_output_that_is_no_text_comes_back_readable() -> None:
    assert sh(r"printf 'a\377\000b'").output == "a\\xff\0b"


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (Result(3, ""), "exit status 3"),
        (Result(-9, ""), "signal SIGKILL"),
        (Result(-signal.SIGRTMIN - 1, ""), f"signal {signal.SIGRTMIN + 1}"),
    ],
)
def test_an_ending_is_said_in_words(result: Result, said: str) -> None:
    assert result.ending() == said


def test_a_signal_is_told_apart_from_a_status() -> None:
    assert sh("kill -9 $$").ending() == "signal SIGKILL"


class TestBoundedOutput:
    def test_what_fits_is_complete(self) -> None:
        assert run(["head", "-c", "1000", "/dev/zero"], limit=1000).output == "\0" * 1000

    def test_head_and_tail_are_kept_and_the_rest_counted(self) -> None:
        assert sh("echo first; head -c 5000 /dev/zero; echo last", limit=20).output == (
            "first\n" + "\0" * 4 + "\n... 4991 bytes left out ...\n" + "\0" * 5 + "last\n"
        )

    def test_endless_output_is_bounded(self) -> None:
        result = run(["yes"], timeout=0.2, limit=1000)
        assert result.timed_out
        assert len(result.output) < 1100
        assert re.search(r"^y\n(.|\n)*\.\.\. \d+ bytes left out \.\.\.(.|\n)*y\n", result.output)

    def test_output_may_be_dropped_altogether(self) -> None:
        assert run(["echo", "hello"], limit=0).output == "\n... 6 bytes left out ...\n"


class TestInput:
    def test_there_is_none_unless_given(self) -> None:
        assert run(["cat"]) == Result(0, "", False)

    def test_it_may_be_larger_than_a_pipe(self, end_noticed: str) -> None:
        data = b"x" * 300_000
        assert run(["wc", "-c"], stdin=data).output.strip() == "300000"
        assert run(["cat"], stdin=data, limit=400_000).output == data.decode()

    def test_it_may_be_empty(self) -> None:
        assert run(["wc", "-c"], stdin=b"").output.strip() == "0"

    def test_a_command_may_leave_it_unread(self) -> None:
        assert run(["true"], stdin=b"x" * 300_000) == Result(0, "", False)
        assert sh("exec <&-; echo closed", stdin=b"x" * 300_000) == Result(0, "closed\n", False)


class TestTimeout:
    def test_the_command_is_ended(self, end_noticed: str) -> None:
        result = sh("echo begun; sleep 600", timeout=STARTED_BY)
        assert (result.timed_out, result.returncode, result.output) == (True, -signal.SIGTERM, "begun\n")

    def test_so_are_its_grandchildren_that_hold_the_pipe_open(self, tmp_path: Path, end_noticed: str) -> None:
        pids = tmp_path / "pids"
        assert sh(f"sh -c 'sleep 600 & echo $! $$; wait' | tee {pids}", timeout=STARTED_BY).timed_out
        started = [int(pid) for pid in pids.read_text().split()]
        assert len(started) == 2
        assert eventually(lambda: not any(map(lives, started)))

    def test_so_is_what_does_not_heed_the_first_signal(self, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        script = f"trap '' TERM; (trap '' TERM; sh -c 'echo $$ > {pids}; exec sleep 600') & while :; do sleep 1; done"
        assert sh(script, timeout=STARTED_BY) == Result(-signal.SIGKILL, "", True)
        assert eventually(lambda: not lives(int(pids.read_text())))

    def test_a_command_may_clean_up_when_asked_to_end(self) -> None:
        result = sh("trap 'echo tidied; exit 7' TERM; sleep 600 & wait", timeout=STARTED_BY)
        assert result == Result(7, "tidied\n", True)

    def test_what_left_the_group_and_holds_the_pipe_open_is_not_waited_for(
        self, tmp_path: Path, strays: list[int]
    ) -> None:
        pid = tmp_path / "pid"
        assert sh(f"setsid sh -c 'echo $$ > {pid}; exec sleep 600' & sleep 600", timeout=STARTED_BY).timed_out
        strays.append(int(pid.read_text()))
        assert lives(strays[0])

    def test_an_end_in_time_is_no_timeout(self) -> None:
        assert run(["true"], timeout=600) == Result(0, "", False)


class TestBackground:
    def test_what_runs_on_is_left_alone_and_not_waited_for(self, strays: list[int], end_noticed: str) -> None:
        result = sh("sleep 600 & echo $!", timeout=300)
        strays.append(int(result.output))
        assert (result.returncode, result.timed_out) == (0, False)
        assert lives(strays[0])

    def test_not_even_if_it_never_stops_talking(self, strays: list[int]) -> None:
        result = sh("yes & echo $!", limit=1000)
        found = re.search(r"\d+", result.output)
        assert found is not None
        strays.append(int(found[0]))
        assert result.returncode == 0

    def test_the_last_words_of_a_command_are_heard(self) -> None:
        assert sh("sleep 0.01; printf %60000s end", limit=100_000).output == "end".rjust(60_000)


class TestEnvironment:
    @pytest.mark.parametrize("user", [None, pytest.param("nobody", marks=as_root)])
    def test_nothing_of_ours_gets_there_but_what_is_named(
        self, user: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        named = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_TIME", "TZ", "PWD", "SHLVL", "_"}
        for name in (
            "SOPS_AGE_KEY", "CREDENTIALS_DIRECTORY", "CONVERGE_KEY_FILE", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK",
            "NOTIFY_SOCKET", "WATCHDOG_USEC", "LD_PRELOAD_X", "PYTHONPATH", "BASH_ENV", "GIT_DIR", "https_proxy",
        ):  # fmt: skip
            monkeypatch.setenv(name, "ours")
        for name in ("LANG", "LC_TIME", "TZ"):
            monkeypatch.setenv(name, "C")
        for name in [name for name in os.environ if name.startswith(("XDG_", "DBUS_", "LC_")) and name != "LC_TIME"]:
            monkeypatch.delenv(name)
        lines = sh("env", env={"THEIRS": "2"}, user=user).output.splitlines()
        given = {line.partition("=")[0] for line in lines}
        assert given - named == {"THEIRS"}
        assert {"LANG", "LC_TIME", "TZ", "HOME"} <= given

    def test_more_of_ours_gets_there_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", "http://proxy.test")
        assert sh("echo $https_proxy", keep=NETWORK).output == "http://proxy.test\n"
        assert sh("echo $https_proxy", keep=NETWORK, env={"https_proxy": "other"}).output == "other\n"

    def test_all_of_ours_is_without_what_the_service_manager_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
        monkeypatch.setenv("VAULT_TOKEN", "t")
        assert sh("echo $VAULT_TOKEN[$NOTIFY_SOCKET]", keep=ours()).output == "t[]\n"

    def test_the_home_of_whoever_called_sudo_is_not_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/somebody")
        assert sh("echo $HOME").output == f"{pwd.getpwuid(os.geteuid()).pw_dir}\n"

    def test_a_folder_that_we_were_given_in_path_is_not_searched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "greet").symlink_to("/bin/echo")
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        assert sh("echo $PATH").output == f"{SYSTEM_PATH}\n"
        with pytest.raises(NotYet, match="program greet is not in PATH"):
            run(["greet"])

    def test_programs_are_found_in_its_path(self, tmp_path: Path) -> None:
        (tmp_path / "greet").symlink_to("/bin/echo")
        assert run(["greet", "hi"], env={"PATH": str(tmp_path)}).output == "hi\n"
        with pytest.raises(NotYet, match="program ls is not in PATH"):
            run(["ls"], env={"PATH": str(tmp_path)})

    def test_there_is_always_a_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PATH")
        assert run(["true"]).returncode == 0

    def test_a_folder_is_entered_and_programs_are_found_from_there(self, tmp_path: Path) -> None:
        (tmp_path / "where").symlink_to("/bin/pwd")
        assert run(["./where"], cwd=str(tmp_path)).output == f"{tmp_path}\n"


class TestUser:
    @as_root
    def test_a_command_is_wholly_that_users(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/0")
        nobody = pwd.getpwnam("nobody")
        said = sh("id -u; id -g; id -G; echo $HOME $USER $LOGNAME $SHELL [$XDG_RUNTIME_DIR]", user="nobody").output
        group = str(nobody.pw_gid)
        assert said.split() == [
            str(nobody.pw_uid),
            group,
            group,
            nobody.pw_dir,
            "nobody",
            "nobody",
            nobody.pw_shell,
            "[]",
        ]

    def test_ourselves_may_be_named(self) -> None:
        me = pwd.getpwuid(os.geteuid())
        assert sh("id -u; echo $HOME", user=me.pw_name).output.split() == [str(me.pw_uid), me.pw_dir]

    def test_its_environment_may_be_overridden(self) -> None:
        me = pwd.getpwuid(os.geteuid())
        assert sh("echo $HOME", user=me.pw_name, env={"HOME": "/tmp"}).output == "/tmp\n"

    @not_as_root
    def test_a_folder_that_we_may_not_enter_is_named(self, tmp_path: Path) -> None:
        tmp_path.chmod(0)
        with pytest.raises(ResourceError, match=f"directory {tmp_path} cannot be entered: Permission denied"):
            run(["true"], cwd=str(tmp_path))

    @not_as_root
    def test_another_user_needs_root(self) -> None:
        with pytest.raises(ResourceError, match="only root can run a command as user root"):
            run(["true"], user="root")


def test_many_run_at_once() -> None:
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda number: sh(f"cat; echo {number}", stdin=b"in ").output, range(100)))
    assert results == [f"in {number}\n" for number in range(100)]


def test_nothing_stays_open() -> None:
    run(["true"])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        run(["cat"], stdin=b"x")
        sh("sleep 600", timeout=0.01)
        with pytest.raises(NotYet):
            run(["/no/such"])
    assert len(os.listdir("/proc/self/fd")) == before


def test_all_can_be_ended_at_once(tmp_path: Path) -> None:
    results: list[Result] = []
    script = f"sleep 600 & echo $! > {tmp_path}/$0; wait"
    threads = [
        threading.Thread(target=lambda it=it: results.append(run(["/bin/sh", "-c", script, it]))) for it in "abc"
    ]
    for thread in threads:
        thread.start()
    assert eventually(lambda: all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in "abc"))
    process.end_all()
    for thread in threads:
        thread.join()
    assert [result.returncode for result in results] == [-signal.SIGKILL] * 3
    assert eventually(lambda: not any(lives(int((tmp_path / name).read_text())) for name in "abc"))


def test_an_interrupt_ends_the_command_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = (
        "import signal; from converge.host.process import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        # What it reads tells it that we have begun to talk to it.
        f"run(['/bin/sh', '-c', 'read go; echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600'], stdin=b'go')\n"
    )
    # In a Python of its own, so that it is a main thread that is interrupted.
    child = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    assert eventually(pid.exists)
    child.send_signal(signal.SIGINT)
    child.wait()
    assert eventually(lambda: not lives(int(pid.read_text())))


def test_a_command_runs_also_where_our_own_folder_has_been_removed(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = "import os, sys; os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); from converge.host.process import run; "
    script += "print(run(['/bin/echo', 'fine'], cwd='/', timeout=20).output)"
    gone.mkdir()
    done = subprocess.run([sys.executable, "-c", script, gone], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("fine", "")
