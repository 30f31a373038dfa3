"""The hardware serial number."""

from __future__ import annotations

import re
import sys

from converge.core.platform import this_os

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


def reference_serial() -> str:
    """The serial that the Go tool of this name goes by: as :func:`hardware_serial`, but on macOS ``kern.uuid``.

    That is the number of the kernel's build. It is the same on all Macs with one version of macOS, and changes with
    each update, so it is only for going on with a rollout that was begun there:
    ``r.in_shard_with_serial(10, reference_serial())``.
    """
    if this_os() != "darwin":
        return hardware_serial()
    from converge.core.errors import ResourceError
    from converge.host import process

    try:
        told = process.run(["/usr/sbin/sysctl", "-n", "kern.uuid"], timeout=10)
    except (ResourceError, PermissionError):
        return ""
    return told.output.strip() if told.returncode == 0 else ""


def hardware_serial() -> str:
    """This machine's serial, or "" where it has none or it is not readable (Linux lets only root read it).

    On macOS it is the hardware UUID, on Windows that of the system in the tables of the firmware.
    """
    if this_os() == "darwin":
        return _hardware_uuid()
    if sys.platform == "win32":
        from converge.host import smbios

        serial = smbios.system_serial(smbios.firmware_table())
        return "" if serial.casefold() in _PLACEHOLDERS else serial
    for path in _DMI_SERIALS:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                serial = file.read().strip()
        except (FileNotFoundError, PermissionError):
            continue
        if serial.casefold() not in _PLACEHOLDERS:
            return serial
    return ""


def _hardware_uuid() -> str:
    from converge.core.errors import ResourceError
    from converge.host import process

    try:
        return uuid_in(process.run(["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"], timeout=10).output)
    except (ResourceError, PermissionError):
        return ""


def uuid_in(listing: str) -> str:
    """The hardware UUID in what ioreg(8) prints of the class IOPlatformExpertDevice, or ""."""
    found = re.search(r'"IOPlatformUUID" = "([0-9A-Fa-f-]{36})"', listing)
    return "" if found is None else found[1]
