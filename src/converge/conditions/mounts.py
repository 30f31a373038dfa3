"""Conditions on mounts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from converge.core.condition import Condition
from converge.core.trigger import MountsChanged, Trigger


@dataclass(frozen=True, slots=True)
class MountPoint(Condition):
    """Something is mounted at a path, and no other mount hides it."""

    platforms = ("linux",)

    path: str

    def met(self) -> bool:
        from converge.host.mountinfo import read_table

        return read_table().at(self.path) is not None

    def triggers(self) -> Sequence[Trigger]:
        return [MountsChanged(self.path)]

    def __str__(self) -> str:
        return f"mount_point({self.path})"


def mount_point(path: str | os.PathLike[str]) -> Condition:
    """Holds while something is mounted at this absolute path, which must be free of symbolic links."""
    text = os.fspath(path)
    if not os.path.isabs(text):
        raise ValueError(f"mount_point: {text!r} must be an absolute path")
    return MountPoint("/" + os.path.normpath(text).lstrip("/"))
