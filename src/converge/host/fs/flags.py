"""Flags of open(2), defined on every platform."""

from __future__ import annotations

import os


def open_flags(*names: str) -> int:
    """All of these together, without those that this platform lacks (Windows has few, macOS no ``O_PATH``).

    Nothing that relies on one of them is offered on a platform that lacks it.
    """
    flags = 0
    for name in names:
        flags |= getattr(os, name, 0)
    return flags
