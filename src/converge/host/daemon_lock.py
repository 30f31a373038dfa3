"""The lock that allows one daemon per blueprint."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from converge.core.errors import AlreadyRunning
from converge.host.fs.flags import open_flags
from converge.host.fs.os_errors import doing
from converge.host.state_dirs import ensure_dir, runtime_dir

_FLAGS = open_flags("O_CLOEXEC", "O_NOFOLLOW", "O_NOINHERIT")
_FAR = 1 << 30
"""Where Windows locks a byte: it keeps others from reading what is locked, and they are to read who holds it."""


@contextmanager
def hold(name: str, wanted: str) -> Iterator[None]:
    """Hold this blueprint's lock. Raises AlreadyRunning, with who holds it. The kernel frees it, however we end."""
    path = os.path.join(ensure_dir(runtime_dir()), f"{name}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    try:
        try:
            with doing("locking it", path):
                _lock(descriptor)
        except BlockingIOError as error:
            holder = _read(descriptor).decode(errors="replace").strip() or "another process"
            raise AlreadyRunning(_refusal(name, wanted, holder, path)) from error
        os.ftruncate(descriptor, 0)
        with doing("writing who holds the lock", path):
            _write(descriptor, f"process {os.getpid()}: converge serve {wanted}".encode(errors="replace"))
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _refusal(name: str, wanted: str, holder: str, path: str) -> str:
    served = f"the blueprint {name} is served already, by {holder} (lock: {path})"
    _, _, other = holder.partition("converge serve ")
    if not other or other == wanted:
        return f"{served}; stop that one first"
    return (
        f'{served}; where that is another blueprint of the same name, call one of them otherwise: @blueprint("…"). '
        "Otherwise stop that one first"
    )


def _lock(descriptor: int) -> None:
    """Raises BlockingIOError where somebody else has it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:  # EACCES of Windows; Wine gives no number
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 4096)


def _write(descriptor: int, text: bytes) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text)
