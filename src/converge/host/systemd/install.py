"""Whether a unit is enabled, where systemd's own answer is ambiguous."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from typing import Final

from converge.host.systemd.unit_names import FOLDERS, stem, unit_files

_SCRIPTS: Final = "/etc/init.d"
_RUN_LEVELS: Final = ("/etc/rcS.d", "/etc/rc5.d", "/etc/rc.d/rc5.d")
"""Where links start scripts of System V at boot, as systemd-sysv-install of Debian and Red Hat look for them."""
_SYSV_INSTALL: Final = ("/usr/lib/systemd/systemd-sysv-install", "/lib/systemd/systemd-sysv-install")
_MAKES_LINKS: Final = frozenset(("WantedBy", "RequiredBy", "UpheldBy", "Alias"))


def file_state_of(unit: str, told: str) -> str:
    """What systemd said of the file of a unit, or what that means for enabling it.

    *indirect* is also what has an alias that its file does not name; then its own links tell. *generated* is also what
    comes from a script of System V, which is enabled by its links.
    """
    if told == "indirect" and _has_links(unit):
        return "enabled"
    if told == "indirect" and any(_has_install(path) for path in _own_files(unit)):
        return "disabled"
    if told == "generated" and is_sysv(unit):
        return "enabled" if any(True for _ in _started_at_boot(unit)) else "disabled"
    return told


def is_sysv(unit: str) -> bool:
    """Whether it is a script of System V without a unit file."""
    return unit.endswith(".service") and os.path.isfile(f"{_SCRIPTS}/{stem(unit)}") and not any(_own_files(unit))


def sysv_links(unit: str) -> tuple[str, ...]:
    """The folders whose links enable it, where it is a script of System V."""
    return tuple(folder for folder in _RUN_LEVELS if os.path.isdir(folder)) if is_sysv(unit) else ()


def sysv_install(unit: str, *, enable: bool) -> list[str] | None:
    """The command that enables or disables a script, as systemctl runs it; None where this system has none."""
    program = next((path for path in _SYSV_INSTALL if os.access(path, os.X_OK)), None)
    return None if program is None else [program, "enable" if enable else "disable", stem(unit)]


def _started_at_boot(unit: str) -> Iterator[str]:
    for folder in _RUN_LEVELS:
        yield from glob.iglob(f"{folder}/S[0-9][0-9]{glob.escape(stem(unit))}")


def _own_files(unit: str) -> Iterator[str]:
    for folder in FOLDERS:
        for name in unit_files(unit):
            if not name.endswith(".d") and os.path.isfile(f"{folder}/{name}"):
                yield f"{folder}/{name}"


def _has_links(unit: str) -> bool:
    found = (glob.iglob(f"{FOLDERS[0]}/*.{verb}/{glob.escape(unit)}") for verb in ("wants", "requires", "upholds"))
    return any(os.path.islink(path) for paths in found for path in paths)


def _has_install(path: str) -> bool:
    """Whether its [Install] section has a setting that links are made by."""
    section = ""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            text = line.strip()
            if text.startswith("["):
                section = text
            elif section == "[Install]" and text.partition("=")[0].strip() in _MAKES_LINKS:
                return bool(text.partition("=")[2].strip())
    return False
