"""State and runtime directories."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

from converge.core.errors import ResourceError
from converge.core.platform import may_do_all, this_os
from converge.host.trust import weaknesses

_MAC_SUPPORT = "/Library/Application Support/converge"
"""Below the root for root, below their home for others: macOS lets nobody make anything in its own folders."""


def state_dir() -> Path:
    """History, backups, refreshes that are due. ``CONVERGE_STATE_DIR`` overrides it."""
    if given := os.environ.get("CONVERGE_STATE_DIR"):
        return Path(given)
    if sys.platform == "win32":
        return _windows_dir()
    if may_do_all():
        return Path(_MAC_SUPPORT if this_os() == "darwin" else "/var/lib/converge")
    base = os.environ.get("XDG_STATE_HOME")
    if not base and this_os() == "darwin":
        return Path(f"{Path.home()}{_MAC_SUPPORT}")
    return (Path(base) if base else Path.home() / ".local" / "state") / "converge"


def runtime_dir() -> Path:
    """Locks and sockets, gone after a reboot where the system has a place for that."""
    if given := os.environ.get("CONVERGE_RUNTIME_DIR"):
        return Path(given)
    if sys.platform == "win32":
        return _windows_dir() / "run"
    if may_do_all():
        return Path("/var/run/converge" if this_os() == "darwin" else "/run/converge")
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "converge" if base else state_dir() / "run"


def ensure_dir(path: Path) -> Path:
    """Make a folder that only we can use, with its parents; refuse one that others could tamper with."""
    if sys.platform != "win32":
        _require_trust(path.parent)
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
    except OSError as error:
        raise ResourceError(
            f"{path} is where converge keeps its state, and cannot be made ({error.strerror}: {error.filename}); "
            "set CONVERGE_STATE_DIR and CONVERGE_RUNTIME_DIR to other folders"
        ) from error
    if sys.platform == "win32":
        # What others may do there is not in the mode: the folder has the access list of the one that it is in.
        if not path.is_dir():
            raise ResourceError(f"{path} is not a directory, so converge cannot keep its state there")
        return path
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise ResourceError(f"{path} is not a directory, so converge cannot keep its state there")
    if status.st_uid != os.geteuid():
        raise ResourceError(f"{path} belongs to uid {status.st_uid}, so converge does not trust it with its state")
    if status.st_mode & 0o022:
        raise ResourceError(f"{path} can be written by others; make it mode 0700 (chmod 700 {path})")
    return path


def _require_trust(path: Path) -> None:
    """Raises ResourceError where others could put another folder in the place of root's.

    Others than root keep theirs in their own homes, which a group of their own may well write.
    """
    if os.geteuid() == 0 and (found := list(weaknesses(os.path.abspath(path)))):
        raise ResourceError(
            f"converge does not trust {path} with its state, since others can change " + "; ".join(map(str, found))
        )


def _windows_dir() -> Path:
    r"""``%PROGRAMDATA%\converge`` for an administrator, ``%LOCALAPPDATA%\converge`` for others."""
    if may_do_all():
        return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "converge"
    local = os.environ.get("LOCALAPPDATA")
    return (Path(local) if local else Path.home() / "AppData" / "Local") / "converge"
