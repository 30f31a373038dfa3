"""exec: guards, refreshes, and commands that fail, hang or are not there; all with real processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import NotYet, ResourceError
from converge.resources.exec import Exec

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run commands as somebody else")


def shell(command: str, **options: Any) -> Exec:
    return Exec("it", command, shell=True, **options)


def would_run(shown: str) -> Changes:
    return (Change("run", None, shown, "run"),)


def converge(resource: Exec) -> Changes:
    """What a check finds, applied."""
    assert list(resource.mistakes()) == []
    state = resource.check()
    if state:
        resource.apply(state)
    return state


@pytest.fixture
def ran(tmp_path: Path) -> Callable[[], int]:
    """How often a command that says ``echo >> ran`` in the test's folder has run."""

    def count() -> int:
        path = tmp_path / "ran"
        return len(path.read_text().splitlines()) if path.exists() else 0

    return count


class TestCommand:
    def test_a_line_is_split_and_run_without_a_shell(self, tmp_path: Path) -> None:
        converge(Exec("it", "touch 'a b' '$HOME'", dir=str(tmp_path)))
        assert sorted(os.listdir(tmp_path)) == ["$HOME", "a b"]

    def test_a_list_is_run_as_it_is(self, tmp_path: Path) -> None:
        converge(Exec("it", ["touch", "a; b", "*"], dir=str(tmp_path)))
        assert sorted(os.listdir(tmp_path)) == ["*", "a; b"]

    def test_with_args_the_command_is_the_program_alone(self, tmp_path: Path) -> None:
        program = tmp_path / "my program"
        program.write_text('#!/bin/sh\necho "$@" > said')
        program.chmod(0o755)
        converge(Exec("it", str(program), args=["a b", "$c"], dir=str(tmp_path)))
        assert (tmp_path / "said").read_text() == "a b $c\n"

    def test_a_shell_is_used_when_asked_for(self, tmp_path: Path) -> None:
        converge(shell("echo $((1 + 1)) | cat > sum", dir=str(tmp_path)))
        assert (tmp_path / "sum").read_text() == "2\n"

    def test_it_gets_its_input_and_environment(self, tmp_path: Path) -> None:
        converge(shell("echo $WHO > out; cat >> out", env={"WHO": "me"}, stdin="läuft\n", dir=str(tmp_path)))
        assert (tmp_path / "out").read_text() == "me\nläuft\n"
        converge(shell("cat > out", stdin=b"\xff\0", dir=str(tmp_path)))
        assert (tmp_path / "out").read_bytes() == b"\xff\0"

    def test_it_runs_in_the_root_folder_unless_told(self) -> None:
        with pytest.raises(ResourceError, match=r"the end of its output:\n/$"):
            converge(shell("pwd; false"))

    @as_root
    def test_it_runs_as_another_user(self) -> None:
        with pytest.raises(ResourceError, match=r"output:\nnobody$"):
            converge(shell("id -un; false", user="nobody"))


class TestUnguarded:
    def test_it_runs_once_and_is_called_unguarded(self) -> None:
        resource = Exec("it", "echo hi")
        assert resource.check() == would_run("echo hi (unguarded)")
        assert resource.runs_once()
        assert resource.triggers() == ()


