"""The common check, a small file that is as declared, at little more than the price of its system calls."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from converge.resources.base import ResourceError
from converge.resources.file.acl import ACCESS
from converge.resources.file.content import READ

if TYPE_CHECKING:
    from converge.resources.file.batch import Batch
    from converge.resources.file.regular import File


def plainly_right(files: Sequence[File], batch: Batch) -> Iterator[bool]:
    """Tell for each file whether it is right beyond doubt. False only means that a closer look is due."""
    look, opened, close, read, names, regular = os.stat, os.open, os.close, os.read, batch.names, stat.S_IFREG
    attributes = getattr(os, "listxattr", None)
    known, folder = None, -1
    for file in files:
        content, path, mode, owner, group = file.content, file.at, file.mode, file.owner, file.group
        if content is None or file.append or file.state != "present" or file.acl:
            yield False
            continue
        right = False
        try:
            directory, _, name = path.rpartition("/")
            if directory != known:
                folder = batch.directories.open(directory)
                known = directory
            data = content if type(content) is bytes else content.encode("utf-8", "surrogateescape")  # type: ignore[union-attr]  # bytes are left as they are
            status = look(name, dir_fd=folder, follow_symlinks=False)
            # Looked at first, since opening a FIFO or a device to read from it may have effects.
            if (
                (status.st_mode == regular | mode if mode is not None else stat.S_ISREG(status.st_mode))
                and status.st_size == len(data)
                and (owner is None or status.st_uid == names.uid(owner, path))
                and (group is None or status.st_gid == names.gid(group, path))
            ):
                handle = opened(name, READ, dir_fd=folder)
                try:
                    right = read(handle, len(data) + 1) == data and (
                        # Listing names costs less than asking for a list that is not there.
                        mode is None
                        or attributes is None
                        or status.st_dev in batch.without_lists
                        or ACCESS not in attributes(handle)
                    )
                finally:
                    close(handle)
        except FileNotFoundError:
            batch.missing = path if known == directory else ""
        except (OSError, ValueError, ResourceError):
            known = None  # the closer look meets the same error, and words it
        yield right
