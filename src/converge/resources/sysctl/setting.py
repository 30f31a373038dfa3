"""``sysctl``: one setting of the kernel, now and after a reboot."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Literal

from converge.core.change import Verb
from converge.core.resource import Inside, Need, Owned, OwnsPath, Resource, Uses
from converge.core.trigger import LinkChanged, PathChanged, Trigger
from converge.resources.sysctl import keys

FILE = "/etc/sysctl.d/99-converge.conf"
"""What is set again when the machine starts: sysctl.d(5)."""
_LONGEST = 1024
"""Characters. The kernel takes at most a page at once, and names of programs have 128."""


@dataclass(frozen=True, slots=True)
class Sysctl(Resource):
    """A setting of the Linux kernel: its live value, and a line in a file that is read when the machine starts."""

    kind: ClassVar[str] = "sysctl"
    platforms = ("linux",)
    adoption = "by name"
    providers: ClassVar = {"linux": "converge.resources.sysctl.provider:LinuxSysctl"}

    key: str
    """Its name, such as ``net.ipv4.ip_forward``; a dot within a name is written as ``/``, as in ``eth0/1``."""
    value: int | str | None = None
    """What it is to be; several numbers have blanks between them."""
    _: KW_ONLY
    persist: bool = True
    """Also after a reboot, by a line in ``/etc/sysctl.d/99-converge.conf``."""
    state: Literal["present", "absent"] = "present"
    """``absent`` takes the line away; the live value is left as it is."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return keys.canonical(self.key)

    def mistakes(self) -> Iterator[str]:
        if why := keys.mistake(self.key):
            yield why
        if self.is_removal():
            if self.value is not None:
                yield "a value has no meaning with state absent: the line is taken away, whatever it says"
            if not self.persist:
                yield "state absent takes a line away, and persist=False leaves lines alone; give one of them"
        elif self.value is None:
            yield "value is missing"
        elif not str(self.value).replace("\t", " ").isprintable() or len(self.text()) > _LONGEST:
            yield "value takes one line of text"

    def is_removal(self) -> bool:
        return self.state == "absent"

    def needs(self) -> Sequence[Need]:
        return (Uses(f"file:{FILE}"), Inside(FILE)) if self.persist else ()

    def owns(self) -> Iterable[Owned]:
        return (OwnsPath(FILE, owner=True, group=True),) if self.persist and not self.is_removal() else ()

    def triggers(self) -> Sequence[Trigger]:
        triggers: list[Trigger] = []
        if not self.is_removal():
            # The kernel tells of what is written there, and not of what it changes by itself: that is polled.
            triggers.append(PathChanged(self.path()))
            if link := keys.link(self.key):
                triggers.append(LinkChanged(link))
        if self.persist:
            triggers.append(PathChanged(FILE))
        return triggers

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "only root can change settings of the kernel"

    def group_key(self, verb: Verb) -> str | None:
        return verb

    def path(self) -> str:
        """Where the live value is."""
        return keys.path(self.key)

    def text(self) -> str:
        """The value as it is written: with one blank between its parts."""
        return " ".join(str(self.value).split())
