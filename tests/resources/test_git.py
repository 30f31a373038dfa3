"""git: checkouts of real repositories, their drift, local changes, and no network where none is due."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.core.change import IN_SYNC, Changes
from converge.core.errors import Busy, NotYet, Refusal, ResourceError
from converge.core.urls import hide_credentials
from converge.host.fs import busy
from converge.host.process import variables
from converge.resources.git import Git, commands

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


class Repository:
    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
        self.first = self.commit("one")
        self.git("tag", "v1")
        self.git("tag", "-a", "-m", "signed", "v1-signed")
        self.second = self.commit("two")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@x")
        return subprocess.run(
            ["git", "-C", self.path, *who, *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, content: str) -> str:
        (self.path / "file").write_text(content)
        self.git("add", "file")
        self.git("commit", "-q", "-m", content)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def upstream(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "upstream")


def converge(it: Git) -> Changes:
    assert list(it.mistakes()) == []
    state = it.check()
    if state:
        it.apply(state)
        assert it.check() == IN_SYNC
    return state


def content(it: Git) -> str:
    return (Path(it.dest) / "file").read_text()


@pytest.mark.parametrize("depth", [None, 1])
@pytest.mark.parametrize(
    ("revision", "expected"),
    [("HEAD", "two"), ("main", "two"), ("v1", "one"), ("v1-signed", "one"), ("first", "one"), ("second", "two")],
)
def test_every_sort_of_revision(
    tmp_path: Path, upstream: Repository, revision: str, expected: str, depth: int | None
) -> None:
    revision = getattr(upstream, revision, revision)
    it = Git(str(tmp_path / "dest"), f"file://{upstream.path}", revision=revision, depth=depth)
    (change,) = converge(it)
    assert change.action == "create"
    assert content(it) == expected
    assert sorted(os.listdir(tmp_path)) == ["dest", "upstream"]


def test_from_one_revision_to_another(tmp_path: Path, upstream: Repository) -> None:
    dest, repo = str(tmp_path / "dest"), str(upstream.path)
    for revision, expected in (("v1", "one"), (upstream.second, "two"), ("v1", "one"), ("main", "two")):
        state = converge(Git(dest, repo, revision=revision))
        assert [change.property for change in state] in (["checkout"], ["revision"])
        assert content(Git(dest, repo)) == expected
    upstream.commit("three")
    (change,) = converge(Git(dest, repo, revision="main"))
    assert change.from_ == upstream.second[:12]
    assert content(Git(dest, repo)) == "three"
    upstream.git("reset", "-q", "--hard", "v1")
    upstream.commit("rewritten")
    converge(Git(dest, repo, revision="main"))
    assert content(Git(dest, repo)) == "rewritten"


def test_a_commit_and_a_known_tag_need_no_network(tmp_path: Path, upstream: Repository) -> None:
    dest, repo = str(tmp_path / "dest"), str(upstream.path)
    converge(Git(dest, repo, revision="v1"))
    upstream.path.rename(tmp_path / "away")
    assert Git(dest, repo, revision="v1").check() == IN_SYNC
    assert Git(dest, repo, revision=upstream.first).check() == IN_SYNC
    with pytest.raises(ResourceError, match=r"^git ls-remote failed: .*upstream"):
        Git(dest, repo, revision="main").check()


def test_it_comes_from_another_place_now(tmp_path: Path, upstream: Repository) -> None:
    dest = str(tmp_path / "dest")
    converge(Git(dest, str(upstream.path), revision="v1"))
    shutil.copytree(upstream.path, tmp_path / "moved")
    (change,) = converge(Git(dest, str(tmp_path / "moved"), revision="v1"))
    assert (change.property, change.from_) == ("repo", str(upstream.path))


def test_local_changes_are_kept_unless_told(
    tmp_path: Path, upstream: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest, repo = tmp_path / "dest", str(upstream.path)
    it = Git(str(dest), repo, revision="v1")
    converge(it)
    (dest / "file").write_text("edited")
    (dest / "untracked").write_text("mine")
    with pytest.raises(Busy, match="somebody is at work in"):
        it.check()
    monkeypatch.setattr(busy, "QUIET", 0.0)
    with pytest.raises(Refusal, match=r"has local changes \(file\)"):
        it.check()
    (change,) = converge(Git(str(dest), repo, revision="v1", force=True))
    assert change.property == "files"
    assert content(it) == "one"
    assert (dest / "untracked").read_text() == "mine"
    (dest / "file").unlink()
    converge(Git(str(dest), repo, revision="main", force=True))
    assert content(it) == "two"


def add(upstream: Repository, files: dict[str, bytes], attributes: str) -> None:
    """Commit files, byte by byte, and attributes that would have made others of them."""
    upstream.git("rm", "-q", "--ignore-unmatch", ".gitattributes")
    for name, data in files.items():
        (upstream.path / name).write_bytes(data)
        blob = upstream.git("hash-object", "-w", "--no-filters", "--", name)
        upstream.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    (upstream.path / ".gitattributes").write_text(attributes)
    upstream.git("add", ".gitattributes")
    upstream.git("commit", "-q", "-m", "next")


def touched(dest: Path) -> None:
    """So that git looks into all files, not at the times that it knows."""
    for path in dest.iterdir():
        if path.is_file():
            os.utime(path, (1e9, 1e9))


ODD = [
    ({"a.txt": b"1\r\n2\r\n"}, "*.txt text"),
    ({"a.txt": b"1\r\n2\n"}, "*.txt text eol=crlf"),
    ({"a.txt": b"1\r\n2\n"}, "* text=auto\n*.txt text eol=lf"),
    ({"a.txt": b"$Id: 0123456789012345678901234567890123456789 $\n"}, "*.txt ident"),
    ({"a.txt": b"no pointer\n"}, "*.txt filter=large"),
    ({"a.txt": b"\xff\xfe1\x000\x00"}, "*.txt text working-tree-encoding=UTF-8"),
    ({"odd \xe4 name.txt": b"1\r\n", "-b.txt": b"1\r\n", "#.txt": b""}, "*.txt text"),
]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(("files", "attributes"), ODD)
def test_what_attributes_would_make_another_file_is_not_changed(
    tmp_path: Path, upstream: Repository, files: dict[str, bytes], attributes: str, force: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Nor does it stand in the way of the next revision; but a real change is one."""
    monkeypatch.setattr(busy, "QUIET", 0.0)
    add(upstream, files, attributes)
    it = Git(str(tmp_path / "dest"), str(upstream.path), revision="main", force=force)
    converge(it)
    large = ("filter.large.clean", "sed s/^/version:/"), ("filter.large.smudge", "sed s/^version://")
    for name, value in large:
        subprocess.run(["git", "-C", it.dest, "config", name, value], check=True)
    touched(tmp_path / "dest")
    assert it.check() == IN_SYNC
    written = {name: (tmp_path / "dest" / name).read_bytes() for name in files}
    add(upstream, {name: data * 2 for name, data in files.items()}, attributes)
    (change,) = converge(it)
    assert change.property == "revision"
    for name, data in written.items():
        assert (tmp_path / "dest" / name).read_bytes() != data or not data
    touched(tmp_path / "dest")
    assert it.check() == IN_SYNC
    (tmp_path / "dest" / sorted(files)[-1]).write_bytes(b"mine\r\n")
    if force:
        assert [change.property for change in converge(it)] == ["files"]
    else:
        with pytest.raises(Refusal, match="has local changes"):
            it.check()


