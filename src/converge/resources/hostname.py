"""``hostname``: what the machine is called."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from converge.core.change import Change, Changes
from converge.core.resource import Adopted, Owned, OwnsPath, Resource
from converge.core.trigger import HostnameChanged, PathChanged, Trigger

STATIC = "/etc/hostname"
"""The name that the machine has after it starts: hostname(5)."""
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
"""RFC 1123, 2.1, and RFC 1035, 2.3.4."""
_LONGEST = 64
"""Characters (the kernel's __NEW_UTS_LEN)."""


@dataclass(frozen=True, slots=True)
class Hostname(Resource):
    """What the machine is called, now and after it starts again."""

    kind: ClassVar[str] = "hostname"
    platforms = ("linux",)
    adoption = "the only one"

    name: str
    """The name: letters, digits and ``-``, in parts with ``.`` between them."""

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        if len(self.name) > _LONGEST:
            yield f"{self.name!r} has {len(self.name)} characters; a host name has {_LONGEST} at most"
        elif not all(_LABEL.fullmatch(label) for label in self.name.split(".")):
            yield (
                f"{self.name!r} is no host name; use letters, digits and '-', in parts of at most 63 with '.' between "
                "them, none of which begins or ends with '-'"
            )
        elif self.name.replace(".", "").isdecimal():
            yield f"{self.name!r} looks like an address; a host name has a letter"

    def claims(self) -> Iterable[str]:
        return ("the host name",)

    def owns(self) -> Iterable[Owned]:
        return (OwnsPath(STATIC),)

    def triggers(self) -> Sequence[Trigger]:
        return (PathChanged(STATIC), HostnameChanged())

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "only root can name the machine"

    def check(self) -> Changes:
        changes = []
        static, live = _static(), socket.gethostname()
        if static != self.name:
            changes.append(Change("static", static, self.name, "update" if static else "create"))
        if live != self.name:
            changes.append(Change("live", live, self.name))
        return tuple(changes)

    def apply(self, state: Changes) -> None:
        for change in state:
            if change.property == "static":
                _write(self.name)
            else:
                socket.sethostname(self.name)

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        del name
        static, live = _static(), socket.gethostname()
        remarks = (f"Until the next boot it is called {live}.",) if static not in (None, live) else ()
        return Adopted(Hostname(static or live), remarks)


def _static() -> str | None:
    """The first line that is neither blank nor a comment."""
    try:
        with open(STATIC, encoding="utf-8", errors="replace") as file:
            lines = (line.strip() for line in file)
            return next((line for line in lines if line and not line.startswith("#")), None)
    except FileNotFoundError:
        return None


def _write(name: str) -> None:
    from converge.resources.file import File

    file = File(STATIC, content=f"{name}\n")
    file.apply(file.check())
