"""What is known of a reboot that was asked for, in a small file that outlives it; and which boot this is."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass

from converge.core.errors import ResourceError
from converge.host.state_dirs import ensure_dir, state_dir

_FLEETING = frozenset(("tmpfs", "ramfs", "rootfs"))
"""File systems that are empty after a reboot."""


@dataclass(frozen=True, slots=True)
class Record:
    """A reboot that was asked for in the boot ``boot``. Times are seconds of CLOCK_BOOTTIME, which nobody sets."""

    boot: str
    cause: str
    """What asked for it; another cause asks anew."""
    due: float
    """Not before this."""
    issued: float | None = None
    """When the system was told; None until then."""
    hasty: int = 0
    """How many reboots in a row, with this one, were asked for soon after a boot."""


def this_boot() -> str:
    """A name for the time since the machine, or the container, was started.

    The kernel's boot id changes with each boot. A container may share it with its host, so the start of its first
    process tells its boots apart. No clock that can be set has a part in it.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()}/{_first_start()}"
    except OSError as error:
        raise ResourceError(f"which boot of the machine this is cannot be told: {error}") from error


def now() -> float:
    """Seconds since the kernel's boot, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def uptime() -> float:
    """Seconds since the machine, or the container, was started."""
    return now() - _first_start() / os.sysconf("SC_CLK_TCK")


def _first_start() -> int:
    """When the first process was started, in clock ticks since the kernel's boot."""
    with open("/proc/1/stat", encoding="utf-8", errors="replace") as file:
        # Fields are counted after the name, which may hold anything: it is the 22nd of all.
        return int(file.read().rpartition(")")[2].split()[19])


def read(name: str) -> Record | None:
    """The record of a reboot; None where none was asked for. Raises PermissionError where we may not look."""
    path = _path(name)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    try:
        return Record(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ResourceError(
            f"{path} is damaged ({error}), so whether the machine was rebooted cannot be told; remove it to reboot"
        ) from error


def write(name: str, record: Record) -> None:
    """Keep it, durably: it must be found after the reboot."""
    folder = ensure_dir(state_dir())
    _refuse_fleeting(str(folder))
    path = _path(name)
    new = f"{path}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
        file.flush()
        os.fsync(descriptor)
    os.rename(new, path)
    _sync(str(folder))


def _path(name: str) -> str:
    return str(state_dir() / f"reboot-{name}.json")


def _refuse_fleeting(folder: str) -> None:
    """A machine that forgets the reboot with it would be rebooted for ever."""
    from converge.host.mountinfo import read_table

    mounted = read_table().holding(os.path.realpath(folder))
    if mounted is not None and mounted.fstype in _FLEETING:
        raise ResourceError(
            f"{folder} is on a {mounted.fstype}, which is empty after a reboot, so the machine would be rebooted again "
            "and again; set CONVERGE_STATE_DIR to a folder that lasts"
        )


def _sync(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