def test_what_is_in_the_way_of_a_revision_stays(tmp_path: Path, upstream: Repository) -> None:
    """A checkout that fails leaves all files as they were."""
    add(upstream, {"a.txt": b"1\r\n"}, "*.txt text")
    it = Git(str(tmp_path / "dest"), str(upstream.path), revision="main")
    converge(it)
    touched(tmp_path / "dest")
    (tmp_path / "dest" / "new").write_text("mine")
    add(upstream, {"a.txt": b"2\r\n", "new": b"theirs"}, "*.txt text")
    with pytest.raises(ResourceError, match="would be overwritten"):
        it.apply(it.check())
    assert (tmp_path / "dest" / "new").read_text() == "mine"
    assert (tmp_path / "dest" / "a.txt").read_bytes() == b"1\r\n"
    (tmp_path / "dest" / "new").unlink()
    converge(it)
    assert (tmp_path / "dest" / "a.txt").read_bytes() == b"2\r\n"


@pytest.mark.parametrize(
    ("key", "value"), [("core.fileMode", "false"), ("core.symlinks", "false"), ("core.autocrlf", "true")]
)
def test_what_the_checkout_is_told_to_overlook_is_not_changed(
    tmp_path: Path, upstream: Repository, key: str, value: str
) -> None:
    (upstream.path / "link").symlink_to("file")
    upstream.git("add", "link")
    upstream.commit("three\n")
    add(upstream, {"mixed.txt": b"1\r\n2\n"}, "")
    dest = tmp_path / "dest"
    it = Git(str(dest), str(upstream.path), revision="main")
    converge(it)
    subprocess.run(["git", "-C", dest, "config", key, value], check=True)
    if key == "core.fileMode":
        (dest / "file").chmod(0o755)
    elif key == "core.symlinks":
        (dest / "link").unlink()
        (dest / "link").write_text("file")
    else:
        (dest / "file").write_bytes(b"three\r\n")
    touched(dest)
    assert it.check() == IN_SYNC