class TestGuards:
    @pytest.mark.parametrize("option", ["unless", "only_if"])
    def test_a_guard_that_exits_0_says_that_all_is_right(self, option: str) -> None:
        assert Exec("it", "echo hi", **{option: "true"}).check() == IN_SYNC  # type: ignore[arg-type]

    @pytest.mark.parametrize("option", ["unless", "only_if"])
    def test_with_any_other_status_the_command_is_due(self, option: str) -> None:
        resource = Exec("it", "echo hi", **{option: "false"})  # type: ignore[arg-type]
        assert resource.check() == would_run("echo hi")
        assert not resource.runs_once()

    def test_any_guard_that_holds_is_enough(self) -> None:
        assert Exec("it", "echo hi", unless="false", only_if="true").check() == IN_SYNC
        assert Exec("it", "echo hi", unless="false", creates="/").check() == IN_SYNC
        assert Exec("it", "echo hi", unless="false", only_if="false", creates="/no/such").check() != IN_SYNC

    def test_what_it_creates_is_a_guard(self, tmp_path: Path) -> None:
        resource = Exec("it", ["touch", f"{tmp_path}/made"], creates=f"{tmp_path}/made")
        assert converge(resource) != IN_SYNC
        assert converge(resource) == IN_SYNC

    def test_a_path_below_a_file_is_not_there(self) -> None:
        assert Exec("it", "echo hi", creates="/etc/passwd/x").check() == would_run("echo hi")

    def test_a_guard_has_the_command_s_folder_environment_and_shell(self, tmp_path: Path) -> None:
        (tmp_path / "here").touch()
        guard = 'test -e here && test "$WHO" = me'
        assert shell("echo hi", unless=guard, dir=str(tmp_path), env={"WHO": "me"}).check() == IN_SYNC

    @as_root
    def test_a_guard_has_the_command_s_user(self) -> None:
        assert shell("echo hi", unless='test "$(id -un)" = nobody', user="nobody").check() == IN_SYNC

    def test_a_guard_gets_no_input(self) -> None:
        assert Exec("it", "cat", unless="grep -q secret", stdin="secret").check() != IN_SYNC

    def test_a_guard_may_be_a_list(self) -> None:
        assert Exec("it", "echo hi", unless=["test", "a b", "=", "a b"]).check() == IN_SYNC
        assert shell("echo hi", unless=["true"]).check() == IN_SYNC

    @pytest.mark.parametrize(("guard", "needs"), [("/no/such", "file:/no/such"), ("no-such", "program:no-such")])
    def test_a_guard_that_is_not_there_does_not_count_as_no(self, guard: str, needs: str) -> None:
        with pytest.raises(NotYet) as missing:
            Exec("it", "echo hi", unless=guard).check()
        assert missing.value.needs == needs

    def test_a_guard_that_crashes_does_not_count_as_no(self) -> None:
        with pytest.raises(ResourceError, match=r"guard .* gave no answer: signal SIGSEGV"):
            shell("echo hi", unless="kill -SEGV $$").check()

    def test_a_guard_that_hangs_is_ended(self) -> None:
        with pytest.raises(ResourceError, match=r"guard sleep 600 did not end within 0\.1 s and was ended"):
            Exec("it", "echo hi", unless="sleep 600", timeout="100ms").check()

    def test_check_changes_nothing(self, tmp_path: Path, ran: Callable[[], int]) -> None:
        assert shell("echo >> ran", unless="false", dir=str(tmp_path)).check()
        assert ran() == 0


class TestOnlyOn:
    def test_it_is_in_sync_until_one_of_those_changes(self, tmp_path: Path, ran: Callable[[], int]) -> None:
        resource = shell("echo >> ran", only_on="file:/etc/motd", dir=str(tmp_path))
        assert converge(resource) == IN_SYNC
        assert not resource.runs_once()
        assert resource.triggers() == ()
        resource.refresh(["file:/etc/motd"])
        assert ran() == 1

    def test_a_guard_that_holds_keeps_it_from_running(self, tmp_path: Path, ran: Callable[[], int]) -> None:
        resource = shell("echo >> ran", only_on="file:/etc/motd", unless="test -e stop", dir=str(tmp_path))
        assert resource.check() == IN_SYNC
        assert resource.triggers() == ()
        resource.refresh(["file:/etc/motd"])
        (tmp_path / "stop").touch()
        resource.refresh(["file:/etc/motd"])
        assert ran() == 1

    def test_one_or_many_may_be_named(self) -> None:
        other = Exec("other", "true")
        assert Exec("it", "true", only_on=other).refreshed_by() == (other,)
        assert Exec("it", "true", only_on="exec:other").refreshed_by() == ("exec:other",)
        assert Exec("it", "true", only_on=[other, "file:/x"]).refreshed_by() == (other, "file:/x")

    def test_a_refresh_that_fails_says_so(self) -> None:
        with pytest.raises(ResourceError, match="command false ended with exit status 1, without any output"):
            Exec("it", "false", only_on="file:/etc/motd").refresh(["file:/etc/motd"])


