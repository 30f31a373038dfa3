"""Conditions on files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from converge.core.condition import Condition
from converge.core.trigger import PathChanged, Trigger


@dataclass(frozen=True, slots=True)
class FileExists(Condition):
    """Something exists at a path; a link counts where its target exists."""

    path: str

    def met(self) -> bool:
        return os.path.exists(self.path)

    def triggers(self) -> Sequence[Trigger]:
        return [PathChanged(self.path)]

    def __str__(self) -> str:
        return f"file_exists({self.path})"


def file_exists(path: str | os.PathLike[str]) -> Condition:
    """Holds while something exists at this absolute path."""
    text = os.fspath(path)
    if not os.path.isabs(text):
        raise ValueError(f"file_exists: {text!r} must be an absolute path")
    return FileExists(os.path.normpath(text))
