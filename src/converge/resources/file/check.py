"""What differs between a file as it is and as it is declared."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import Permanent, ResourceError
from converge.host.fs.acl import ACCESS
from converge.host.fs.batch import Batch
from converge.host.fs.content import READ, Content, current, same
from converge.host.fs.errors import shown
from converge.host.fs.metadata import show_mode
from converge.host.fs.owners import me, owner_name
from converge.host.fs.place import find_folder, look, refuse, type_name
from converge.resources.file.foreign import is_hidden, refuse_foreign, refuse_foreign_links
from converge.resources.file.ownership import (
    declared_lists,
    foretold_lists,
    foretold_ownership,
    metadata_changes,
    owner_ids,
    wanted_metadata,
)
from converge.resources.file.show import HIDDEN, content_diff, show_content
from converge.resources.file.source import desired

if TYPE_CHECKING:
    from converge.host.fs.batch import Batch
    from converge.resources.file.file import File


def compare(file: File, batch: Batch) -> Changes:
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


def unknown(file: File) -> Changes:
    """What to report where we may not look."""
    to = "absent" if file.state == "absent" else None
    if to is None and file.is_whole():
        to = _show(file, desired(file, None))
    return (Change("content", f"unknown (not readable by {me()})", to, "unknown"),)


def removal(file: File, status: os.stat_result | None) -> Changes:
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


def creation(file: File) -> Changes:
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


def _replaced_link(file: File, folder: int, name: str, batch: Batch) -> Changes:
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


def surely_in_sync(files: Sequence[File], batch: Batch) -> Iterator[bool]:
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
