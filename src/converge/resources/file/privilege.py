"""Whether a declaration needs root on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from converge.core.errors import ResourceError
from converge.host.fs.errors import shown
from converge.host.fs.owners import Names, me

if TYPE_CHECKING:
    from converge.resources.file.entry import Entry


def needs_root(entry: Entry) -> str | None:
    """The reason why we, who are not root, cannot keep this entry as declared."""
    return _foreign(entry) or _no_access(entry)


def _foreign(entry: Entry) -> str | None:
    status = _status(entry.at)
    try:
        if entry.owner is not None:
            uid = Names().uid(entry.owner, entry.at)
            if uid != os.geteuid() and (status is None or status.st_uid != uid):
                return f"only root can make {entry.owner} the owner of {shown(entry.at)}"
        if entry.group is not None:
            gid = Names().gid(entry.group, entry.at)
            if gid not in {os.getegid(), *os.getgroups()} and (status is None or status.st_gid != gid):
                return f"only root can give {shown(entry.at)} to the group {entry.group}, which {me()} is not in"
    except ResourceError:
        return f"only root can give {shown(entry.at)} to an owner or a group that is yet to be made"
    return None


def _no_access(entry: Entry) -> str | None:
    """Every change but one of mode or owner makes or removes a name in the directory."""
    folder = entry.folder()
    while _status(folder) is None and folder != "/":
        folder = os.path.dirname(folder)
    if os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return None
    return f"{shown(folder)} cannot be written by {me()}"


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=False)
    except OSError:
        return None  # what cannot be seen is as good as absent here
