"""Before a command runs: what is missing, what cannot be run, and what a line of words may hold."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.errors import NotYet, ResourceError
from converge.host.process import command_line, run


def program(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


class TestWhatCannotBeStarted:
    @pytest.mark.parametrize(
        ("argv", "options", "message", "needs"),
        [
            (["/no/such"], {}, "program /no/such does not exist", "file:/no/such"),
            (["/etc/passwd/x"], {}, "program /etc/passwd/x does not exist", "file:/etc/passwd/x"),
            (["no-such"], {}, "program no-such is not in PATH", "program:no-such"),
            (["true"], {"cwd": "/no/such"}, "directory /no/such does not exist", "file:/no/such"),
            (["true"], {"user": "nosuchuser"}, "user nosuchuser does not exist", "user:nosuchuser"),
        ],
    )
    def test_what_is_missing_is_named(self, argv: list[str], options: dict[str, str], message: str, needs: str) -> None:
        with pytest.raises(NotYet) as missing:
            run(argv, **options)  # type: ignore[arg-type]
        assert (str(missing.value), missing.value.needs) == (message, needs)

    def test_a_relative_program_is_missing_from_its_folder(self, tmp_path: Path) -> None:
        with pytest.raises(NotYet) as missing:
            run(["./bin/../x"], cwd=str(tmp_path))
        assert missing.value.needs == f"file:{tmp_path}/x"

    @pytest.mark.parametrize(
        ("text", "mode", "message"),
        [
            ("#!/bin/sh", 0o644, "{} is not executable"),
            ("#!/no/such", 0o755, "{} cannot be run: what its #! line names does not exist"),
            ("echo hi", 0o755, "{} cannot be run: it is not a program and has no #! line"),
        ],
    )
    def test_what_is_wrong_with_a_program_is_said(self, tmp_path: Path, text: str, mode: int, message: str) -> None:
        path = program(tmp_path / "broken", text, mode)
        with pytest.raises(ResourceError, match=re.escape(message.format(path))):
            run([path])

    def test_a_directory_is_no_program(self) -> None:
        with pytest.raises(ResourceError, match="/etc is a directory, not a program"):
            run(["/etc"])

    def test_a_file_is_no_directory(self) -> None:
        with pytest.raises(ResourceError, match="/etc/passwd is not a directory"):
            run(["true"], cwd="/etc/passwd")

    def test_arguments_may_be_too_long(self) -> None:
        with pytest.raises(ResourceError, match="true cannot be run: its arguments and environment are too long"):
            run(["true", "x" * 10_000_000])


class TestWords:
    @given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=8), min_size=1))
    def test_whatever_is_quoted_is_no_mistake_and_comes_back(self, argv: list[str]) -> None:
        line = shlex.join(["run", *argv])
        assert command_line.mistake(line) is None
        assert command_line.split(line) == ["run", *argv]

    @pytest.mark.parametrize(
        ("line", "culprit"),
        [
            ("a | b", "'|'"),
            ("a>b", "'>'"),
            ("a < b", "'<'"),
            ("a && b", "'&'"),
            ("a; b", "';'"),
            ("echo $HOME", "'$'"),
            ('echo "$HOME"', "'$'"),
            ("echo `id`", "'`'"),
            ('echo "`id`"', "'`'"),
            ("ls *.py", "'*'"),
            ("ls ?.py", "'?'"),
            ("(a)", "'('"),
            ("ls ~/x", "'~'"),
            ("a\nb", "'\\n'"),
        ],
    )
    def test_what_only_a_shell_understands_is_refused(self, line: str, culprit: str) -> None:
        assert command_line.mistake(line) == (
            f"has an unquoted {culprit}, which only a shell understands; set shell=True, or give a list"
        )

    @pytest.mark.parametrize(
        "line",
        ["find . -name '*.py'", r"echo \$HOME", r"echo a\;b", "find x -exec rm {} +", "a~b", "[ -f x ]", "x --a=b"],
    )
    def test_what_means_nothing_to_a_shell_is_not(self, line: str) -> None:
        assert command_line.mistake(line) is None

    def test_other_mistakes(self) -> None:
        assert command_line.mistake("echo 'a") == "cannot be split into words: no closing quotation"
        assert (
            command_line.mistake("A=1 b")
            == "begins with A=, which only a shell understands; use env=, or set shell=True"
        )
