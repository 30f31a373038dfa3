"""Starts threads where the system may refuse: process limits (``pids.max``, ``ulimit -u``) count threads too."""

from __future__ import annotations

import threading
from collections.abc import Callable


def start_thread(target: Callable[[], object], name: str) -> threading.Thread | None:
    """Start a thread that does not hold up our end; None where the system has none left now."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except (RuntimeError, MemoryError):  # "can't start new thread"; no memory for its stack
        return None
    return thread
