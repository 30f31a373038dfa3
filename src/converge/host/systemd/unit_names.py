"""Unit names, as in systemd.unit(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

TYPES: Final = ("service", "socket", "timer", "path", "target", "mount", "automount", "swap", "slice")
"""The types of units that can be started; devices and scopes come and go by themselves."""

FOLDERS: Final = (
    "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
)  # fmt: skip
"""Where unit files lie, as systemd.unit(5) has it. Links made by hand in the first enable and mask units, and systemd
sends no news of those."""

_LONGEST: Final = 255  # UNIT_NAME_MAX of systemd, with the zero at the end of its 256
_ALLOWED: Final = re.compile(r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\@-]*)?")


def unit_name(name: str) -> str:
    """The full name: ``ssh`` is ``ssh.service``."""
    return name if name.rpartition(".")[2] in TYPES and "." in name else f"{name}.service"


def short_name(name: str) -> str:
    """The name that ids have: without ``.service``, with any other type."""
    return name.removesuffix(".service")


def stem(name: str) -> str:
    """The name without its type and its instance: ``getty`` of ``getty@tty1.service``."""
    return unit_name(name).rpartition(".")[0].partition("@")[0]


def is_template(name: str) -> bool:
    """Whether it is what instances are made of, such as ``getty@.service``, and no unit itself."""
    base = unit_name(name).rpartition(".")[0]
    return base.endswith("@") and base.count("@") == 1


def unit_files(name: str) -> Iterator[str]:
    """What its unit file may be called, and the folder of its drop-ins."""
    full = unit_name(name)
    names = [full]
    base, dot, kind = full.rpartition(".")
    prefix, at, instance = base.partition("@")
    if at and instance:
        names.append(f"{prefix}@{dot}{kind}")
    for each in names:
        yield each
        yield f"{each}.d"


def name_mistakes(name: str, *, template: bool = False) -> Iterator[str]:
    """Whatever is wrong with the name of a unit; with ``template``, of one or of a template."""
    full = unit_name(name)
    base = full.rpartition(".")[0]
    if not name or not base:
        yield "the name is empty"
    elif not _ALLOWED.fullmatch(full):
        yield f"{name!r} is no name of a unit; it holds letters, digits and : - _ . \\ and, before an instance, @"
    elif len(full) > _LONGEST:
        yield f"the name is longer than {_LONGEST} characters"
    elif is_template(name) and not template:
        yield f"{name} is a template; name an instance of it, such as {base}NAME"
    elif name.endswith((".device", ".scope", ".snapshot")):
        yield f"{name} cannot be started or stopped; it comes and goes by itself"
