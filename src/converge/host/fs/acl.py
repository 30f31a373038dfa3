"""POSIX ACLs, as in acl(5), in the format of Linux' extended attributes."""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from converge.host.fs.owners import group_name, owner_name

if TYPE_CHECKING:
    from converge.host.fs.owners import Names

ACCESS = "system.posix_acl_access"
DEFAULT = "system.posix_acl_default"

_ENTRY = re.compile(r"(user|group):([^:\s]+):(?=[rwx-])(r?-?w?-?x?-?)")
_HEADER = struct.Struct("<I")
_PACKED = struct.Struct("<HHI")
_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF
_TAGS = {"user": _USER, "group": _GROUP}
_NO_LISTS = (errno.ENOTSUP, errno.ENOSYS)


class Entry(NamedTuple):
    """One entry: a tag, whom it names, and read (4), write (2), execute (1)."""

    tag: int
    id: int
    permissions: int


def mistakes(option: str, entries: object, mode: object) -> Iterator[str]:
    """Whatever is wrong with declared entries."""
    if not isinstance(entries, Sequence) or isinstance(entries, str | bytes):
        yield f'{option} takes a list of entries, such as ["user:www-data:rx"]'
        return
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        found = _ENTRY.fullmatch(entry) if isinstance(entry, str) else None
        if found is None:
            yield f'{entry!r} is no entry of an access list; write "user:www-data:rx" or "group:adm:r"'
        elif (found[1], found[2]) in seen:
            yield f"{option} names {found[1]} {found[2]} twice; give one entry"
        else:
            seen.add((found[1], found[2]))
    if entries and mode is None:
        yield f"{option} needs mode=, which says what owner, group and others may"


def named(entries: Sequence[str]) -> Iterator[str]:
    """The ids of users and groups that the entries name: ``user:www-data``."""
    for entry in entries:
        tag, name, _ = entry.split(":")
        if not name.isdecimal():
            yield f"{tag}:{name}"


def built(mode: int, declared: Sequence[str], names: Names, path: str) -> tuple[Entry, ...]:
    """The whole list: owner, group and others from the mode, and what is named. Empty where nothing is named."""
    if not declared:
        return ()
    entries = [_resolved(entry, names, path) for entry in declared]
    group = mode >> 3 & 7
    mask = group
    for entry in entries:
        mask |= entry.permissions
    base = (
        Entry(_USER_OBJ, _NOBODY, mode >> 6 & 7),
        Entry(_GROUP_OBJ, _NOBODY, group),
        Entry(_MASK, _NOBODY, mask),
        Entry(_OTHER, _NOBODY, mode & 7),
    )
    return tuple(sorted((*base, *entries)))


def effective_mode(mode: int, entries: Sequence[Entry]) -> int:
    """The mode as stat(2) shows it, where the group's bits are the mask of the list."""
    masks = [entry.permissions for entry in entries if entry.tag == _MASK]
    return mode & ~0o070 | masks[0] << 3 if masks else mode


def read(place: str | int, kind: str) -> tuple[Entry, ...] | None:
    """The list of a file, empty where it has none beyond its mode; None where its file system has no lists."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        raw = os.getxattr(place, kind)
    except OSError as error:
        if error.errno == errno.ENODATA:
            return ()
        if error.errno in _NO_LISTS:
            return None
        raise
    packed = _PACKED.iter_unpack(raw[_HEADER.size :])
    return tuple(sorted(Entry(tag, id, permissions) for tag, permissions, id in packed))


def is_listed(handle: int) -> bool:
    """Whether an open file has a list beyond its mode."""
    if not hasattr(os, "listxattr"):
        return False
    try:
        return ACCESS in os.listxattr(handle)
    except OSError as error:
        if error.errno in _NO_LISTS:
            return False
        raise


def write(place: str | int, kind: str, entries: Sequence[Entry]) -> None:
    """Give a file this list; with none, its mode says all."""
    if entries:
        os.setxattr(
            place,
            kind,
            _HEADER.pack(_VERSION) + b"".join(_PACKED.pack(tag, permissions, id) for tag, id, permissions in entries),
        )
        return
    if not hasattr(os, "removexattr"):
        return
    try:
        os.removexattr(place, kind)
    except OSError as error:
        if error.errno not in (errno.ENODATA, *_NO_LISTS):
            raise


def shown(entries: Sequence[Entry]) -> str | None:
    """What a list names, as it is declared: ``user:www-data:rx``."""
    return ", ".join(declared(entries)) or ("a mask" if entries else None)


def declared(entries: Sequence[Entry]) -> Sequence[str]:
    """The option that declares a list."""
    return [_shown(entry) for entry in entries if entry.tag in (_USER, _GROUP)]


def base_mode(mode: int, entries: Sequence[Entry]) -> int:
    """The mode to declare beside a list: stat(2) shows the mask in place of what the file's own group may."""
    own = [entry.permissions for entry in entries if entry.tag == _GROUP_OBJ]
    return mode & ~0o070 | own[0] << 3 if own else mode


def _shown(entry: Entry) -> str:
    what, name = ("user", owner_name) if entry.tag == _USER else ("group", group_name)
    who = name(entry.id)
    who = str(entry.id) if " " in who else who  # one without an account
    letters = "".join(letter for letter, bit in zip("rwx", (4, 2, 1), strict=True) if entry.permissions & bit)
    return f"{what}:{who}:{letters or '-'}"


def _resolved(entry: str, names: Names, path: str) -> Entry:
    tag, name, letters = entry.split(":")
    who: str | int = int(name) if name.isdecimal() else name
    number = names.uid(who, path) if tag == "user" else names.gid(who, path)
    permissions = sum(bit for letter, bit in zip("rwx", (4, 2, 1), strict=True) if letter in letters)
    return Entry(_TAGS[tag], number, permissions)
