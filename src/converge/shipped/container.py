"""What a container may not change, although it is there: the kernel is its host's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from converge.core.condition import Condition
from converge.core.trigger import PathChanged, Trigger


@dataclass(frozen=True, slots=True)
class SysctlWritable(Condition):
    """A setting of the kernel is this machine's own to set, or right already."""

    platforms = ("linux",)

    key: str
    value: str
    optional: bool
    """Wait for one that is not there; otherwise that is for the resource to report."""

    def met(self) -> bool:
        if not os.path.exists(self._path()):
            return not self.optional
        return self._writable() or self._right()

    def _writable(self) -> bool:
        if os.statvfs(self._path()).f_flag & os.ST_RDONLY:
            return False  # as most of /proc/sys is in a container
        # In one with a user namespace of its own, its root is nobody to the kernel. Others than root only plan.
        return os.geteuid() != 0 or os.access(self._path(), os.W_OK)

    def _right(self) -> bool:
        try:
            with open(self._path(), encoding="utf-8", errors="replace") as file:
                return file.read().split() == self.value.split()
        except OSError:
            return False  # not readable either

    def triggers(self) -> Sequence[Trigger]:
        return [PathChanged(self._path())]

    def _path(self) -> str:
        return "/proc/sys/" + self.key.translate(_AS_PATH)

    def __str__(self) -> str:
        return f"sysctl_writable({self.key})"


_AS_PATH = str.maketrans("./", "/.")


def sysctl_writable(key: str, value: str, *, optional: bool = False) -> Condition:
    """Holds where ``key`` can be set, which in a container most cannot, or has this value already."""
    return SysctlWritable(key, value, optional)


_CAPABILITIES = {"net_admin": 12, "sys_admin": 21}
"""Numbers of capabilities(7)."""


@dataclass(frozen=True, slots=True)
class HasCapability(Condition):
    """Whether root may do something here at all; the manager of a container takes much away."""

    platforms = ("linux",)

    name: str

    def met(self) -> bool:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            bounding = next(line for line in file if line.startswith("CapBnd:"))
        return bool(int(bounding.split()[1], 16) >> _CAPABILITIES[self.name] & 1)

    def triggers(self) -> Sequence[Trigger]:
        return []  # never comes back to a process

    def __str__(self) -> str:
        return f"has_capability({self.name})"


def may_filter_packets() -> Condition:
    """Holds where root may change the packet filter."""
    return HasCapability("net_admin")


def may_mount() -> Condition:
    """Holds where root may mount file systems."""
    return HasCapability("sys_admin")
