"""Taking away what an interrupted run left behind."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable

from converge.resources.base import ResourceError
from converge.resources.file.replacement import leftovers
from converge.resources.file.traverse import Directories


def tidy(paths: Iterable[str]) -> None:
    """Remove our temporary files that were to become one of these paths."""
    folders: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders[folder].add(name)
    with Directories() as directories:
        for folder, names in folders.items():
            try:
                _tidy_folder(directories.open(folder), names)
            except (OSError, ResourceError):
                continue  # nothing of ours can be there; where it matters, the check reports it


def _tidy_folder(folder: int, names: set[str]) -> None:
    handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        for leftover in leftovers(os.listdir(handle), names):
            status = os.stat(leftover, dir_fd=handle, follow_symlinks=False)
            # Root may have given it to its owner already, and takes away no more than the name.
            if os.geteuid() in (0, status.st_uid) and (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
                os.unlink(leftover, dir_fd=handle)
    finally:
        os.close(handle)
