"""What tests of a daemon that guards a machine have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(what: Callable[[], Any], said: str, deadline: float = 30.0) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, f"not in time: {said}"
        time.sleep(0.005)
    return time.monotonic() - began


def holds(machine: Any, condition: str) -> bool:
    return bool(machine.run("sh", "-c", condition, check=False).returncode == 0)


def journal(machine: Any) -> str:
    text: str = machine.run("journalctl", "-u", "guard", "--no-pager", "-o", "cat", check=False).stdout
    return text


def settled(machine: Any) -> None:
    """Whatever one tampering has set off is over, so that the next one's time is its own."""
    before = ""
    while (now := journal(machine)) != before:
        before = now
        time.sleep(0.6)  # a window of coalescing, and a little
