"""Unpacking: nothing of an archive gets outside of the directory that it is unpacked into, whatever it says.

Python's own safe way to unpack tars came with 3.11.4, and stable distributions have older ones; so it is done here.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from typing import IO

from converge.core.errors import ResourceError
from converge.host.fs.flags import open_flags
from converge.resources.archive.zipnames import zip_name

_FILE = open_flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC")
_PIECE = 1 << 20
_VOLUME_LABEL = b"V"
_FURTHEST = 2**62
"""Seconds from 1970 that the system takes as a time; a file system brings them into its own range."""

# ValueError: names and numbers that are none. RuntimeError: a password, or a method that is not known.
_UNREADABLE = (
    tarfile.TarError, lzma.LZMAError, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, OverflowError, KeyError,
)  # fmt: skip


def unpack(file: IO[bytes], name: str, into: str, strip: int) -> None:
    """Unpack a tar (also compressed by gzip, bzip2 or xz) or a zip; ``name`` is for messages.

    Of each path the first ``strip`` parts are left out; what has no more parts than that is not unpacked.
    """
    try:
        try:
            tar = tarfile.open(fileobj=file, mode="r:*")  # noqa: SIM115 - closed below
        except tarfile.ReadError:
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                _unpack_zip(archive, _Target(into, strip))
            return
        with tar:
            _unpack_tar(tar, _Target(into, strip))
            _require_end(tar)
    except zipfile.BadZipFile as error:
        raise ResourceError(f"{name} is neither a tar (plain, gzip, bzip2, xz) nor a zip, or is damaged") from error
    except _UNREADABLE as error:
        raise ResourceError(f"{name} cannot be unpacked: {error}") from error


def _unpack_tar(tar: tarfile.TarFile, target: _Target) -> None:
    for member in tar:
        if member.size < 0:  # the next header would be this one again, for ever
            raise _refused(f"{member.name} says that its size is {member.size}")
        name = target.stripped(member.name)
        if name is None or member.type == _VOLUME_LABEL:
            continue
        if member.isdir() or (member.isfile() and member.name.endswith("/")):  # as BSD's tar wrote directories
            target.directory(name)
        elif member.issym():
            target.link(name, member.linkname)
        elif member.islnk():  # it names another member; a symbolic one has a path from where it is
            target.hard_link(name, target.stripped(member.linkname))
        elif member.isfile() and (content := tar.extractfile(member)) is not None:
            target.file(name, content, member.mode, _time_of(member))
        else:
            raise _refused(f"{name} is a device, a pipe or the like")


def _time_of(member: tarfile.TarInfo) -> float | None:
    """None for what is no time that the system can keep; the file has that of its unpacking then."""
    return member.mtime if abs(member.mtime) <= _FURTHEST else None


def _require_end(tar: tarfile.TarFile) -> None:
    """What reads tars takes a cut off or damaged one for one that ends there; a whole one ends with zeros."""
    stream = tar.fileobj
    if stream is None:
        raise tarfile.ReadError("closed")
    stream.seek(tar.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it is cut off, or damaged")
    while stream.read(_PIECE):  # the checksum of what is compressed stands at its end
        pass


def _unpack_zip(archive: zipfile.ZipFile, target: _Target) -> None:
    for info in archive.infolist():
        whole = zip_name(info)
        name = target.stripped(whole)
        if name is None:
            continue
        mode = info.external_attr >> 16
        if whole.endswith("/"):
            target.directory(name)
        elif stat.S_ISLNK(mode):
            target.link(name, os.fsdecode(archive.read(info)))
        else:
            with archive.open(info) as content:
                target.file(name, content, mode or 0o644)


class _Target:
    """The directory that is filled. Of two members with one name the later counts, as with tar(1)."""

    def __init__(self, into: str, strip: int) -> None:
        self._into = into
        self._strip = strip
        self._links: dict[str, str] = {}
        """Symbolic links, by their paths: nothing is written through them."""
        self._files: set[str] = set()
        self._directories: set[str] = {""}

    def stripped(self, name: str) -> str | None:
        """The path that a member gets; None where nothing is left of it."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise _refused(f"{name} leads outside of it")
        return "/".join(parts[self._strip :]) or None

    def directory(self, name: str) -> None:
        """A directory. Its mode is 0755, whatever the archive says."""
        if name not in self._directories:
            os.mkdir(self._place(name), 0o755)
            self._directories.add(name)

    def file(self, name: str, content: IO[bytes], mode: int, mtime: float | None = None) -> None:
        """A regular file. Only its owner may write it, and nothing is set-user-id."""
        path = self._place(name)
        mode = (mode & 0o755) | 0o600
        with open(os.open(path, _FILE, mode), "wb") as file:
            shutil.copyfileobj(content, file, _PIECE)
            os.fchmod(file.fileno(), mode)
            file.flush()
            if mtime is not None:
                os.utime(file.fileno(), (mtime, mtime))
        self._files.add(name)

    def link(self, name: str, target: str) -> None:
        """A symbolic link to something within."""
        up, rest = re.fullmatch(r"((?:\.\./)*)(.*)", target, re.DOTALL).groups()  # type: ignore[union-attr]  # it fits
        # Ways up are only counted from the real directory that the link is in; in between they could start elsewhere.
        outside = up.count("../") > name.count("/") or ".." in rest.split("/")
        if rest.startswith("/") or outside or not target:
            raise _refused(f"{name} is a link to {target or 'nothing'}, which may lead outside of it")
        os.symlink(target, self._place(name))
        self._links[name] = target

    def hard_link(self, name: str, target: str | None) -> None:
        """Another name of a file, or of a symbolic link, that was unpacked before."""
        if target is None or (target not in self._files and target not in self._links):
            raise _refused(f"{name} is a hard link to something that is no file unpacked before it")
        if name == target:
            return
        if target in self._links:
            self.link(name, self._links[target])
            return
        os.link(os.path.join(self._into, target), self._place(name), follow_symlinks=False)
        self._files.add(name)

    def _place(self, name: str) -> str:
        """Where to make something: its directory is there, and what had its name is not."""
        self._make_parent(name)
        path = os.path.join(self._into, name)
        if name in self._files or name in self._links:
            os.unlink(path)
            self._files.discard(name)
            self._links.pop(name, None)
        elif name in self._directories:
            try:
                os.rmdir(path)
            except OSError as error:
                raise _refused(f"{name} is a directory with something in it, and something else later") from error
            self._directories.discard(name)
        return path

    def _make_parent(self, name: str) -> None:
        if os.path.dirname(name) in self._directories:
            return
        parts = name.split("/")
        for end in range(1, len(parts)):
            parent = "/".join(parts[:end])
            if parent in self._links:
                raise _refused(f"{name} leads through a link that it holds")
            if parent in self._files:
                raise _refused(f"{name} is in a directory that is a file in it as well")
            if parent not in self._directories:
                os.mkdir(os.path.join(self._into, parent), 0o755)
                self._directories.add(parent)


def _refused(why: str) -> ResourceError:
    return ResourceError(f"the archive is not unpacked: {why}")
