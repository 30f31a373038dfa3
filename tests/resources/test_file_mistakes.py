"""Mistakes in a declaration, and where converge keeps its state."""

import os
import stat
from pathlib import Path

import pytest

from converge.core.errors import ResourceError
from converge.core.resource import Inside, Resource, Uses
from converge.host.state_dirs import ensure_dir, runtime_dir, state_dir
from converge.resources.file import Block, Directory, File, Line, Symlink


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (File("etc/motd"), "the path 'etc/motd' is not absolute; begin it with /"),
        (File(""), "the path '' is not absolute"),
        (File("/etc/../x"), "the path /etc/../x holds ..; write out where it leads"),
        (File("/a\0b"), "holds a zero byte"),
        (File("/\ud800"), "cannot be written in the encoding of the file system"),
        (File("/"), "the path / is a directory"),
        (File("/f", mode=644), "mode=644 looks like octal digits without their 0o; write 0o644"),
        (File("/f", mode=1777), "none"),
        (File("/f", mode=4755), "mode=4755 looks like octal digits without their 0o; write 0o4755"),
        (File("/f", mode=0o10000), "mode=4096 is out of range; a mode lies between 0 and 0o7777"),
        (File("/f", mode=-1), "out of range"),
        (File("/f", mode="0644"), "mode='0644' is text; write 0o644"),  # type: ignore[arg-type]  # the mistake
        (File("/f", mode="u+x"), "mode='u+x' is text; write 0o644"),  # type: ignore[arg-type]  # the mistake
        (File("/f", mode=True), "mode=True is no mode; write it as 0o644"),
        (File("/f", owner=""), "owner='' is no owner; give a name or a number"),
        (File("/f", group=-1), "group=-1 is no group"),
        (File("/f", content="a", source="b"), "content and source exclude one another; give one of them"),
        (File("/f", content="a", source="b", template="c"), "content and source and template exclude one another"),
        (File("/f", append=True), "append=True needs content="),
        (File("/f", vars={"a": 1}), "vars= has no meaning without template="),
        (File("/f", source=""), "source is empty"),
        (File("/f", content="\ud800"), "cannot be written as UTF-8"),
        (File("/f", content="x", state="absent"), 'with state="absent" the file goes away; leave out content'),
        (File("/f", mode=0o600, line="x", state="absent"), "leave out mode, line"),
        (File("/f", owner="root", state="absent"), "there is nothing to own"),
        (File("/f", parents=True, state="absent"), "parents=True has no meaning"),
        (File("/f", content="x", line="y"), "leave out content"),
        (File("/f", line="a\nb"), "a line cannot hold a line break; use block="),
        (File("/f", line=Line("a", match="(")), "match='(' is not a regular expression"),
        (File("/f", line=Line("a", after="x", before="y")), "either after= or before="),
        (File("/f", line=Line("a", after="x", state="absent")), "takes no after= or before="),
        (File("/f", line=["a", Line("", match="a", state="absent")]), "the lines 'a' and '' cannot both hold"),
        (File("/f", line=[Line("a=1", match="^a="), Line("a=2", match="^a=")]), "cannot both hold"),
        (File("/f", block=["x", "y"]), "two blocks are both named 'converge'"),
        (File("/f", block=Block("x\n# END converge")), "holds its own marker line"),
        (File("/f", block=Block("x", name="a\nb")), "cannot hold a line break"),
        (File("/f", content="x", validate=" "), "validate=' ' names no program"),
        (File("/f", content="x", validate="check '%s"), "cannot be taken apart into words"),
        (File("/f", content="x", validate=["%s"]), "begin with the program"),
        (File("/f", content="x", validate=[]), "names no program"),
        (Directory("/d", mode=755), "write 0o755"),
        (Directory("/d", recurse=True), "recurse=True is about owner and group"),
        (Directory("/d", force=True), "force=True only has a meaning"),
        (Directory("/d", state="absent", purge=True), "leave out mode, recurse and purge"),
        (Directory("/", purge=True), "the root directory is neither removed nor purged"),
        (Symlink("/l", ""), "the target of a symbolic link cannot be empty"),
        (Symlink("/l", "a\0"), "cannot hold a zero byte"),
    ],
)
def test_mistake(resource: Resource, said: str) -> None:
    found = list(resource.mistakes())
    if said == "none":
        assert found == []
    else:
        assert any(said in mistake for mistake in found), found


@pytest.mark.parametrize(
    "resource",
    [
        File("/f"),
        File("/f", content="", mode=0o644, owner="root", group=0, validate="sshd -t -f %s", backup=True),
        File("/f", content="x", append=True),
        File("/f", template="t", vars={"a": 1}),
        File("/f", line=["a", Line("b", match="^b", after="a")], block=[Block("x"), Block("y", name="2")]),
        File("/f", state="absent", backup=True),
        *(File("/f", mode=mode) for mode in (0o620, 0o755, 0o777, 0o7777, 0o1777, 0o400, 0, 0o444, 0o664, 0o4755)),
        Directory("/d", owner="a", recurse=True, purge=True),
        Directory("/"),
        Symlink("/l", "../x"),
    ],
)
def test_no_mistake(resource: Resource) -> None:
    assert list(resource.mistakes()) == []


def test_needs_and_grouping() -> None:
    file = File("/a/b", content="x", owner="deploy", group="www")
    assert file.id == "file:/a/b"
    assert list(file.needs()) == [Inside("/a/b"), Uses("user:deploy"), Uses("group:www")]
    assert Uses("file:/src/x") in File("/f", source="/src/x").needs()
    assert (file.group_key("check"), file.group_key("apply")) == ("file", "/a")
    assert File("/a/b", content="x", validate="v %s").group_key("apply") is None
    assert File("/a/b", state="absent").is_removal() and not file.is_removal()


def test_state_and_runtime_directories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CONVERGE_STATE_DIR", "CONVERGE_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/bob")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert (state_dir(), runtime_dir()) == (Path("/var/lib/converge"), Path("/run/converge"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert state_dir() == Path("/home/bob/.local/state/converge")
    assert runtime_dir() == Path("/home/bob/.local/state/converge/run")
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert (state_dir(), runtime_dir()) == (Path("/x/converge"), Path("/run/user/1000/converge"))
    monkeypatch.setenv("CONVERGE_STATE_DIR", "/s")
    monkeypatch.setenv("CONVERGE_RUNTIME_DIR", "/r")
    assert (state_dir(), runtime_dir()) == (Path("/s"), Path("/r"))


def test_ensure_dir(tmp_path: Path) -> None:
    assert ensure_dir(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    (tmp_path / "a" / "b").chmod(0o770)
    with pytest.raises(ResourceError, match="can be written by others; make it mode 0700"):
        ensure_dir(tmp_path / "a" / "b")
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(ResourceError, match="is not a directory"):
        ensure_dir(tmp_path / "link")
    if os.geteuid() == 0:
        (tmp_path / "theirs").mkdir()
        os.chown(tmp_path / "theirs", 12345, 12345)
        with pytest.raises(ResourceError, match="belongs to uid 12345"):
            ensure_dir(tmp_path / "theirs")
