"""Whether somebody else is changing the account files at this moment."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from typing import TYPE_CHECKING

from converge.core.change import Changes
from converge.core.errors import Busy

if TYPE_CHECKING:
    from converge.resources.accounts.linux.database import Database

_LOCK = ".pwd.lock"
"""What lckpwdf(3) locks. useradd, usermod, passwd, vipw and their like hold it for as long as they work."""
_FLOCK = "hhqqi0q"
"""struct flock of fcntl(2): type, whence, start, length, and who holds it."""
_REMOVERS = ("userdel", "deluser")
"""Tools that take the home directory away after they have let go of the lock, or before they take it."""
_SOONEST, _LATEST = 0.01, 1.0
"""Seconds until another look: a tenth of the time that the holder has been there, within these."""
_YOUNG = 0.1
"""That time where the holder has been there for a second; then it is a person's, who may not change anything."""


def settled(found: Changes | Exception, database: Database) -> Changes | Exception:
    """What was found, unless that may be half of what somebody is doing just now; then Busy."""
    holder = lock_holder(f"{database.etc}/{_LOCK}")
    if holder is not None and not _is_ours(holder):
        again = _patience(holder)
        # Also what is right: a tool that has just begun writes one file after the other.
        if found or again < _YOUNG:
            return Busy(f"the account files are locked by {_name(holder)}", again=again)
    if not found:
        return found
    if (remover := _remover(found)) is not None:
        return Busy(f"{remover} is at work", again=_SOONEST)
    if database.stale():
        return Busy("the account files were changed while they were read", again=_SOONEST)
    return found


def lock_holder(path: str) -> int | None:
    """The id of the process that holds the lock (0 where it cannot be seen from here); None where nobody does."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, PermissionError):
        return None  # nobody ever locked it; or we are not root, and will change nothing
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        found = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked))
    finally:
        os.close(handle)
    return None if found[0] == fcntl.F_UNLCK else max(0, found[4])


def _remover(found: Changes | Exception) -> str | None:
    """Who may still be removing the home of a user that is to be made again; a new one would go the same way."""
    if isinstance(found, Exception) or not any(change.action == "create" for change in found):
        return None
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as file:
                name = file.read().strip()
            if name in _REMOVERS and os.path.samefile(f"/proc/{process}/root", "/"):
                return f"{name} (process {process})"
        except OSError:
            continue  # it has ended, or is none of our business
    return None


def _name(holder: int) -> str:
    try:
        with open(f"/proc/{holder}/comm", encoding="utf-8", errors="replace") as file:
            return f"{file.read().strip()} (process {holder})"
    except OSError:
        return "another process"  # it has ended, or is outside of our container


def _patience(holder: int) -> float:
    """A tool is done in milliseconds; an editor is open for as long as a person takes."""
    if not holder:
        return _YOUNG  # outside of our container
    try:
        started = int(_status(holder)[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return _SOONEST  # it has just ended
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    return min(_LATEST, max(_SOONEST, age / 10))


def _is_ours(holder: int) -> bool:
    """Whether we started it ourselves, for another resource."""
    try:
        return int(_status(holder)[1]) == os.getpid()
    except (OSError, ValueError, IndexError):
        return False


def _status(process: int) -> list[str]:
    """The fields of proc(5)'s stat after the name; the parent is the second, the start (in ticks) the twentieth."""
    with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()
