"""What machine this is, as far as blueprints care."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import Literal, TypeAlias

Os: TypeAlias = Literal["linux", "darwin", "windows"]

_MANAGERS = {
    "linux": ("apt-get", "dnf", "yum", "zypper", "apk", "pacman"),
    "darwin": ("brew",),
    "windows": ("winget", "choco"),
}
_NAMES = {"apt-get": "apt"}


@dataclass(frozen=True, slots=True)
class Platform:
    """``os`` is linux, darwin or windows; the others are empty where there is none."""

    os: Os
    distro: str
    package_manager: str
    init_system: str
    arch: str


def this_platform() -> Platform:
    """Look at this machine. Starts no process."""
    system = this_os()
    return Platform(
        os=system,
        distro=_distro() if system == "linux" else "",
        package_manager=_package_manager(system),
        init_system=_init_system(system),
        arch=os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", ""),
    )


def this_os() -> Os:
    """The operating system that this program runs on."""
    if sys.platform == "darwin":
        return "darwin"
    return "windows" if sys.platform == "win32" else "linux"


def _distro() -> str:
    """ID of os-release(5), such as debian."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    key, _, value = line.strip().partition("=")
                    if key == "ID":
                        return value.strip("\"'")
        except FileNotFoundError:
            continue
    return ""


def _package_manager(system: Os) -> str:
    for program in _MANAGERS[system]:
        if shutil.which(program):
            return _NAMES.get(program, program)
    return ""


def _init_system(system: Os) -> str:
    if system == "darwin":
        return "launchd"
    if system == "windows":
        return "scm"
    # sd_booted(3): this folder exists exactly where systemd is the init system.
    if os.path.isdir("/run/systemd/system"):
        return "systemd"
    return "openrc" if os.path.exists("/sbin/openrc") else ""
