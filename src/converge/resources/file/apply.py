"""Putting files right: several at once where they are in one directory."""

from __future__ import annotations

import os
import stat
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from converge.core.change import Changes
from converge.core.errors import ResourceError
from converge.host.fs.atomic import NEW_MODE, Replacement, leftovers
from converge.host.fs.batch import Batch
from converge.host.fs.content import Content, current
from converge.host.fs.dirfd import Directories, sync_directory
from converge.host.fs.errors import explain, shown
from converge.host.fs.flags import open_flags
from converge.host.fs.metadata import settle
from converge.host.fs.place import find_folder, is_link, look, need_folder, remove
from converge.host.fs.trust import Place
from converge.resources.file.check import refuse_kept_link, refuse_other_types, removal
from converge.resources.file.entry import refuse_unknown
from converge.resources.file.foreign import refuse_foreign, refuse_foreign_links
from converge.resources.file.ownership import declared_lists, owner_ids, wanted_metadata
from converge.resources.file.source import desired
from converge.resources.file.validate_command import refuse_exposed, takes_path, validate, validated

if TYPE_CHECKING:
    from converge.resources.file.file import File

_TOGETHER = 64  # each holds a descriptor, on every thread
_turns = threading.Lock()
_LONGEST_TURN = 0.05
"""Seconds that others wait for; a dead network mount may hold one up for ever."""
_PLACE = open_flags("O_PATH", "O_NOFOLLOW", "O_CLOEXEC")
_METADATA = {"mode", "acl", "owner", "group"}


def rewrite(work: Sequence[tuple[File, Changes]], batch: Batch) -> Iterator[Exception | None]:
    """Put each file right. Gives one result for each, once it is durable."""
    for _, same_folder in groupby(work, key=lambda item: item[0].folder()):
        items = list(same_folder)
        for at in range(0, len(items), _TOGETHER):
            yield from _Chunk(items[at : at + _TOGETHER], batch).run()


@contextmanager
def _turn() -> Iterator[None]:
    """One thread at a time, unless that one takes long, makes the many short system calls before and after the sync.

    Side by side they would only wait for the interpreter, which they give up at each call; waiting for the disk is
    what many threads are good for.
    """
    mine = _turns.acquire(timeout=_LONGEST_TURN)
    try:
        yield
    finally:
        if mine:
            _turns.release()


class _Chunk:
    """A few files of one directory. Each step is done for all of them before the next, which spares the disk work."""

    def __init__(self, items: Sequence[tuple[File, Changes]], batch: Batch) -> None:
        self.items = items
        self.batch = batch
        self.results: list[Exception | None] = [None] * len(items)
        self.staged: dict[int, Replacement] = {}

    def run(self) -> Sequence[Exception | None]:
        """The results, in order."""
        try:
            with _turn():
                self._each(range(len(self.items)), self._stage)
            self._each(self.staged, self._sync)
            self._each([index for index in self.staged if _is_tested_whole(self.items[index][0])], self._publish_tested)
            with _turn():
                self._each(self.staged, self._publish)
            self._sync_folder()
        finally:
            for index in self.staged:
                self._attempt(index, self._discard)
        return self.results

    def _each(self, indices: Iterable[int], step: Callable[[int], None]) -> None:
        """Do one step for all that have not failed yet. What one that fails has used up is free for the next."""
        for index in indices:
            if self.results[index] is None:
                self._attempt(index, step)
                if self.results[index] is not None and index in self.staged:
                    self._attempt(index, self._discard)

    def _attempt(self, index: int, step: Callable[[int], None]) -> None:
        """Do it, and let what goes wrong be this file's result, unless it has one."""
        try:
            step(index)
        except OSError as error:
            self.results[index] = self.results[index] or explain(error, self.items[index][0].at)
        except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
            self.results[index] = self.results[index] or error

    def _sync(self, index: int) -> None:
        self.staged[index].sync()

    def _publish(self, index: int) -> None:
        if not self.staged[index].published:
            self.staged[index].publish()

    def _publish_tested(self, index: int) -> None:
        from converge.resources.file.whole import publish_tested

        publish_tested(self.items[index][0], self.staged[index])

    def _discard(self, index: int) -> None:
        self.staged[index].discard()

    def _sync_folder(self) -> None:
        published = [index for index, one in self.staged.items() if one.published]
        if not published:
            return
        try:
            sync_directory(self.staged[published[0]].folder)
        except OSError as error:
            for index in published:
                self.results[index] = explain(error, self.items[index][0].folder())

    def _stage(self, index: int) -> None:
        """Do what can be done at once, or prepare the file that is to take the old one's place."""
        file, state = self.items[index]
        refuse_unknown(file, state)
        if file.state == "absent":
            _remove(file, self.batch)
            return
        folder = need_folder(file, self.batch)
        old = look(folder, file.name())
        metadata = all(change.property in _METADATA for change in state)
        if old is not None and metadata and not _must_be_new(file, old, self.batch):
            _set_metadata(file, folder, self.batch)
            return
        self.staged[index] = replacement = Replacement(folder, file.name(), _mode_at_first(file, old))
        _fill(file, replacement, old, self.batch)


