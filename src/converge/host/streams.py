"""Standard streams whose reader has gone."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from typing import TextIO


def silence(stream: TextIO) -> None:
    """Let what is written to it from now on go nowhere, and what waits to be written as well."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            os.dup2(null, stream.fileno(), inheritable=True)
        finally:
            os.close(null)
        stream.flush()


def silence_if_lost(stream: TextIO) -> None:
    """The same where its reader, or its terminal, is gone: a blueprint that prints would fail by that."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError, ValueError):
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
            silence(stream)
