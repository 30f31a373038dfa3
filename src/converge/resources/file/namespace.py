"""A mount namespace in which a directory has a new file that it does not have yet anywhere else.

The namespace belongs to a thread that is made for it, and what the thread starts inherits it. It goes with the last of
them, however they end, and with it all mounts: nothing is left to clean up.
"""

from __future__ import annotations

import ctypes
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress

from converge.host.fs.atomic import Replacement, looks_temporary
from converge.host.fs.dirfd import Directories

_CLONE_NEWNS = 0x00020000  # linux/sched.h
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18  # linux/mount.h
_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LABEL = "security.selinux"


class Unavailable(Exception):
    """No such namespace can be had here, or no mounts in it."""


def with_new_file(folder: str, replacement: Replacement, act: Callable[[], None]) -> None:
    """Do it where the directory has the new file under its name. Raises what ``act`` raises, or Unavailable."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            _prepare(folder, replacement)
            act()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            raised.append(error)

    thread = threading.Thread(target=run, name="validate", daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def _prepare(folder: str, replacement: Replacement) -> None:
    if folder in ("", "/"):
        raise Unavailable  # nothing can be mounted over the root that we are in
    try:
        _enter()
        with Directories() as before:
            real = before.open(folder)
            if not os.path.samestat(os.fstat(real), os.fstat(replacement.folder)):
                raise Unavailable  # it was exchanged since
            _mount("tmpfs", _path(real), "tmpfs", _MS_NOSUID | _MS_NODEV)
            with Directories() as after:
                _fill(real, after.open(folder), replacement)
    except OSError as error:
        raise Unavailable from error


def _enter() -> None:
    """Move this thread into a mount namespace of its own, out of which no mount spreads."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        raise _failure()
    _mount("none", b"/", None, _MS_REC | _MS_PRIVATE)


def _fill(real: int, view: int, replacement: Replacement) -> None:
    """Give the empty ``view`` all that is in the real directory, and the new file.

    An overlay would do the same with one mount, but not on every file system, and without what is mounted below.
    """
    _take_over(real, view)
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=real)
    try:
        names = os.listdir(readable)
    finally:
        os.close(readable)
    for name in names:
        if name != replacement.name and not looks_temporary(name):
            with suppress(FileNotFoundError, PermissionError):  # gone since, or closed to root
                _bind(real, view, name, name)
    _bind(real, view, replacement.temporary, replacement.name)


def _take_over(real: int, view: int) -> None:
    """Owner, mode and SELinux label, without which a confined program may not look into the directory."""
    status = os.fstat(real)
    os.chown(_path(view), status.st_uid, status.st_gid)
    os.chmod(_path(view), stat.S_IMODE(status.st_mode))
    with suppress(OSError):
        os.setxattr(_path(view), _LABEL, os.getxattr(_path(real), _LABEL))


def _bind(real: int, view: int, source: str, name: str) -> None:
    mode = os.stat(source, dir_fd=real, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source, dir_fd=real), name, dir_fd=view)
        return
    if stat.S_ISDIR(mode):
        os.mkdir(name, dir_fd=view)
    else:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, dir_fd=view))
    handle = os.open(source, _PLACE, dir_fd=real)
    try:
        _mount(_path(handle), _path(view) + b"/" + os.fsencode(name), None, _MS_BIND | _MS_REC)
    finally:
        os.close(handle)


def _path(handle: int) -> bytes:
    return b"/proc/self/fd/%d" % handle


def _mount(source: str | bytes, target: bytes, kind: str | None, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    fstype = None if kind is None else kind.encode()
    if libc.mount(os.fsencode(source), target, fstype, ctypes.c_ulong(flags), None):
        raise _failure()


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
