"""Services of macOS: daemons of launchd. What talks to it is imported when first used."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from converge.core.platform import may_do_all
from converge.core.resource import Named, Need, Uses
from converge.core.trigger import Every, PathChanged, ProcessEnded, Trigger
from converge.resources.service.launchd import places
from converge.resources.service.service import SHORT, Service

_LABEL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_HOMEBREW: Final = "homebrew.mxcl."
"""What Homebrew puts before the name of a package."""


@dataclass(frozen=True, slots=True)
class LaunchdService(Service):
    """A daemon of launchd."""

    providers: ClassVar = "converge.resources.service.launchd.provider:Launchd"

    brought_by: str = field(init=False, compare=False, repr=False, default="")
    """The id of the resource that brings the daemon; empty where the blueprint has none."""
    process: list[int] = field(init=False, compare=False, repr=False, default_factory=list)
    """Its process when it was last looked at, whose end is news of it; empty where it had none."""

    # --- what it is ---------------------------------------------------------------------------------------

    def mistakes(self) -> Iterator[str]:
        if "/" in self.name or self.name.endswith(".plist"):
            yield f"{self.name!r} is no label; write it without folders and .plist, as launchctl print system has it"
        elif not _LABEL.fullmatch(self.name):
            yield f"{self.name!r} is no label of a daemon; launchctl print system lists them"
        yield from Service.mistakes(self)
        if self.enable is False and self.state == "running":
            yield 'launchd starts nothing that is disabled; leave out enable=False or state="running"'

    def with_declared_ids(self, ids: Collection[str]) -> LaunchdService:
        """The same service, knowing what brings it: its property list, or else its package."""
        for id in (self._file(), self._package()):
            if id in ids:
                known = copy.copy(self)
                object.__setattr__(known, "brought_by", id)
                return known
        return self

    def needs(self) -> Sequence[Need]:
        found: list[Need] = [Uses(self._file()), Uses(self._package())]
        if len(self.name) >= SHORT:
            found.append(Named(self.name.removeprefix(_HOMEBREW)))
        return found

    def triggers(self) -> Sequence[Trigger]:
        files = PathChanged(f"{places.OWN_FOLDER}/{self.name}.plist"), PathChanged(places.OVERRIDES)
        return (*files, *map(ProcessEnded, self.process), Every(places.LOOKED_AT_EVERY))

    def triggers_vary(self) -> bool:
        return True  # each time that it is started it is another process

    def needs_root(self) -> str | None:
        return None if may_do_all() else "it manages a daemon of the system"

    def _file(self) -> str:
        return f"file:{places.OWN_FOLDER}/{self.name}.plist"

    def _package(self) -> str:
        return f"package:{self.name.removeprefix(_HOMEBREW)}"

    def missing_from(self) -> str:
        """The id of what would bring it, were it there."""
        return self.brought_by or self._file()
