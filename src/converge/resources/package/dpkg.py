"""dpkg's database, read without a process: every user may, and 200 packages cost no more than one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from converge.core.errors import ResourceError

FOLDER: Final = "/var/lib/dpkg"
_FIELD: Final = re.compile(rb"^(Package|Status|Architecture|Version|Provides):[ \t]*(.*)$", re.MULTILINE)
_GONE: Final = frozenset(("not-installed", "config-files"))
"""States of a package that is not there; its configuration may be."""
_UNPACKED: Final = frozenset(("unpacked", "half-configured", "triggers-awaited", "triggers-pending"))
"""States that ``dpkg --configure`` ends; see dpkg(1)."""


class Entry(NamedTuple):
    """One package, as dpkg has it."""

    name: str
    arch: str
    status: str
    """Three words: what the administrator wants (``install``, ``hold`` …), the error flag, the state."""
    version: str = ""
    provides: str = ""

    def is_there(self) -> bool:
        return self.status.rpartition(" ")[2] not in _GONE

    def broken(self) -> str:
        """The state that an interrupted transaction left; empty where all is well."""
        flag, state = self._flag_and_state()
        if flag == "reinstreq":
            return f"{state}, to be reinstalled"
        return "" if state == "installed" else state

    def is_unpacked(self) -> bool:
        """Whether it only has to be configured, which needs no archive of it."""
        flag, state = self._flag_and_state()
        return flag != "reinstreq" and state in _UNPACKED

    def _flag_and_state(self) -> tuple[str, str]:
        _, flag, state = [*self.status.split(), "", "", ""][:3]
        return flag, state

    def is_held(self) -> bool:
        return self.status.startswith("hold ")

    def provided(self) -> Iterator[str]:
        """The names that it also goes by."""
        for part in self.provides.split(","):
            name = part.partition("(")[0].strip()
            if name:
                yield name


class Database(NamedTuple):
    """All that dpkg knows, by name and architecture, and the machine's own architecture."""

    entries: dict[tuple[str, str], Entry]
    native: str

    def find(self, name: str) -> Entry | None:
        """What is there by this name: ``foo:i386``, or ``foo`` of the machine's own architecture or of all."""
        base, _, arch = name.partition(":")
        for each in (arch,) if arch else (self.native, "all"):
            entry = self.entries.get((base, each))
            if entry is not None and entry.is_there():
                return entry
        return None

    def provided(self) -> set[str]:
        """All names that a package which is there provides."""
        return {name for entry in self.entries.values() if entry.is_there() for name in entry.provided()}


def read(root: str = "/") -> Database:
    """Read it, with what a running or interrupted dpkg has not merged yet."""
    folder = root.rstrip("/") + FOLDER
    try:
        entries = {(entry.name, entry.arch): entry for entry in parse(_bytes(f"{folder}/status"))}
    except FileNotFoundError as error:
        raise ResourceError(f"dpkg does not manage this machine: {folder}/status does not exist") from error
    for update in _updates(f"{folder}/updates"):
        for entry in parse(update):
            entries[entry.name, entry.arch] = entry
    own = next((entry.arch for entry in entries.values() if entry.name == "dpkg"), "")
    return Database(entries, own or _first_architecture(f"{folder}/arch"))


def parse(text: bytes) -> Iterator[Entry]:
    """The packages in a status file."""
    fields: dict[bytes, str] = {}
    for found in _FIELD.finditer(text):
        if found[1] == b"Package" and fields:
            yield _entry(fields)
            fields = {}
        fields[found[1]] = found[2].decode("utf-8", "replace").strip()
    if fields:
        yield _entry(fields)


def _entry(fields: dict[bytes, str]) -> Entry:
    return Entry(
        fields.get(b"Package", ""), fields.get(b"Architecture", ""), fields.get(b"Status", ""),
        fields.get(b"Version", ""), fields.get(b"Provides", ""),
    )  # fmt: skip


def _updates(folder: str) -> Iterator[bytes]:
    """What was written since the status file was; dpkg names these files by numbers."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.isdigit())
    except (FileNotFoundError, PermissionError):
        return
    for name in names:
        try:
            yield _bytes(f"{folder}/{name}")
        except FileNotFoundError:  # merged this moment; the news of that is on its way
            continue


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _first_architecture(path: str) -> str:
    try:
        return _bytes(path).decode("ascii", "replace").split("\n", 1)[0].strip()
    except OSError:
        return ""
