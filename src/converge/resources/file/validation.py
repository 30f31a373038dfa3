"""Asking a program whether a new file is sound, before it goes live."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from converge.paths import ensure_dir, runtime_dir, state_dir
from converge.process.variables import environment
from converge.resources.base import ResourceError
from converge.resources.file.content import READ, Content, Large, pieces
from converge.resources.file.errors import explain, shown
from converge.resources.file.replacement import write_all

if TYPE_CHECKING:
    from converge.resources.file.regular import File

_LONGEST = 300.0
_MOST_OUTPUT = 2000


def command_words(command: str | Sequence[str]) -> list[str]:
    """The command as the words that are run; no shell takes part. Raises ValueError for unbalanced quotes."""
    return shlex.split(command) if isinstance(command, str) else list(command)


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


def validate(file: File, place: str) -> None:
    """Run the file's validate command on the new file at ``place``. Raises ResourceError unless it says 0."""
    words = [word.replace("%s", place) for word in command_words(file.validate or ())]
    limit = file.seconds() or _LONGEST
    with tempfile.TemporaryFile() as output:
        code = _run(words, output.fileno(), limit)
        if code == 0:
            return
        said = "" if file.sensitive else _tail(output.fileno()).replace(place, file.at)
    how = f"did not end within {limit:g} s" if code is None else f"failed with exit code {code}"
    message = f"{shown(file.at)}: {shown(words[0])} {how} on the new content, so nothing was changed"
    raise ResourceError(f"{message}: {said}" if said else message)


def _run(words: list[str], output: int, limit: float) -> int | None:
    """The exit code; None where it had to be ended."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment(None),
            start_new_session=True,
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ResourceError(f"the validate command {shown(words[0])} cannot be run: {reason}") from error
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _tail(output: int) -> str:
    size = os.fstat(output).st_size
    text = os.pread(output, _MOST_OUTPUT, max(0, size - _MOST_OUTPUT)).decode("utf-8", "replace").strip()
    return f"… {text}" if size > _MOST_OUTPUT else text
