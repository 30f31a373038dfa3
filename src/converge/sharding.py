"""Rolling changes out to a part of a fleet: a stable number from 0 to 99 for each machine.

The number is made from the hardware serial, so that it outlives reinstallation and is the same that the machine had
under the Go tool of this name.
"""

from __future__ import annotations

import hashlib

_PLACEHOLDERS = frozenset(
    {
        "",
        "0",
        "none",
        "not specified",
        "to be filled by o.e.m.",
        "default string",
        "system serial number",
        "chassis serial number",
    }
)
"""What firmware says where nobody wrote a serial; many machines would share one bucket."""

_DMI_SERIALS = (
    "/sys/class/dmi/id/product_serial",
    "/sys/class/dmi/id/chassis_serial",
    "/sys/class/dmi/id/board_serial",
)


def shard_bucket(serial: str) -> int:
    """0 to 99. SHA-256 of the first 7 characters of the trimmed serial; its first 8 bytes, big-endian, modulo 100."""
    digest = hashlib.sha256(serial.strip()[:7].encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


def in_shard_with_serial(percent: int, serial: str) -> bool:
    """Whether a machine with this serial is among the first ``percent`` of a hundred. Placeholders never are."""
    if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= 100:
        raise ValueError(f"a shard is a whole number of percent from 0 to 100, not {percent!r}")
    if percent in (0, 100):
        return percent == 100
    return serial.strip().casefold() not in _PLACEHOLDERS and shard_bucket(serial) < percent


def hardware_serial() -> str:
    """This machine's serial, or "" where it has none or it is not readable (Linux lets only root read it)."""
    for path in _DMI_SERIALS:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                serial = file.read().strip()
        except (FileNotFoundError, PermissionError):
            continue
        if serial.casefold() not in _PLACEHOLDERS:
            return serial
    return ""
