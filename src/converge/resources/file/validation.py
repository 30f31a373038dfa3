"""Asking a program whether a new file is sound, before it goes live."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from converge.resources.base import ResourceError
from converge.resources.file.errors import shown

if TYPE_CHECKING:
    from converge.resources.file.regular import File

_LONGEST = 300.0
_MOST_OUTPUT = 2000


def command_words(command: str | Sequence[str]) -> list[str]:
    """The command as the words that are run; no shell takes part. Raises ValueError for unbalanced quotes."""
    return shlex.split(command) if isinstance(command, str) else list(command)


def validate(file: File, temporary: str) -> None:
    """Run the file's validate command on the temporary file. Raises ResourceError unless it says 0."""
    place = os.path.join(file.folder(), temporary)
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
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
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
