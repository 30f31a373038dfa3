"""Whole small files of the system, such as ``/etc/fstab``: read, and replaced in one step."""

from __future__ import annotations

import errno
import os
import stat

from converge.resources.base import ResourceError


def read_text(path: str) -> str | None:
    """What is in the file, with bytes that are no text escaped; None where it does not exist."""
    from converge.resources.file.traverse import read_safely

    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    try:
        with open(read_safely(path), encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def replace_text(path: str, text: str, mode: int = 0o644) -> None:
    """Put a new file in its place: whole and durable, with owner, mode and attributes of the old one.

    ``mode`` is for a file that is new. Nothing is done where something else than a file is there.
    """
    from converge.resources.file.place import look, type_name
    from converge.resources.file.replacement import Replacement
    from converge.resources.file.traverse import Directories, sync_directory

    folder, _, name = path.rpartition("/")
    with Directories() as directories:
        handle = directories.open(folder)
        old = look(handle, name)
        if old is not None and not stat.S_ISREG(old.st_mode):
            raise ResourceError(f"{path} is a {type_name(old.st_mode)}, which is not replaced by a file")
        new = Replacement(handle, name)
        try:
            new.write(text.encode("utf-8", "surrogateescape"))
            new.dress(old, None, None, mode if old is None else None)
            new.sync()
            new.publish()
            sync_directory(handle)
        finally:
            new.discard()
