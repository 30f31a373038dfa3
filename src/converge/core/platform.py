"""Platform facts: OS, distribution, package manager, init system, architecture."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Literal, TypeAlias

Os: TypeAlias = Literal["linux", "darwin", "windows"]

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for, whatever PATH we were started with: a folder on that may be anybody's."""

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


CALLED: dict[Os, str] = {"linux": "Linux", "darwin": "macOS", "windows": "Windows"}
"""The names of the systems, for people."""
ALL: tuple[Os, ...] = tuple(CALLED)

_FAMILIES = {
    "apt": ("debian", "devuan", "kali", "linuxmint", "pop", "raspbian", "ubuntu"),
    "dnf": ("almalinux", "amzn", "centos", "fedora", "ol", "rhel", "rocky"),
    "zypper": ("opensuse-leap", "opensuse-tumbleweed", "sled", "sles"),
    "apk": ("alpine",),
    "pacman": ("arch", "endeavouros", "manjaro"),
}
"""By package manager: the distributions that have it, as ID of os-release(5) names them."""
_WITHOUT_SYSTEMD = {"alpine": "openrc", "devuan": ""}
DISTROS = {distro: manager for manager, distros in _FAMILIES.items() for distro in distros}
_ELSEWHERE: dict[Os, tuple[str, str, str]] = {
    "darwin": ("brew", "launchd", "arm64"),
    "windows": ("winget", "scm", "AMD64"),
}


def pretended_platform(system: Os | None = None, distro: str = "") -> Platform:
    """A machine of this kind, as blueprints see it, without a look at this one. Linux is Debian where nothing is said.

    Raises ValueError, with a sentence, for what is not known.
    """
    system = system or "linux"
    if system not in ALL:
        raise ValueError(f"{system!r} is no platform; choose one of {', '.join(ALL)}")
    if system != "linux":
        if distro:
            raise ValueError(f"{system} has no distributions; leave out {distro!r}")
        manager, init, arch = _ELSEWHERE[system]
        return Platform(system, "", manager, init, arch)
    distro = distro or "debian"
    if distro not in DISTROS:
        from difflib import get_close_matches

        hint = "".join(f" (did you mean {near}?)" for near in get_close_matches(distro, DISTROS, 1))
        raise ValueError(f"no distribution is known as {distro!r}{hint}; there are {', '.join(sorted(DISTROS))}")
    return Platform("linux", distro, DISTROS[distro], _WITHOUT_SYSTEMD.get(distro, "systemd"), "x86_64")


def this_os() -> Os:
    """The operating system that this program runs on."""
    if sys.platform == "darwin":
        return "darwin"
    return "windows" if sys.platform == "win32" else "linux"


def may_do_all() -> bool:
    """Whether we are root, or on Windows an administrator who was asked and said yes."""
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.windll.shell32.IsUserAnAdmin())
    return os.geteuid() == 0


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
    from shutil import which

    for program in _MANAGERS[system]:
        if which(program, path=None if system == "windows" else SYSTEM_PATH):
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