def _is_tested_whole(file: File) -> bool:
    return file.validate is not None and not takes_path(file)


def _mode_at_first(file: File, old: os.stat_result | None) -> int:
    """The mode to create the file with: its own, where that is all there is to say, else one that is nobody else's."""
    if old is not None or file.owner is not None or file.group is not None:
        return 0o600
    return NEW_MODE if file.mode is None else file.mode & 0o777


def _remove(file: File, batch: Batch) -> None:
    folder = find_folder(file, batch)
    if folder is None or not removal(file, look(folder, file.name())):
        return
    if file.backup:
        _keep(file, folder)
    remove(folder, file.name())


def _must_be_new(file: File, old: os.stat_result, batch: Batch) -> bool:
    """Whether to replace a file that only has the wrong owner or mode, though its content is right.

    The former owner may still have it open for writing, and another file may have its name since it was looked at.
    """
    return file.is_whole() and batch.directories.place(file.folder()).exposed and not is_link(old)


def _fill(file: File, replacement: Replacement, old: os.stat_result | None, batch: Batch) -> None:
    """Make the new file complete. Nothing of it is to be seen yet under its name."""
    folder, name = replacement.folder, replacement.name
    content: Content | None = None
    if old is not None and is_link(old):
        refuse_kept_link(file, os.readlink(name, dir_fd=folder))
    elif old is not None:
        refuse_other_types(file, old)
        if not file.is_whole():
            content, old = current(folder, name)
            refuse_other_types(file, old)
    kept = old if old is not None and not is_link(old) else None
    new = desired(file, content, batch.sources)
    place = batch.directories.place(file.folder())
    given = file.validate is not None and takes_path(file)
    if file.validate is not None and not given:
        refuse_exposed(file, place)
    if given and place.exposed:
        with validated(file, new) as sound:
            replacement.write(sound)
    else:
        replacement.write(new)
    if kept is None:
        _dress_new(file, replacement, place, batch)
    else:
        _dress_as(file, replacement, kept, place, batch)
    if given and not place.exposed:
        validate(file, os.path.join(file.folder(), replacement.temporary))
    if file.backup and old is not None:
        _keep(file, folder)


def _dress_new(file: File, replacement: Replacement, place: Place, batch: Batch) -> None:
    mode = NEW_MODE if file.mode is None else file.mode
    kind = (file.folder(), mode)
    plain = file.owner is None and file.group is None and not file.acl
    if plain and kind in batch.made_as_wanted:
        return
    entries = declared_lists(file, batch)[0]
    if entries is None and place.exposed:
        entries = ()  # what the directory's default list would add
    right = replacement.dress(None, *owner_ids(file, batch), file.mode, entries)
    if right and plain and not place.exposed:
        batch.made_as_wanted.add(kind)


def _dress_as(file: File, replacement: Replacement, old: os.stat_result, place: Place, batch: Batch) -> None:
    wanted = wanted_metadata(file, old, place, batch, anew=True)
    if not file.is_whole():
        refuse_foreign_links(file, old, place)
        refuse_foreign(file, old, place, wanted, edited=True)
    anew = file.mode is not None or wanted.mode != stat.S_IMODE(old.st_mode)
    replacement.dress(old, wanted.uid, wanted.gid, wanted.mode if anew else None, wanted.access)


def _keep(file: File, folder: int) -> None:
    from converge.resources.file.backup import keep

    keep(file.at, folder, file.name())


def _set_metadata(file: File, folder: int, batch: Batch) -> None:
    """Change owner, group and mode of the very file that was looked at, whatever has its name by now."""
    place = batch.directories.place(file.folder())
    handle = os.open(file.name(), _PLACE, dir_fd=folder)
    try:
        status = os.fstat(handle)
        refuse_other_types(file, status)
        if status.st_nlink > 1 and place.exposed:
            raise ResourceError(f"{shown(file.at)} was given another hard link in the meantime")
        wanted = wanted_metadata(file, status, place, batch)
        refuse_foreign(file, status, place, wanted)
        settle(handle, status, wanted)
    finally:
        os.close(handle)


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
