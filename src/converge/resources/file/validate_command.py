"""Asking a program whether a new file is sound, before it goes live."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from converge.core.errors import NotYet, ResourceError
from converge.host import process
from converge.host.fs.atomic import write_all
from converge.host.fs.content import READ, Content, Large, pieces
from converge.host.fs.errors import explain, shown
from converge.host.fs.trust import Place
from converge.host.state_dirs import ensure_dir, runtime_dir, state_dir

if TYPE_CHECKING:
    from converge.resources.file.file import File

_LONGEST = 300.0
_MOST_OUTPUT = 2000


def command_words(command: str | Sequence[str]) -> list[str]:
    """The command as the words that are run; no shell takes part. Raises ValueError for unbalanced quotes."""
    return shlex.split(command) if isinstance(command, str) else list(command)


def takes_path(file: File) -> bool:
    """Whether its command is given the new file as ``%s``; otherwise it reads the whole configuration by itself."""
    return any("%s" in word for word in command_words(file.validate or ()))


def refuse_exposed(file: File, place: Place) -> None:
    """Raise where others could exchange the configuration while the command reads it."""
    if place.exposed:
        raise ResourceError(
            f"{shown(file.at)}: others may write to its directory or to one above it, and could exchange the "
            "configuration while validate reads it; give the command the new file's path as %s"
        )


@contextmanager
def validated(file: File, content: Content) -> Iterator[Content]:
    """The content, once it has been found sound in a folder that only we can write: the very bytes that go live.

    In a directory that others may write, they could exchange the new file while the command looks at it.
    """
    base = runtime_dir() if isinstance(content, bytes) else state_dir()  # the former is in memory
    folder = tempfile.mkdtemp(prefix="validate-", dir=ensure_dir(base))
    place = os.path.join(folder, file.name())
    try:
        try:
            _write(place, content)
        except OSError as error:
            raise ResourceError(f"{shown(file.at)} cannot be written for validate: {explain(error, folder)}") from error
        validate(file, place)
        yield content if isinstance(content, bytes) else Large(content.size, lambda: os.open(place, READ))
    finally:
        shutil.rmtree(folder)


def _write(place: str, content: Content) -> None:
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        for piece in pieces(content):
            write_all(handle, piece)
    finally:
        os.close(handle)


def validate(file: File, place: str = "", what: str = "the new content") -> None:
    """Run the file's validate command, with ``place`` for ``%s``. Raises ResourceError unless it exits with 0."""
    words = [word.replace("%s", place) for word in command_words(file.validate or ())]
    limit = file.seconds() or _LONGEST
    try:
        result = process.run(words, cwd="/", timeout=limit)
    except (NotYet, ResourceError, OSError) as error:
        why = explain(error, words[0]) if isinstance(error, OSError) else error
        raise ResourceError(f"the validate command {shown(words[0])} cannot be run: {why}") from error
    if result.returncode == 0 and not result.timed_out:
        return
    how = f"did not end within {limit:g} s" if result.timed_out else f"failed with {_ending(result)}"
    message = f"{shown(file.at)}: {shown(words[0])} {how} on {what}, so nothing was changed"
    said = "" if file.sensitive else _tail(result.output)
    if place:
        said = said.replace(place, file.at)
    raise ResourceError(f"{message}: {said}" if said else message)


def _ending(result: process.Result) -> str:
    return f"exit code {result.returncode}" if result.returncode >= 0 else result.ending()


def _tail(output: str) -> str:
    text = output.strip()
    return f"… {text[-_MOST_OUTPUT:]}" if len(text) > _MOST_OUTPUT else text
