"""Recognises temporary exhaustion of threads, processes, descriptors or memory."""

from __future__ import annotations

import errno
from typing import Final

_NONE_LEFT: Final = {
    errno.EAGAIN: "processes",
    errno.ENOMEM: "memory",
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
}
_NO_THREAD: Final = "can't start new thread"


def none_left(error: BaseException | None) -> str | None:
    """What there was none left of, where that is why, or the cause of why, something could not be done."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NONE_LEFT:
            return _NONE_LEFT[error.errno]
        if isinstance(error, MemoryError):
            return "memory"
        if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
            return "threads"
        error = error.__cause__
    return None
