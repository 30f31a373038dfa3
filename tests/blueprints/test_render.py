"""Declarations written as Python: what is written means what it was written from."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.blueprints.kinds import own_kinds
from converge.blueprints.render import comment, declaration, quoted, whole
from converge.core.resource import Resource
from converge.resources.accounts import Group, User
from converge.resources.cron import Cron
from converge.resources.file import Directory, File, Symlink
from converge.resources.mount import Mount
from converge.resources.package import Package
from converge.resources.service.systemd import SystemdService
from converge.resources.sysctl import Sysctl

ANY = st.text(alphabet=st.characters(exclude_categories=()), max_size=200)
METHODS = {kind.for_system("linux"): method for method, kind in own_kinds().items() if "linux" in kind.platforms}


def declared(lines: list[str]) -> list[Resource]:
    """What a blueprint with these lines declares."""
    found: list[Resource] = []

    class Recorder:
        def __getattr__(self, method: str) -> object:
            return lambda *args, **kwargs: found.append(own_kinds()[method].for_system("linux")(*args, **kwargs))

    exec("if True:\n" + "\n".join(lines), {"r": Recorder()})
    return found


def is_same(one: Resource, other: Resource) -> bool:
    """Compares all options, also those that ``==`` leaves out."""
    names = [name for name in one.__dataclass_fields__ if name not in ("where", "managed", "brought_by")]
    plain = [[list(v) if isinstance(v := getattr(each, name), tuple) else v for name in names] for each in (one, other)]
    return type(one) is type(other) and plain[0] == plain[1]


@given(ANY)
def test_a_text_is_written_so_that_python_reads_it_back(text: str) -> None:
    literal = quoted(text)
    assert ast.literal_eval(literal) == text
    assert literal.isprintable()


@given(content=ANY | st.lists(st.text(max_size=60), max_size=5).map("\n".join), mode=st.integers(0, 0o7777))
def test_a_file_is_declared_with_its_very_content(content: str, mode: int) -> None:
    file = File("/etc/some/file.conf", content=content, mode=mode, owner="root", group=12)
    (found,) = declared(declaration(file, "file"))
    assert is_same(found, file)


@pytest.mark.parametrize(
    "resource",
    [
        File("/x"), File("/x", content=""), Directory("/x", mode=0o1777), Directory("/x", mode=0),
        Symlink("/x", "a\udcffb"), Package("git", hold=True),
        SystemdService("ssh", enable=False), SystemdService("ssh", masked=True),
        User("ada", uid=0, groups=["a", "b"], system=True), Group("a", members=["x"]), Group("a", members=None),
        Sysctl("kernel.x", 0, persist=False), Sysctl("kernel.x", "1 2"), Mount("/x", None, "tmpfs", persist=False),
        Mount("/x", "/dev/a", "ext4", "ro", passno=2), Cron("a", "b %", "@daily", env={"A": "1 '"}),
    ],
    ids=lambda each: each.id,
)  # fmt: skip
def test_each_kind_is_declared_as_it_was(resource: Resource) -> None:
    (found,) = declared(declaration(resource, METHODS[type(resource)]))
    assert is_same(found, resource)


def test_only_what_is_no_default_is_said_and_long_ones_have_a_line_each() -> None:
    assert declaration(Package("git"), "package") == ['    r.package("git")']
    assert declaration(Symlink("/a", "b"), "symlink", "") == ['r.symlink("/a", target="b")']
    long = declaration(File("/etc/motd", content="first line\n" * 9 + "last", mode=0o644), "file")
    assert long[:4] == ["    r.file(", '        "/etc/motd",', "        content=(", '            "first line\\n"']
    assert long[-4:] == ['            "last"', "        ),", "        mode=0o644,", "    )"]


@given(st.text())
def test_a_comment_stays_a_comment(text: str) -> None:
    for line in comment(text):
        assert line.startswith("    # ")
        assert line.isprintable()


def test_what_is_written_is_formatted_as_formatters_do(tmp_path: Path) -> None:
    lines = comment("A remark that is rather long, so that it does not fit on one line of eighty-eight columns at all.")
    for resource in (
        File("/etc/motd", content="first line\n" * 9, mode=0o644), Package("git"), File("/a", content='say "hi"\n'),
        File("/etc/one", content="x" * 100), File("/etc/two", content="y" * 100 + "\nz\n", owner="root"),
        User("deploy", uid=1600, groups=["devs", "ops"], shell="/bin/bash", comment="Deploy", expires="2030-01-31"),
    ):  # fmt: skip
        lines += declaration(resource, METHODS[type(resource)])
    path = tmp_path / "adopted.py"
    path.write_text(whole(lines, "adopted", "as found"))
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", str(path)]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False)
    if "No module named ruff" in done.stderr:
        pytest.skip("ruff is not installed")
    assert done.returncode == 0, done.stdout + done.stderr
