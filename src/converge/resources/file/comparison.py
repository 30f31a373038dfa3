"""What differs between a file as it is and as it is declared."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from converge.resources.base import IN_SYNC, Change, Permanent, State
from converge.resources.file.batch import Batch
from converge.resources.file.content import Content, current, desired, same
from converge.resources.file.errors import shown
from converge.resources.file.foreign import is_hidden, refuse_foreign, refuse_foreign_links
from converge.resources.file.names import me, owner_name
from converge.resources.file.ownership import (
    declared_lists,
    foretold_lists,
    foretold_ownership,
    metadata_changes,
    owner_ids,
    wanted_metadata,
)
from converge.resources.file.place import find_folder, look, refuse, type_name
from converge.resources.file.show import HIDDEN, content_diff, show_content, show_mode

if TYPE_CHECKING:
    from converge.resources.file.regular import File


def compare(file: File, batch: Batch) -> State:
    """All that differs."""
    folder = find_folder(file, batch)
    name = file.name()
    status = None if folder is None or batch.missing == file.at else look(folder, name)
    if file.state == "absent":
        return removal(file, status)
    if folder is None or status is None:
        owner_ids(file, batch), declared_lists(file, batch)  # who they name must exist by the time it is made
        return creation(file)
    if stat.S_ISLNK(status.st_mode):
        return _replaced_link(file, folder, name, batch)
    refuse_other_types(file, status)
    place = batch.directories.place(file.folder())
    content = [] if _leaves_content(file) else _content_changes(file, folder, name, status, batch)
    wanted = wanted_metadata(file, status, place, batch, anew=bool(content))
    changes = [*content, *metadata_changes(file, folder, status, wanted, batch)]
    if changes and not file.is_whole():
        refuse_foreign_links(file, status, place)
        refuse_foreign(file, status, place, wanted, edited=bool(content))
    if changes and status.st_nlink > 1 and (place.exposed or content):
        changes.append(Change("hard links", str(status.st_nlink), "1"))
    return tuple(changes)


def unknown(file: File) -> State:
    """What to report where we may not look."""
    to = "absent" if file.state == "absent" else None
    if to is None and file.is_whole():
        to = _show(file, desired(file, None))
    return (Change("content", f"unknown (not readable by {me()})", to, "unknown"),)


def removal(file: File, status: os.stat_result | None) -> State:
    """The change that takes it away."""
    if status is None:
        return IN_SYNC
    if stat.S_ISDIR(status.st_mode):
        refuse(file, status, f'to remove it, declare r.directory("{shown(file.at)}", state="absent")')
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        refuse(file, status, "converge does not remove devices")
    return (Change("state", "present", "absent", "remove"),)


def refuse_other_types(file: File, status: os.stat_result) -> None:
    """A file never takes the place of a directory, a device, a FIFO or a socket."""
    if not stat.S_ISREG(status.st_mode):
        refuse(file, status, "it is not replaced by a file; remove it or choose another path")


def refuse_kept_link(file: File, target: str) -> None:
    """Where content is only edited or left alone, a link in the file's place gives nothing to start from."""
    if not file.is_whole():
        raise Permanent(
            f"{shown(file.at)} is a symbolic link to {shown(target)}; declare that file instead, "
            "or the whole content of this one"
        )


def is_exposed(folder: int) -> bool:
    """Whether somebody else can make names in the directory, hard links to files of others among them."""
    status = os.fstat(folder)
    return status.st_uid not in (0, os.geteuid()) or bool(status.st_mode & 0o022)


def _leaves_content(file: File) -> bool:
    return not file.is_whole() and not file.edits()


def creation(file: File) -> State:
    """What making it anew comes to."""
    edits = file.edits()
    if edits and all(edit.state == "absent" for edit in edits):
        return IN_SYNC  # there is nothing in it that would have to go
    new = desired(file, None)
    diff = None if file.sensitive else content_diff(b"", new)
    mode = file.new_mode if file.mode is None else file.mode
    return (
        Change("content", None, _show(file, new), "create", diff),
        Change("mode", None, show_mode(mode), "create"),
        *foretold_lists(file),
        *foretold_ownership(file),
    )


def _replaced_link(file: File, folder: int, name: str, batch: Batch) -> State:
    target = os.readlink(name, dir_fd=folder)
    refuse_kept_link(file, target)
    owner_ids(file, batch)
    return (
        Change("type", f"{type_name(stat.S_IFLNK)} to {shown(target)}", "file"),
        *creation(file),
    )


def _content_changes(file: File, folder: int, name: str, status: os.stat_result, batch: Batch) -> list[Change]:
    try:
        old, found = current(folder, name)
        new = desired(file, old, batch.sources)
        if same(old, new):
            return []
    except PermissionError:
        return _unreadable(file, status)
    if is_hidden(file, found, batch.directories.place(file.folder()), owner_ids(file, batch)[0]):
        return [Change("content", f"(not shown: it belongs to {owner_name(found.st_uid)})", _show(file, new))]
    diff = None if file.sensitive else content_diff(old, new)
    return [Change("content", _show(file, old), _show(file, new), "update", diff)]


def _unreadable(file: File, status: os.stat_result) -> list[Change]:
    """Its owner may replace what he may not read, if he can read it afterwards."""
    if file.is_whole() and status.st_uid == os.geteuid() and file.mode is not None and file.mode & stat.S_IRUSR:
        return [Change("content", f"not readable by {me()}", _show(file, desired(file, None)))]
    return list(unknown(file))


def _show(file: File, content: Content) -> str:
    return HIDDEN if file.sensitive else show_content(content)
