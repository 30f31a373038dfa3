"""Which files of a checkout were changed. git calls some changed that are as it writes them itself.

git compares what it would commit. Where attributes turn line ends or keywords into something else than what was
committed once (CRLF below ``*.txt text``, an ``$Id$`` that was expanded, files that should be LFS pointers), that
differs from the first moment, and writing the file once more changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from converge.host import process
from converge.resources.git.program import output_of, run

if TYPE_CHECKING:
    from converge.resources.git import Git

_LIMIT: Final = 1 << 24
_MOST: Final = 1000
"""Files that are looked at more closely; where git calls more changed, it is believed."""
_CONTENT: Final = re.compile(
    r"1 \.M N\.\.\. 10[0-7]{4} (?P<index>10[0-7]{4}) (?P<now>10[0-7]{4}) [0-9a-f]+ (?P<blob>[0-9a-f]+) (?P<path>.+)",
    re.DOTALL,
)
"""A regular file that is as in the index but for its content; see git-status(1), porcelain format version 2."""
_ENTRY: Final = re.compile(r"(?:1(?: \S+){7}|2(?: \S+){8}|u(?: \S+){9}) (?P<path>.+)", re.DOTALL)


class Changes(NamedTuple):
    """The files that git calls changed, by their paths in the checkout."""

    real: Sequence[str]
    alike: Sequence[str]
    """Those that hold what was committed, byte by byte, or what git makes of that."""


def changes(it: Git, path: str) -> Changes:
    """Compare the files that belong to the commit."""
    entries = output_of(it, path, "status", "--porcelain=v2", "-z", "--untracked-files=no", limit=_LIMIT).split("\0")
    found = [match["path"] for entry in entries if (match := _ENTRY.fullmatch(entry))]
    blobs = {
        match["path"]: match["blob"]
        for entry in entries
        if (match := _CONTENT.fullmatch(entry)) and match["index"] == match["now"] and _can_be_listed(match["path"])
    }
    alike = _alike(it, path, blobs) if 0 < len(blobs) <= _MOST else frozenset()
    return Changes([each for each in found if each not in alike], [each for each in found if each in alike])


@contextlib.contextmanager
def out_of_the_way(it: Git, path: str, commit: str) -> Iterator[None]:
    """While another commit is checked out, files of it that only seem changed are gone, and so do not forbid it."""
    alike = changes(it, path).alike
    if alike:
        words = ("diff", "--name-only", "--no-renames", "-z", "HEAD", commit)
        others = set(output_of(it, path, *words, limit=_LIMIT).split("\0"))
        alike = [each for each in alike if each in others]
    for some in _batches(alike):
        process.run(["rm", "-f", "--", *(f"{path}/{each}" for each in some)], cwd="/", user=it.runs_as())
    try:
        yield
    except BaseException:
        _written(it, path, alike)
        raise


def _can_be_listed(path: str) -> bool:
    """Whether git can read it in a list of lines."""
    return "\n" not in path and not path.startswith('"')


def _alike(it: Git, path: str, blobs: Mapping[str, str]) -> frozenset[str]:
    hashes = _hashes(it, path, list(blobs))
    same = {each for each, digest in hashes.items() if digest == blobs[each]}
    others = [each for each in hashes if each not in same]
    if not others:
        return frozenset(same)
    with _folder(it) as folder:
        _written(it, path, others, f"--prefix={folder}/")
        fresh = _hashes(it, path, [f"{folder}/{each}" for each in others if os.path.lexists(f"{folder}/{each}")])
    return frozenset(same | {each for each in others if fresh.get(f"{folder}/{each}") == hashes[each]})


def _hashes(it: Git, path: str, files: Sequence[str]) -> dict[str, str]:
    """The names that git gives to what is in these files, as it is; nothing where one cannot be read."""
    words = ("hash-object", "--no-filters", "--stdin-paths")
    result = run(it, path, *words, stdin=_listed(files, "\n"), limit=_LIMIT, errors=False)
    lines = result.output.splitlines()
    return dict(zip(files, lines, strict=True)) if result.returncode == 0 and len(lines) == len(files) else {}


def _written(it: Git, path: str, files: Sequence[str], *options: str) -> None:
    """Let git write files as it does at a checkout."""
    if files:
        run(it, path, "checkout-index", "--quiet", *options, "-z", "--stdin", stdin=_listed(files, "\0"))


def _listed(files: Sequence[str], end: str) -> bytes:
    return "".join(each + end for each in files).encode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _folder(it: Git) -> Iterator[str]:
    """An empty directory of the user that git runs as, in one that only converge can change."""
    with tempfile.TemporaryDirectory() as outer:
        inner = os.path.join(outer, "files")
        os.mkdir(inner, 0o700)
        user = it.runs_as()
        if user is not None:
            account = process.find_user(user)
            os.chown(inner, account.pw_uid, account.pw_gid)
            os.chmod(outer, 0o711)  # noqa: S103 - to get to the inner one
        yield inner


def _batches(files: Sequence[str]) -> Iterator[Sequence[str]]:
    return (files[at : at + 100] for at in range(0, len(files), 100))
