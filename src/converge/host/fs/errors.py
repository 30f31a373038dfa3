"""Messages for errors of file operations."""

from __future__ import annotations

import errno
import os
import struct

from converge.core.errors import ResourceError

_FS_IOC_GETFLAGS = 0x80086601
_FS_IMMUTABLE = 0x10
_FS_APPEND_ONLY = 0x20

_WORDS = {
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "no space is left on the file system",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENAMETOOLONG: "the name is too long for the file system",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.EISDIR: "it is a directory",
    errno.ENOTEMPTY: "the directory is not empty; set force=True to remove it with all that is in it",
    errno.EBUSY: "it is in use as a mount point or by the system",
    errno.ETXTBSY: "it is a program that is running",
    errno.EIO: "the device reports an input/output error",
    errno.EMFILE: "converge has too many files open (ulimit -n)",
    errno.ENFILE: "the system has too many files open",
    errno.ESTALE: "the network file system has lost it (stale handle)",
    errno.EOPNOTSUPP: "the file system does not support that",
    errno.ENOENT: "it was removed in the meantime",
}


def shown(path: str) -> str:
    """A path for a message: undecodable bytes and control characters are escaped."""
    if path.isprintable():
        return path
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def explain(error: OSError, path: str) -> ResourceError:
    """The sentence for what happened to ``path``."""
    found = ResourceError(f"{shown(path)}: {_reason(error, path)}")
    found.__cause__ = error  # the engine waits where the system had none left of something
    return found


def _reason(error: OSError, path: str) -> str:
    if error.errno == errno.EPERM and (locked := _locked(path)):
        return locked
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"permission denied for uid {os.geteuid()}"
    if error.errno in _WORDS:
        return _WORDS[error.errno]
    return (error.strerror or str(error)).lower()


def _locked(path: str) -> str | None:
    """Whether the file, or the directory it is in, is frozen with chattr."""
    for place in (path, os.path.dirname(path)):
        flags = _flags(place)
        if flags & _FS_IMMUTABLE:
            return f"{shown(place)} is immutable (chattr -i {shown(place)} lifts that)"
        if flags & _FS_APPEND_ONLY:
            return f"{shown(place)} is append-only (chattr -a {shown(place)} lifts that)"
    return None


def _flags(path: str) -> int:
    import fcntl  # in here: Windows has none

    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0  # this only refines a message; the refusal itself is reported by the caller
    try:
        flags: int = struct.unpack("l", fcntl.ioctl(handle, _FS_IOC_GETFLAGS, b"\0" * struct.calcsize("l")))[0]
        return flags
    except OSError:
        return 0  # a file system without such flags
    finally:
        os.close(handle)
