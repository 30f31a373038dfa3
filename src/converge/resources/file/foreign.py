"""What is found at a path in an untrusted directory, and may be a third party's.

Whom the directory belongs to can move any file of root into it that they may move, and link to others. So what belongs
to neither them nor its declared owner is not given away, opened, edited or shown; only whole content replaces it.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from converge.core.errors import Permanent
from converge.host.fs.errors import shown
from converge.host.fs.metadata import Metadata
from converge.host.fs.owners import owner_name
from converge.host.fs.trust import Place, is_public, trusted

if TYPE_CHECKING:
    from converge.resources.file.entry import Entry

_RUNS_AS_OWNER = stat.S_ISUID | stat.S_ISGID
_OPEN = 0o066
"""What lets group and others read or write."""


def refuse_foreign(
    entry: Entry, status: os.stat_result, place: Place, wanted: Metadata, *, edited: bool = False
) -> None:
    """Raise ResourceError where the change would give a third party's file away, open it to more users, or edit it.

    Also where a program that others chose would get set-user-id or set-group-id bits: whoever runs it is who owns it.
    """
    if place.exposed and stat.S_ISREG(status.st_mode) and wanted.mode & _RUNS_AS_OWNER:
        raise Permanent(
            f"{shown(entry.at)} gets no set-user-id or set-group-id bit: others can write to its directory, "
            "and may have chosen what is in it; declare its whole content, with content= or source="
        )
    if not place.exposed or is_public(place, status) or _belongs(entry, status, place, wanted.uid):
        return
    opens = wanted.mode & ~stat.S_IMODE(status.st_mode) & _OPEN or wanted.access
    if wanted.moves(status) or opens or edited:
        others = "others" if place.holder is None else owner_name(place.holder)
        raise Permanent(
            f"{shown(entry.at)} belongs to {owner_name(status.st_uid)} and is not readable by everybody; {others} may "
            "have moved it there, so it is neither given away nor edited; if it is the right one, chown and chmod it "
            "as declared, else remove it"
        )


def is_hidden(entry: Entry, status: os.stat_result, place: Place, uid: int | None) -> bool:
    """Whether the content may be a third party's, which no plan shows."""
    if not place.exposed or is_public(place, status) or (place.holder is None and trusted(status.st_uid)):
        return False
    return not _belongs(entry, status, place, status.st_uid if uid is None else uid)


def refuse_foreign_links(entry: Entry, status: os.stat_result, place: Place) -> None:
    """A file of several links may be one of the system's; a copy of it would give its content away."""
    if place.exposed and status.st_nlink > 1 and status.st_uid != place.holder:
        raise Permanent(
            f"{shown(entry.at)} has {status.st_nlink} hard links and belongs to {owner_name(status.st_uid)}, in a "
            "directory where others may have linked it; remove it, or declare its whole content"
        )


def _belongs(entry: Entry, status: os.stat_result, place: Place, uid: int) -> bool:
    """Whether it is the directory's owner's own, or that of whom it should be.

    What root keeps for itself is nothing that another user can have made, and yet can be something they have moved.
    """
    owner = status.st_uid
    if owner == place.holder:
        return True
    return entry.owner is not None and owner == uid and (place.holder is None or not trusted(owner))
