"""Atomic, durable replacement of files."""

from __future__ import annotations

import errno
import itertools
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

from converge.core.errors import ResourceError
from converge.host.fs import acl
from converge.host.fs.content import Content, pieces
from converge.host.fs.descriptors import copy_attributes_of_macos
from converge.host.fs.flags import open_flags
from converge.host.fs.metadata import CARRIED

NEW_MODE = 0o644
"""Of files whose mode is not declared."""

_CREATE = open_flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC")
_MARK = ".converge-"
_NAME_MAX = 255
_ROOM = _NAME_MAX - len(_MARK) - 9
_TEMPORARY = re.compile(r"\.(.+)\.converge-[0-9a-f]{8}", re.DOTALL)

_numbers = itertools.count(int.from_bytes(os.urandom(4), "big"))
"""One for each temporary name. Where another process has the same, creating the file fails, and is tried later."""

_TIED_TO_CONTENT = {"security.capability", "security.ima", "security.evm"}
_MAY_BE_REFUSED = ("security.", "trusted.")


def temporary_name(name: str) -> str:
    """A name beside ``name`` that nobody has, and that :func:`leftovers` knows again."""
    return f".{_stem(name)}{_MARK}{next(_numbers) & 0xFFFFFFFF:08x}"


def leftovers(candidates: Iterable[str], names: Iterable[str]) -> Iterator[str]:
    """Those that were to become one of the names, and never did."""
    names = set(names)
    stems = {_stem(name) for name in names}
    for candidate in candidates:
        found = _TEMPORARY.fullmatch(candidate)
        if found is not None and found[1] in stems and candidate not in names:
            yield candidate


def looks_temporary(candidate: str) -> bool:
    """Whether it has the form of our temporary names."""
    return _TEMPORARY.fullmatch(candidate) is not None


def _stem(name: str) -> str:
    """As much of the name as leaves room for the rest; file systems count bytes."""
    if len(name) * 4 <= _ROOM:
        return name
    raw = os.fsencode(name)
    return name if len(raw) <= _ROOM else os.fsdecode(raw[:_ROOM])


class Replacement:
    """One temporary file in the directory ``folder``. Either published, or discarded."""

    __slots__ = ("folder", "handle", "name", "published", "temporary")

    def __init__(self, folder: int, name: str, mode: int = 0o600) -> None:
        self.folder = folder
        self.name = name
        self.temporary = temporary_name(name)
        self.published = False
        self.handle = os.open(self.temporary, _CREATE, mode, dir_fd=folder)

    def write(self, content: Content) -> None:
        """Put the content into it."""
        for piece in pieces(content):
            write_all(self.handle, piece)

    def dress(
        self,
        old: os.stat_result | None,
        uid: int | None,
        gid: int | None,
        mode: int | None,
        entries: Sequence[acl.Entry] | None = None,
    ) -> bool:
        """Give it attributes, owner, group, mode and access list; what is not declared is taken from the old file.

        No list is taken along where ``entries`` are given, where a mode is, or to another owner or group. Returns
        whether all was so from the beginning.
        """
        moved = old is not None and (uid not in (None, old.st_uid) or gid not in (None, old.st_gid))
        if entries is None and (mode is not None or moved):
            entries = ()
        if old is not None:
            if hasattr(os, "listxattr"):
                _copy_attributes(self.folder, self.name, self.handle, with_list=entries is None)
            else:
                copy_attributes_of_macos(self.folder, self.name, self.handle)
            uid = old.st_uid if uid is None else uid
            gid = old.st_gid if gid is None else gid
            mode = stat.S_IMODE(old.st_mode) & (~CARRIED if moved else ~0) if mode is None else mode
        listed = entries == () and acl.is_listed(self.handle)
        if listed:
            acl.write(self.handle, acl.ACCESS, ())  # inherited from the directory
        mode = NEW_MODE if mode is None else mode
        mine = os.fstat(self.handle)
        given = uid not in (None, mine.st_uid) or gid not in (None, mine.st_gid)
        if given:
            os.fchown(self.handle, -1 if uid is None else uid, -1 if gid is None else gid)
        # After the owner, since a change of owner clears the set-user-id bits; and only where it has to be: the file
        # system writes even a change to the same mode into its journal.
        right = not given and stat.S_IMODE(mine.st_mode) == mode
        if not right:
            os.fchmod(self.handle, mode)
        if entries:
            acl.write(self.handle, acl.ACCESS, entries)
        return right and not listed and not entries

    def sync(self) -> None:
        """Wait until it is on the disk."""
        os.fsync(self.handle)

    def publish(self) -> None:
        """Let it take the name, in one step."""
        os.rename(self.temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        self.published = True
        self._close()

    def discard(self) -> None:
        """Take it away again, unless that or publishing was done before."""
        if self.handle >= 0:
            self._close()
            if not self.published:
                os.unlink(self.temporary, dir_fd=self.folder)

    def _close(self) -> None:
        handle, self.handle = self.handle, -1
        os.close(handle)


def write_all(handle: int, piece: bytes) -> None:
    """Write every byte, in as many calls as the system wants."""
    written = os.write(handle, piece)
    while written < len(piece):
        written += os.write(handle, memoryview(piece)[written:])


def _copy_attributes(folder: int, name: str, handle: int, *, with_list: bool) -> None:
    """Extended attributes, the SELinux context and, where wanted, the access list of the file that is replaced."""
    old = f"/proc/self/fd/{folder}/{name}"
    names = _attributes(old)
    if acl.ACCESS not in names and acl.is_listed(handle):
        acl.write(handle, acl.ACCESS, ())  # inherited from the directory, though the old file has none
    for attribute in names:
        if attribute in _TIED_TO_CONTENT or (attribute == acl.ACCESS and not with_list):
            continue
        try:
            os.setxattr(handle, attribute, os.getxattr(old, attribute, follow_symlinks=False))
        except OSError as error:
            refused = error.errno in (errno.EPERM, errno.EACCES) and attribute.startswith(_MAY_BE_REFUSED)
            if not refused and error.errno not in (errno.ENOTSUP, errno.ENODATA):
                raise


def _attributes(place: str) -> list[str]:
    try:
        return os.listxattr(place, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise


def read_text(path: str) -> str | None:
    """What is in the file, with bytes that are no text escaped; None where it does not exist."""
    from converge.host.fs.dirfd import read_safely

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
    from converge.host.fs.dirfd import Directories, sync_directory
    from converge.host.fs.place import look, type_name

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
