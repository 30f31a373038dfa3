"""exec: what a declaration says before anything is run, and the mistakes in it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from converge.core.change import Change
from converge.core.resource import Inside, Uses
from converge.core.trigger import Every, PathChanged
from converge.resources.exec import Exec

not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")


class TestTriggers:
    def test_what_it_creates_is_watched(self) -> None:
        assert Exec("it", "true", creates="/srv/x").triggers() == (PathChanged("/srv/x"),)

    def test_a_guard_command_is_polled(self) -> None:
        assert Exec("it", "true", unless="false").triggers() == (Every(30.0),)
        assert Exec("it", "true", unless="false", creates="/x").triggers() == (PathChanged("/x"), Every(30.0))

    def test_unless_it_is_said_what_to_watch(self) -> None:
        watched = (PathChanged("/a"), PathChanged("/b"))
        assert Exec("it", "true", only_if="false", watch=["/a", "/b"]).triggers() == watched


class TestNeeds:
    @pytest.mark.parametrize(
        ("resource", "paths"),
        [
            (Exec("it", "/opt/x.sh -v"), ["/opt/x.sh"]),
            (Exec("it", "./x.sh", dir="/opt/bin/.."), ["/opt/x.sh", "/opt"]),
            (Exec("it", ["/bin/sh", "-e", "/opt/x.sh"]), ["/bin/sh", "/opt/x.sh"]),
            (Exec("it", "python3.11 -u /opt/x.py"), ["/opt/x.py"]),
            (Exec("it", "python3 -m mod /opt/x.py"), []),
            (Exec("it", "sh", args=["/opt/x.sh"]), ["/opt/x.sh"]),
            (Exec("it", "/opt/x.sh > /dev/null", shell=True), ["/bin/sh", "/opt/x.sh"]),
            (Exec("it", "cat /opt/x.sh"), []),
            (Exec("it", "true", unless="/opt/check"), ["/opt/check"]),
            (Exec("it", "true"), []),
        ],
    )
    def test_files_that_are_run_and_the_folder(self, resource: Exec, paths: list[str]) -> None:
        assert [need.id for need in resource.needs() if isinstance(need, Uses)] == [f"file:{path}" for path in paths]
        assert {need.path for need in resource.needs() if isinstance(need, Inside)} >= set(paths) - {"/opt"}

    def test_the_user(self) -> None:
        assert Exec("it", "true", user="deploy").needs() == (Uses("user:deploy"),)


class TestRoot:
    def test_root_or_ourselves_need_no_more(self) -> None:
        assert Exec("it", "true").needs_root() is None
        assert Exec("it", "true", user=pwd.getpwuid(os.geteuid()).pw_name).needs_root() is None

    def test_another_user_needs_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        for user in ("root", "nosuchuser"):
            assert Exec("it", "true", user=user).needs_root() == f"it runs as user {user}"

    def test_a_guard_that_only_root_can_run_leaves_it_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert Exec("it", "true", user="root", unless="true").check() == (Change("run", None, "true", "unknown"),)

    @not_as_root
    def test_so_does_a_path_that_only_root_can_see(self, tmp_path: Path) -> None:
        tmp_path.chmod(0)
        assert Exec("it", "true", creates=f"{tmp_path}/x").check() == (Change("run", None, "true", "unknown"),)
        assert Exec("it", f"{tmp_path}/x").check() == (Change("run", None, f"{tmp_path}/x", "unknown"),)


class TestRetries:
    def test_they_are_the_engine_s_retry(self) -> None:
        assert Exec("it", "true", retries=4).retry == 4
        assert Exec("it", "true", retry=2).retry == 2
        assert Exec("it", "true").retry is None

    def test_their_delay_may_be_its_own(self) -> None:
        assert Exec("it", "true", retry_delay="2s").retry_delay_seconds() == 2
        assert Exec("it", "true").retry_delay_seconds() is None


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"name": " "}, "the name is empty"),
            ({"command": " "}, "command is empty"),
            ({"command": []}, "command is empty"),
            ({"command": [""]}, "command is empty"),
            ({"command": "ls | wc"}, "command has an unquoted '|', which only a shell understands; "
                                     "set shell=True, or give a list"),
            ({"command": "A=b c"}, "command begins with A=, which only a shell understands; "
                                   "use env=, or set shell=True"),
            ({"command": "a 'b"}, "command cannot be split into words: no closing quotation"),
            ({"command": "a\0b"}, "command has text that no program can be given (a NUL character, or broken text)"),
            ({"command": ["a", "\ud800"]}, "command has text that no program can be given "
                                           "(a NUL character, or broken text)"),
            ({"command": "./x"}, "command runs ./x, a relative path; give dir=, or the full path"),
            ({"command": ["a"], "args": ["b"]}, "arguments are given both in the command's list and in args; "
                                                "put all of them in one"),
            ({"shell": True, "args": ["b"]}, "shell=True takes one line of text, neither a list nor args"),
            ({"shell": True, "command": ["b"]}, "shell=True takes one line of text, neither a list nor args"),
            ({"unless": "a > b"}, "unless has an unquoted '>', which only a shell understands; "
                                  "set shell=True, or give a list"),
            ({"only_if": ""}, "only_if is empty"),
            ({"only_if": "bin/x"}, "only_if runs bin/x, a relative path; give dir=, or the full path"),
            ({"dir": "srv"}, "dir takes a full path such as /srv/app, not 'srv'"),
            ({"creates": "x"}, "creates takes a full path such as /srv/app, not 'x'"),
            ({"unless": "true", "watch": ["x"]}, "watch takes a full path such as /srv/app, not 'x'"),
            ({"env": {"A=B": "c"}}, "env has 'A=B', which is no name for a variable"),
            ({"env": {"": "c"}}, "env has '', which is no name for a variable"),
            ({"env": {"A": "\0"}}, "env A has a value that no program can be given (a NUL character, or broken text)"),
            ({"user": ""}, "'' is no name for a user"),
            ({"user": "a\0"}, "'a\\x00' is no name for a user"),
            ({"stdin": "\ud800"}, "stdin has broken text; give bytes"),
            ({"timeout": "soon"}, "timeout: 'soon' is not a duration; write it as 500ms, 30s, 5m or 1h"),
            ({"retry_delay": -1}, "retry_delay: -1 is not a duration; it must be zero or more"),
            ({"retries": -1}, "retries takes zero or more, not -1"),
            ({"retries": 2, "retry": 3}, "retry=3 and retries=2 are the same option; give one"),
            ({"watch": ["/x"]}, "watch says when to look at a guard, and there is none; "
                                "add unless= or creates=, or use only_on="),
            ({"watch": ["/x"], "unless": "true", "only_on": "file:/y"},
             "watch and only_on exclude each other: with only_on the command runs on their change alone"),
        ],
    )  # fmt: skip
    def test_each_is_said(self, options: dict[str, Any], said: str) -> None:
        assert list(Exec(**{"name": "it", "command": "true"} | options).mistakes()) == [said]

    def test_all_are_said_at_once(self) -> None:
        wrong = Exec("", "a | b", unless="c; d", dir="e", env={"": ""}, user="", retries=-1, timeout="f")
        assert len(list(wrong.mistakes())) == 8

    @pytest.mark.parametrize(
        "options",
        [
            {"command": "find / -name '*.py'"},
            {"command": "a 'b", "args": ["| c"]},
            {"command": "./x", "dir": "/opt"},
            {"command": "a | b", "shell": True, "unless": "c > d"},
            {"command": ["a", "|", "*"], "retries": 2, "retry": 2},
            {"command": "caf\udce9"},
        ],
    )
    def test_what_is_right_is_left_alone(self, options: dict[str, Any]) -> None:
        assert list(Exec(name="it", **options).mistakes()) == []

    def test_a_secret_is_not_repeated(self) -> None:
        wrong = Exec("it", "hunter2\0", shell=True, env={"A": "hunter2\0"}, unless="hunter2\0")
        assert "hunter2" not in " ".join(wrong.mistakes())


def test_its_id_is_its_name() -> None:
    assert Exec("reload nginx", "true").id == "exec:reload nginx"
