"""Reads SMBIOS firmware tables."""

from __future__ import annotations

import struct
import sys
from typing import Final

_RAW: Final = struct.unpack(">I", b"RSMB")[0]
"""The provider of raw SMBIOS tables, for GetSystemFirmwareTable."""
_RAW_HEADER: Final = 8
"""Bytes of RawSMBIOSData before its tables: calling method, version, revision, length."""
_SYSTEM: Final = 1
"""The structure "System Information" (DMTF DSP0134, 7.2); the number of its serial's text is at offset 7."""
_SERIAL_AT: Final = 7
_END: Final = 127


def firmware_table() -> bytes:
    """The raw tables of this machine, with the header that Windows puts before them; empty where there are none."""
    if sys.platform != "win32":
        return b""
    import ctypes

    ask = ctypes.windll.kernel32.GetSystemFirmwareTable
    size = ask(_RAW, 0, None, 0)
    buffer = ctypes.create_string_buffer(size)
    return buffer.raw[: ask(_RAW, 0, buffer, size)] if size else b""


def system_serial(raw: bytes) -> str:
    """The serial number of the system; "" where the tables are broken or name none."""
    at = _RAW_HEADER
    while at + 4 <= len(raw):
        kind, length = raw[at], raw[at + 1]
        end = raw.find(b"\0\0", at + length)
        if kind == _END or length < 4 or end < 0:
            return ""
        if kind == _SYSTEM and length > _SERIAL_AT:
            number = raw[at + _SERIAL_AT]
            texts = raw[at + length : end].split(b"\0")
            return texts[number - 1].decode("latin-1").strip() if 0 < number <= len(texts) else ""
        at = end + 2
    return ""
