"""Messages for errors of the operating system: path, operation, reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


@contextmanager
def doing(what: str, path: str | os.PathLike[str]) -> Iterator[None]:
    """Let an OSError from in here say what was being done, and to which path; one from a descriptor knows none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = os.fspath(path)
        if what and not getattr(error, "__notes__", ()):
            error.add_note(what)
        raise


def telling() -> AbstractContextManager[None]:
    """The same for what we say on standard output."""
    return doing("", "standard output")


def describe_os_error(error: OSError) -> str:
    """One sentence, such as ``/run/x: No space left on device (writing the lock)``."""
    text = error.strerror or str(error) or type(error).__name__
    notes = getattr(error, "__notes__", ())
    if notes:
        text += f" ({notes[0]})"
    if error.filename is None or isinstance(error.filename, int):
        return text
    place = os.fsdecode(error.filename)
    if error.filename2 is not None and not isinstance(error.filename2, int):
        place += f" -> {os.fsdecode(error.filename2)}"
    return f"{place}: {text}"