def test_to_look_changes_nothing(tmp_path: Path, upstream: Repository) -> None:
    it = Git(str(tmp_path / "dest"), str(upstream.path), revision="main")
    converge(it)
    os.utime(tmp_path / "dest" / "file")  # git would like to note that it is the same still
    before = {str(path): path.stat().st_mtime_ns for path in (tmp_path / "dest").rglob("*")}
    assert it.check() == IN_SYNC
    assert {str(path): path.stat().st_mtime_ns for path in (tmp_path / "dest").rglob("*")} == before


def test_what_git_warns_of_is_no_answer(tmp_path: Path, upstream: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning comes by another stream, but is read together with the answer."""
    git = shutil.which("git")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(
        f'#!/bin/sh\necho "warning: M file" >&2\n{git} "$@"\nstatus=$?\necho "hint: D file" >&2\nexit $status\n'
    )
    (tmp_path / "bin" / "git").chmod(0o755)
    it = Git(str(tmp_path / "dest"), str(upstream.path), revision="main")
    monkeypatch.setattr(variables, "SYSTEM_PATH", f"{tmp_path / 'bin'}:{variables.SYSTEM_PATH}")
    converge(it)
    converge(Git(it.dest, it.repo, revision="v1-signed"))
    (tmp_path / "dest" / "file").write_text("edited")
    (change,) = Git(it.dest, it.repo, revision="v1", force=True).check()
    assert change.from_ == "file changed"


def test_somebody_else_at_work_is_waited_for(tmp_path: Path, upstream: Repository) -> None:
    it = Git(str(tmp_path / "dest"), str(upstream.path))
    converge(it)
    (tmp_path / "dest" / ".git" / "index.lock").touch()
    with pytest.raises(Busy, match="somebody's git is at work"):
        it.check()


def test_half_a_checkout_is_given_time_to_become_whole_or_nothing(tmp_path: Path, upstream: Repository) -> None:
    it = Git(str(tmp_path / "dest"), str(upstream.path))
    converge(it)
    for path in (tmp_path / "dest" / ".git" / "objects").iterdir():
        shutil.rmtree(path)
    with pytest.raises(Busy, match="git status failed"):
        it.check()
    time.sleep(1.1)  # a matter of time is what is tested
    with pytest.raises(ResourceError, match="git status failed") as raised:
        it.check()
    assert not isinstance(raised.value, Busy)


def test_what_else_is_there_is_not_touched(
    tmp_path: Path, upstream: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest = tmp_path / "dest"
    dest.mkdir()
    assert Git(str(dest), str(upstream.path)).check()
    (dest / "precious").write_text("data")
    with pytest.raises(Busy, match="somebody is at work in"):
        Git(str(dest), str(upstream.path)).check()
    monkeypatch.setattr(busy, "QUIET", 0.0)
    with pytest.raises(Refusal, match="holds other things and is no checkout"):
        Git(str(dest), str(upstream.path)).check()
    with pytest.raises(NotYet) as raised:
        Git(str(tmp_path / "none" / "dest"), str(upstream.path)).check()
    assert raised.value.needs == f"file:{tmp_path}/none"


@as_root
def test_a_checkout_of_somebody_else_is_not_run_as_root(tmp_path: Path, upstream: Repository) -> None:
    it = Git(str(tmp_path / "dest"), str(upstream.path))
    converge(it)
    os.chown(it.dest, 65534, 65534)
    with pytest.raises(ResourceError, match='belongs to nobody; say user="nobody"'):
        it.check()


def test_what_does_not_exist_is_said_and_nothing_is_left(tmp_path: Path, upstream: Repository) -> None:
    dest = str(tmp_path / "dest")
    for revision, words in (("none", "has no branch and no tag none"), ("f" * 40, f"has no commit {'f' * 40}")):
        it = Git(dest, str(upstream.path), revision=revision)
        with pytest.raises(ResourceError, match=words):
            it.apply(it.check())
        assert os.listdir(tmp_path) == ["upstream"]


def test_passwords_and_tokens_are_not_shown(tmp_path: Path, upstream: Repository) -> None:
    assert hide_credentials("https://token@host/x ssh://me:pw@host/y git@host:z") == (
        "https://***@host/x ssh://me:***@host/y git@host:z"
    )
    it = Git(str(tmp_path / "dest"), "https://me:secret@localhost:1/x")
    with pytest.raises(ResourceError) as raised:
        it.apply(it.check())
    assert "secret" not in str(raised.value) + repr(it)


@pytest.mark.parametrize(
    ("it", "mistake"),
    [
        (Git("opt/x", "/r"), "is not absolute"),
        (Git("/", "/r"), "the root directory"),
        (Git("/x", ""), "no address"),
        (Git("/x", "--upload-pack=x"), "no address"),
        (Git("/x", "../r"), "a relative path"),
        (Git("/x", "ext::sh -c true"), "names a program"),
        (Git("/x", "/r", revision="-x"), "is no revision"),
        (Git("/x", "/r", revision="a..b"), "is no revision"),
        (Git("/x", "/r", revision="HEAD~1"), "is no revision"),
        (Git("/x", "/r", revision=""), "is no revision"),
        (Git("/x", "/r", user=""), "no name for a user"),
        (Git("/x", "/r", depth=0), "1 or more"),
    ],
)
def test_mistakes(it: Git, mistake: str) -> None:
    (text,) = it.mistakes()
    assert mistake in text


@pytest.mark.parametrize("repo", ["/r", "https://h/r", "git@h:r", "ssh://h:22/r", "file:///r"])
def test_addresses(repo: str) -> None:
    assert list(Git("/x", repo, revision="feature/x-1.2").mistakes()) == []


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A directory of ``nobody``, which they can reach, with a repository."""
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        place = Path(top, "home")
        place.mkdir()
        Repository(place / "upstream")
        subprocess.run(["chown", "-R", "nobody", place], check=True)
        yield place


@as_root
def test_in_a_users_directory_git_runs_as_that_user(nobodys: Path) -> None:
    it = Git(str(nobodys / "dest"), f"file://{nobodys}/upstream", revision="v1")
    converge(it)
    assert content(it) == "one"
    assert {path.stat().st_uid for path in nobodys.rglob("*")} == {65534}
    with pytest.raises(ResourceError, match='can be written by nobody, who could lead git to other places; say user="'):
        Git(str(nobodys / "other"), f"file://{nobodys}/upstream", user="root").check()


@as_root
def test_in_a_users_directory_files_are_compared_as_that_user(nobodys: Path) -> None:
    upstream = Repository(nobodys / "odd")
    add(upstream, {"a.txt": b"1\r\n2\n"}, "*.txt text eol=crlf")
    subprocess.run(["chown", "-R", "nobody", upstream.path], check=True)
    it = Git(str(nobodys / "dest"), str(upstream.path), revision="main", user="nobody")
    converge(it)
    touched(nobodys / "dest")
    left = set(os.listdir(tempfile.gettempdir()))
    assert it.check() == IN_SYNC
    assert set(os.listdir(tempfile.gettempdir())) <= left


@as_root
def test_where_others_may_write_git_does_not_run_as_root(nobodys: Path) -> None:
    os.chown(nobodys, 0, 0)
    nobodys.chmod(0o777)
    with pytest.raises(ResourceError, match=f"{nobodys} can be written by others"):
        Git(str(nobodys / "dest"), f"file://{nobodys}/upstream").check()
    converge(Git(str(nobodys / "dest"), f"file://{nobodys}/upstream", user="nobody"))


@as_root
def test_a_staging_directory_that_is_exchanged_leads_nowhere(nobodys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user puts a link to a place of root where git is to work, as soon as it is there."""
    private = nobodys.parent / "private"
    private.mkdir(mode=0o700)
    create = commands.create

    def exchanged(it: Git, path: str) -> None:
        os.rename(path, f"{path}-away")
        os.symlink(private, path)
        create(it, path)

    monkeypatch.setattr(commands, "create", exchanged)
    it = Git(str(nobodys / "dest"), f"file://{nobodys}/upstream")
    with pytest.raises(ResourceError):
        it.apply(it.check())
    assert os.listdir(private) == []
    assert not (nobodys / "dest").exists()
