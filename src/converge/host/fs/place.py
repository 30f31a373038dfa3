"""A directory entry: its parent directory, and what has its name now."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NoReturn

from converge.core.errors import NotYet, Refusal
from converge.host.fs.batch import Batch
from converge.host.fs.dirfd import sync_directory
from converge.host.fs.errors import shown

if TYPE_CHECKING:
    from converge.resources.file.entry import Entry


def find_folder(entry: Entry, batch: Batch) -> int | None:
    """The directory it is in; None where that is missing but nothing is wrong with that."""
    try:
        return batch.directories.open(entry.folder())
    except FileNotFoundError as error:
        if entry.parents or entry.state == "absent":
            return None
        raise no_folder(entry) from error


def need_folder(entry: Entry, batch: Batch) -> int:
    """The directory it is in, made where that is asked for."""
    if entry.parents:
        return batch.directories.make(entry.folder())
    try:
        return batch.directories.open(entry.folder())
    except FileNotFoundError as error:
        raise no_folder(entry) from error


def no_folder(entry: Entry) -> NotYet:
    """There is no directory to put it into."""
    folder = shown(entry.folder())
    return NotYet(
        f'{shown(entry.at)}: the directory {folder} does not exist; declare it with r.directory("{folder}"), '
        "or set parents=True, or name the package that brings it in depends_on=",
        f"file:{entry.folder()}",
    )


def look(folder: int, name: str) -> os.stat_result | None:
    """What the name stands for, itself and not where it may lead; None where there is nothing."""
    try:
        return os.stat(name or ".", dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def type_name(mode: int) -> str:
    """``directory``, ``FIFO``, … for a message."""
    kinds = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "directory",
        stat.S_IFLNK: "symbolic link",
        stat.S_IFIFO: "FIFO",
        stat.S_IFSOCK: "socket",
        stat.S_IFCHR: "character device",
        stat.S_IFBLK: "block device",
    }
    return kinds.get(stat.S_IFMT(mode), "special file")


def is_link(status: os.stat_result) -> bool:
    """Whether it is a symbolic link."""
    return stat.S_ISLNK(status.st_mode)


def refuse(entry: Entry, status: os.stat_result, advice: str) -> NoReturn:
    """Something else is in its place that must not be replaced."""
    raise Refusal(f"{shown(entry.at)} is a {type_name(status.st_mode)}; {advice}")


def remove(folder: int, name: str) -> None:
    """Take a name that is no directory away, durably."""
    os.unlink(name, dir_fd=folder)
    sync_directory(folder)
