"""What a member of a zip is called, by the rules of Info-ZIP's unzip."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import zipfile

_UTF8: Final = 0x800
"""The flag that a name is UTF-8. zip(1) does without, on systems where names are UTF-8 anyway."""
_UNICODE_PATH: Final = 0x7075
_DOS: Final = 0
_HPFS: Final = 6


def zip_name(info: zipfile.ZipInfo) -> str:
    """Its path, with ``/`` between the parts, and at the end of a directory's."""
    name = _decoded(info).partition("\0")[0]
    # What writes them so is found on Windows alone; elsewhere a backslash is a character like others.
    return name.replace("\\", "/") if info.create_system == _DOS and "/" not in name else name


def _decoded(info: zipfile.ZipInfo) -> str:
    plain = info.orig_filename
    if info.flag_bits & _UTF8:
        return plain
    raw = plain.encode("cp437")  # what zipfile takes for it, without loss
    if (name := _unicode_path(info.extra, raw)) is not None:
        return name
    if info.create_system in (_DOS, _HPFS):
        return plain
    return raw.decode("utf-8", "surrogateescape")  # the bytes as they are, whatever they stand for


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The name that an extra field gives, unless the other one was changed since."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + size]
        at += 4 + size
        if kind == _UNICODE_PATH and len(field) > 5 and field[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
            return field[5:].decode("utf-8", "surrogateescape")
    return None
