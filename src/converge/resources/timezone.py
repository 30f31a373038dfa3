"""``timezone``: the local time of the machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from converge.core.change import Change, Changes
from converge.core.errors import NotYet, Permanent, ResourceError
from converge.core.resource import Adopted, Owned, OwnsPath, Resource, Uses
from converge.core.trigger import PathChanged, Trigger

LOCALTIME = "/etc/localtime"
"""A link to the zone's file: localtime(5)."""
TIMEZONE = "/etc/timezone"
"""The zone's name, on Debian and what comes from it; kept right where it exists."""
ZONES = "/usr/share/zoneinfo"
_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_MAGIC = b"TZif"
"""How a compiled zone begins: RFC 8536, 3.1."""


@dataclass(frozen=True, slots=True)
class Timezone(Resource):
    """The time zone of the machine."""

    kind: ClassVar[str] = "timezone"
    platforms = ("linux",)
    adoption = "the only one"

    name: str
    """The zone's name in the IANA database, such as ``Europe/Berlin``, or ``UTC``."""

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield f"{self.name!r} is no name for a time zone; write it as Europe/Berlin, or UTC"

    def needs(self) -> Sequence[Uses]:
        return (Uses("package:tzdata"),)

    def claims(self) -> Iterable[str]:
        return ("the time zone",)

    def owns(self) -> Iterable[Owned]:
        return (OwnsPath(LOCALTIME), OwnsPath(TIMEZONE))

    def triggers(self) -> Sequence[Trigger]:
        return (PathChanged(LOCALTIME), PathChanged(TIMEZONE), PathChanged(f"{ZONES}/{self.name}"))

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "only root can set the machine's time zone"

    def check(self) -> Changes:
        changes = []
        linked, named = _linked(), _named()
        if linked != self.name:
            changes.append(Change("localtime", linked, self.name, "update" if linked else "create"))
        if named not in (None, self.name):
            changes.append(Change("timezone file", named, self.name))
        self._require_zone(tuple(changes))
        return tuple(changes)

    def apply(self, state: Changes) -> None:
        from converge.resources.file import File, Symlink

        for change in state:
            if change.property == "localtime":
                target = os.path.relpath(f"{ZONES}/{self.name}", os.path.dirname(LOCALTIME))
                link = Symlink(LOCALTIME, target, force=True)
                link.apply(link.check())
            else:
                file = File(TIMEZONE, content=f"{self.name}\n")
                file.apply(file.check())

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        del name
        linked = _linked()
        if linked is None:
            raise ResourceError(f"{LOCALTIME} does not exist, so the time here is UTC without being set")
        if not os.path.lexists(f"{ZONES}/{linked}"):
            raise ResourceError(f"{LOCALTIME} is no link to a time zone in {ZONES}, but {linked}")
        return Adopted(Timezone(linked))

    def _require_zone(self, changes: Changes) -> None:
        path = f"{ZONES}/{self.name}"
        try:
            with open(path, "rb") as file:
                if file.read(len(_MAGIC)) == _MAGIC:
                    return
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            pass  # said below
        if not os.path.isdir(ZONES):
            raise NotYet(f"{ZONES} does not exist; it is in the package tzdata", "package:tzdata", changes)
        raise Permanent(f"{ZONES} has no time zone called {self.name}")


def _linked() -> str | None:
    """The zone that is set; in words where it is none of the database."""
    try:
        target = os.readlink(LOCALTIME)
    except FileNotFoundError:
        return None
    except OSError:
        return "a file of its own"
    path = os.path.normpath(os.path.join(os.path.dirname(LOCALTIME), target))
    return path.removeprefix(f"{ZONES}/")


def _named() -> str | None:
    try:
        with open(TIMEZONE, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None
