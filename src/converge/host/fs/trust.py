"""Determines who else could replace an entry of a directory."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

_OTHERS_WRITE = 0o022
"""The group's bit too, which is the mask where there is an access list: an entry that may write shows there."""
_READ_BY_ALL = 0o004
_ENTERED_BY_ALL = 0o005


class Place(NamedTuple):
    """What is known of a directory from the walk that led to it.

    A directory is *untrusted* where somebody other than root and ourselves may make names in it, or could exchange
    it or a directory above it.
    """

    safe: bool
    """Names of ours cannot be renamed or exchanged: so it is in a sticky directory too."""
    exposed: bool
    """It is untrusted: others can make names in it, or lead us to another directory."""
    holder: int | None
    """The nearest owner on the way who is neither root nor ourselves."""
    passable: bool = True
    """No directory of root that others may have moved keeps them from what is in it."""


TOP = Place(safe=True, exposed=False, holder=None)
"""Where every walk begins: nobody renames ``/``."""


def trusted(uid: int) -> bool:
    """Whether it is root, or we ourselves."""
    return uid == 0 or uid == os.geteuid()


def place_of(above: Place, status: os.stat_result) -> Place:
    """What is known of a directory, from the one it is in and its own status."""
    ours = trusted(status.st_uid)
    closed = not status.st_mode & _OTHERS_WRITE
    safe = above.safe and ours and (closed or bool(status.st_mode & stat.S_ISVTX))
    return Place(
        safe=safe,
        exposed=not (above.safe and ours and closed),
        holder=above.holder if ours else status.st_uid,
        passable=above.safe or not ours or (above.passable and bool(status.st_mode & stat.S_IXOTH)),
    )


def is_public(place: Place, status: os.stat_result) -> bool:
    """Whether everybody may read it anyway, so that giving it to somebody discloses nothing."""
    needed = _ENTERED_BY_ALL if stat.S_ISDIR(status.st_mode) else _READ_BY_ALL
    return place.passable and status.st_mode & needed == needed


def discloses(place: Place, status: os.stat_result) -> bool:
    """Whether a file that is to be published may be a third party's, moved there by whom the directory belongs to."""
    return place.exposed and not is_public(place, status) and status.st_uid != place.holder