class TestFailure:
    def test_the_end_of_the_output_is_shown(self) -> None:
        with pytest.raises(ResourceError) as failure:
            converge(shell("seq 1000; echo why >&2; exit 3"))
        first, *rest = str(failure.value).splitlines()
        assert first == "command seq 1000; echo why >&2; exit 3 ended with exit status 3; the end of its output:"
        assert rest == [*map(str, range(982, 1001)), "why"]

    def test_a_long_command_is_shortened(self) -> None:
        with pytest.raises(ResourceError, match=r"^command false ; : x{70}\.\.\. ended with exit status 1, without"):
            converge(shell(f"false ; : {'x' * 500}; false"))
        with pytest.raises(ResourceError, match=r"^command true\.\.\. ended with exit status 1"):
            converge(shell("true\nfalse"))

    def test_a_timeout_ends_the_whole_group(self, tmp_path: Path) -> None:
        resource = shell(f"sleep 600 & echo $! > {tmp_path}/pid; echo waiting; wait", timeout="1s")
        with pytest.raises(ResourceError) as failure:
            converge(resource)
        assert str(failure.value).endswith(
            " did not end within 1 s and was ended, with its whole process group; the end of its output:\nwaiting"
        )
        stat = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
        while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX":
            time.sleep(0.005)  # a signal takes its moment


class TestSensitive:
    def test_neither_command_nor_output_is_shown(self) -> None:
        resource = shell("echo hunter2; false", sensitive=True, unless="echo hunter2; false", stdin="hunter2")
        assert resource.check() == would_run("(sensitive)")
        with pytest.raises(ResourceError) as failure:
            resource.apply(resource.check())
        assert str(failure.value) == "command ended with exit status 1 (it is sensitive, and so is its output)"

    def test_nor_those_of_one_that_hangs_or_crashes(self) -> None:
        for script in ("echo hunter2; sleep 600", "echo hunter2; kill -9 $$"):
            with pytest.raises(ResourceError, match=r"^guard .*it is sensitive") as failure:
                shell("true", sensitive=True, unless=script, timeout="100ms").check()
            assert "hunter2" not in str(failure.value)

    def test_an_unguarded_one_says_no_more(self) -> None:
        assert Exec("it", "echo hunter2", sensitive=True).check() == would_run("(sensitive) (unguarded)")

    def test_no_exec_shows_its_words_where_it_is_printed(self) -> None:
        assert "hunter2" not in repr(shell("hunter2", stdin="hunter2", env={"A": "hunter2"}, unless="hunter2"))


class TestWhatIsNotThereYet:
    @pytest.mark.parametrize(
        ("options", "needs"),
        [
            ({"command": "/opt/no/such --x"}, "file:/opt/no/such"),
            ({"command": "no-such"}, "program:no-such"),
            ({"command": "./no-such", "dir": "/etc"}, "file:/etc/no-such"),
            ({"command": "true", "dir": "/no/such"}, "file:/no/such"),
            ({"command": "true", "user": "nosuchuser"}, "user:nosuchuser"),
            ({"command": "no-such", "unless": "false"}, "program:no-such"),
        ],
    )
    def test_check_says_what_it_waits_for(self, options: dict[str, Any], needs: str) -> None:
        with pytest.raises(NotYet) as missing:
            Exec("it", **options).check()
        assert missing.value.needs == needs

    def test_where_all_is_right_already_nothing_is_needed(self) -> None:
        assert Exec("it", "/no/such", creates="/etc").check() == IN_SYNC
        assert Exec("it", "/no/such", dir="/no/such", creates="/etc").check() == IN_SYNC

    def test_programs_are_looked_for_in_its_own_path(self, tmp_path: Path) -> None:
        with pytest.raises(NotYet, match="program ls is not in PATH"):
            Exec("it", "ls", env={"PATH": str(tmp_path)}).check()
