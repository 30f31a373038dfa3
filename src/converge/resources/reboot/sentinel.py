"""Reads the sentinels of the Go tool of this name, so that a machine that comes from it is not rebooted once more."""

from __future__ import annotations

import os
import time
from typing import Final

from converge.core.errors import ResourceError

FOLDER: Final = "/var/lib/converge"
"""Fixed there, whatever our own state directory is."""
_GRACE: Final = 2.0
"""Seconds by which the boot may seem to be before the sentinel."""
_NANOSECONDS: Final = 10**12
"""Greater numbers are nanoseconds, as older versions wrote them."""
_LONGEST: Final = 64


def made(name: str) -> bool:
    """Whether that tool asked for this reboot and the machine was started since. Raises ResourceError."""
    from converge.resources.reboot import record

    path = f"{FOLDER}/reboot-{name}.sentinel"
    asked = _read(path)
    if asked is None:
        return False
    now = time.time()
    if asked > now + _GRACE:
        raise ResourceError(
            f"{path} is from the future by this machine's clock, so whether the machine was rebooted cannot be told; "
            "set the clock, or remove the file to reboot"
        )
    return now - record.uptime() > asked - _GRACE


def _read(path: str) -> float | None:
    """Seconds since 1970; None where there is no sentinel."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(handle)
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
            raise ResourceError(f"{path} could have been written by others than root; remove it, or mend that")
        text = os.read(handle, _LONGEST)
    finally:
        os.close(handle)
    try:
        number = int(text)
    except ValueError as error:
        raise ResourceError(
            f"{path} is damaged, so whether the machine was rebooted cannot be told; remove it to reboot"
        ) from error
    return number / 1e9 if number > _NANOSECONDS else float(number)
