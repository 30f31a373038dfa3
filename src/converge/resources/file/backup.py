"""Copies of what was replaced or removed."""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import UTC, datetime
from urllib.parse import quote

from converge.core.errors import ResourceError
from converge.host.fs.atomic import write_all
from converge.host.fs.content import READ, SMALL, read
from converge.host.fs.dirfd import sync_directory
from converge.host.fs.errors import explain, shown
from converge.host.fs.flags import open_flags
from converge.host.state_dirs import ensure_dir, state_dir

_LONGEST = 200
_CREATE = open_flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC")


def keep(path: str, folder: int, name: str) -> None:
    """Copy what is at ``name`` into the folder of backups, readable for us only."""
    try:
        _keep(path, folder, name)
    except OSError as error:
        reason = explain(error, str(state_dir() / "backups"))
        raise ResourceError(f"{shown(path)}: nothing was changed, since no backup can be made: {reason}") from error


def _keep(path: str, folder: int, name: str) -> None:
    ensure_dir(state_dir())
    place = os.path.join(ensure_dir(state_dir() / "backups"), _backup_name(path))
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=folder), place)
    elif stat.S_ISREG(status.st_mode):
        _copy(folder, name, place)


def _backup_name(path: str) -> str:
    quoted = quote(os.fsencode(path), safe="")
    if len(quoted) > _LONGEST:
        quoted = f"{quoted[:_LONGEST]}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"
    return f"{quoted}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"


def _copy(folder: int, name: str, place: str) -> None:
    source = os.open(name, READ, dir_fd=folder)
    try:
        copy = os.open(place, _CREATE, 0o600)
        try:
            while piece := read(source, SMALL):
                write_all(copy, piece)
            os.fsync(copy)
        except BaseException:
            os.unlink(place)
            raise
        finally:
            os.close(copy)
    finally:
        os.close(source)
    _sync(os.path.dirname(place))


def _sync(folder: str) -> None:
    handle = os.open(folder, open_flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"))
    try:
        sync_directory(handle)
    finally:
        os.close(handle)
