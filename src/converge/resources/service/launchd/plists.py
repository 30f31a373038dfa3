"""The property lists of daemons."""

from __future__ import annotations

import os
import stat
from typing import Any, Final, NamedTuple

from converge.core.errors import ResourceError
from converge.resources.service.launchd import places

_AGENTS: Final = ("/Library/LaunchAgents", "/System/Library/LaunchAgents")
_labels: Final[dict[str, tuple[tuple[int, int], str]]] = {}
"""By path: the label in it, and when and how large the file was."""


class Described(NamedTuple):
    """What a property list says of a daemon."""

    path: str
    disabled: bool
    """Unless it was enabled."""
    at_load: bool
    """It is started as soon as it is loaded."""
    settles: bool
    """Once it ended well it is not started again."""


def find(label: str) -> Described | None:
    """The daemon's property list; None where there is none. Raises ResourceError for one that cannot be read."""
    for folder in places.FOLDERS:
        path = f"{folder}/{label}.plist"
        if os.path.lexists(path) and _label(path) == label:
            return read(path)
    for folder in places.FOLDERS:  # Apple's are not all called as their labels are
        for path in _lists(folder):
            if _label(path) == label:
                return read(path)
    return None


def is_agent(label: str) -> bool:
    """Whether there is an agent of this label, which belongs to who logs in."""
    return any(os.path.lexists(f"{folder}/{label}.plist") for folder in _AGENTS)


def read(path: str) -> Described:
    """What the list says. Raises ResourceError where it cannot be read."""
    settings = _parsed(path)
    alive = settings.get("KeepAlive", False)
    conditions = alive if isinstance(alive, dict) else {}
    keeps = alive is True or conditions.get("SuccessfulExit") is not None or "Crashed" in conditions
    at_load = settings.get("RunAtLoad") is True or keeps
    settles = not keeps or conditions.get("SuccessfulExit") is False or "Crashed" in conditions
    return Described(path, settings.get("Disabled") is True, at_load, settles)


def why_refused(path: str) -> str | None:
    """Why launchd does not load a property list, as far as can be told from the file; None where it cannot."""
    found = os.stat(path)
    if found.st_uid != 0:
        return f"{path} does not belong to root"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{path} can be written by others than root"
    return None


def _lists(folder: str) -> list[str]:
    try:
        return sorted(f"{folder}/{name}" for name in os.listdir(folder) if name.endswith(".plist"))
    except FileNotFoundError:
        return []


def _label(path: str) -> str:
    """The label in the list; empty where it has none, or cannot be read."""
    try:
        found = os.stat(path)
        version = found.st_mtime_ns, found.st_size
        known = _labels.get(path)
        if known is None or known[0] != version:
            known = _labels[path] = version, str(_parsed(path).get("Label", ""))
    except (OSError, ResourceError):
        return ""
    return known[1]


def _parsed(path: str) -> dict[str, Any]:  # Any: whatever the list holds
    from converge.resources.plist.live import read as read_list

    return read_list(path).settings
