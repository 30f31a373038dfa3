"""Who is changing the machine's packages right now. Starts no process, and takes no lock itself.

Package managers lock in three ways: with a lock of the kernel on a file (dpkg, rpm, dnf, apk), with a file that names
its process (zypper, yum), and with a file that is simply there (pacman).
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from typing import Final

LOCKED_FILES: Final = (
    "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock",
    "/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/run/dnf/rpmtransaction.lock",
    "/lib/apk/db/lock", "/usr/lib/apk/db/lock",
)  # fmt: skip
"""Held by a lock of the kernel; the file itself stays."""
PID_FILES: Final = (
    "/run/zypp.pid",
    "/var/run/yum.pid",
    "/var/cache/dnf/metadata_lock.pid",
    "/var/lib/dnf/rpmdb_lock.pid",
)
"""Their text is the number of the process that works; it may have died without removing them."""
PACMAN_LOCK: Final = "/var/lib/pacman/db.lck"
"""There while pacman works, and left there when it crashes."""


def holder(root: str = "/", *, ours: bool = False) -> str | None:
    """In words who holds a package manager's lock, such as ``apt-get (process 123)``; None where nobody does.

    What we ourselves started only counts with ``ours``.
    """
    for path in LOCKED_FILES:
        pid = _locked_by(_below(root, path))
        if pid is not None and (ours or not _ours(pid)):
            return _named(pid, path)
    for path in PID_FILES:
        pid = _written_in(_below(root, path))
        if pid is not None and (ours or not _ours(pid)):
            return _named(pid, path)
    return _pacman(_below(root, PACMAN_LOCK), ours)


def _pacman(path: str, ours: bool) -> str | None:
    if not os.path.exists(path):
        return None
    for pid in _processes_called("pacman"):
        return None if _ours(pid) and not ours else _named(pid, path)
    return f"pacman (its lock {path} is there; if no pacman is running, remove it)"


def _below(root: str, path: str) -> str:
    return root.rstrip("/") + path


def _named(pid: int, path: str) -> str:
    if pid <= 0:  # the kernel does not tell: it is in another container, or its lock is one of an open file
        return f"another process (it locks {path})"
    return f"{_name(pid) or 'a process'} (process {pid})"


# --- locks of the kernel ------------------------------------------------------------------------------------------

# struct flock: type, whence, start, length, process; native alignment, 64-bit offsets.
_FLOCK: Final = struct.Struct("hhqqi4x")


def _locked_by(path: str) -> int | None:
    """The process that keeps others from locking this file: 0 where the kernel does not say which."""
    import fcntl

    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError:
        return _listed(path)
    except OSError:
        return None
    try:
        # Asks whether reading would have to wait; a program that only reads the database counts for nothing.
        question = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        kind, *_, pid = _FLOCK.unpack(fcntl.fcntl(handle, fcntl.F_GETLK, question))
    except OSError:
        return _listed(path)
    finally:
        os.close(handle)
    if kind == fcntl.F_UNLCK:
        return _listed(path) if path.endswith("apk/db/lock") else None  # apk's lock is of another kind: flock(2)
    return max(0, int(pid))


def _listed(path: str) -> int | None:
    """The same from the list of all locks, which every user may read."""
    try:
        found = os.stat(path)
        with open("/proc/locks", encoding="ascii", errors="replace") as lines:
            listed = [line.split() for line in lines]
    except OSError:
        return None
    file = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for fields in listed:  # 1: POSIX ADVISORY WRITE 123 fd:01:456 0 EOF; one that waits has -> in the second place
        if len(fields) >= 8 and fields[3] == "WRITE" and fields[5] == file:
            return max(0, int(fields[4]))
    return None


# --- processes ----------------------------------------------------------------------------------------------------


def _written_in(path: str) -> int | None:
    """The process whose number is in this file, where it still lives."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            pid = int(file.read(32).split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if pid > 0 and os.path.exists(f"/proc/{pid}") else None


def _ours(pid: int) -> bool:
    """Whether it is this process, or was started by it or by what it started."""
    me = os.getpid()
    while pid > 1:
        if pid == me:
            return True
        pid = _parent(pid)
    return False


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])  # the name before may hold anything
    return 0


def _name(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
    return ""


def _processes_called(name: str) -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and _name(int(entry)) == name:
            yield int(entry)
