"""Services of Linux: units of systemd. What talks to it is imported when first used."""

from __future__ import annotations

import copy
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from converge.core.resource import Named, Need, Owned, OwnsLinks, OwnsPath, Uses
from converge.core.trigger import PathChanged, Trigger, UnitChanged
from converge.host.systemd.unit_names import FOLDERS, name_mistakes, short_name, stem, unit_files, unit_name
from converge.resources.service.service import SHORT, Service


@dataclass(frozen=True, slots=True)
class SystemdService(Service):
    """A unit of systemd."""

    providers: ClassVar = "converge.resources.service.systemd.provider:Systemd"

    unit: str = field(init=False, compare=False, repr=False, default="")
    """The full name."""
    brought_by: str = field(init=False, compare=False, repr=False, default="")
    """The id of the resource that brings the unit; empty where the blueprint has none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", unit_name(self.name))
        Service.__post_init__(self)  # super() does not work in a dataclass with slots

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return short_name(self.name)

    def mistakes(self) -> Iterator[str]:
        runs = self.state is not None or bool(self.refreshed_by())
        yield from name_mistakes(self.name, template=not runs)  # a template can be enabled, and masked
        yield from Service.mistakes(self)
        if self.masked and (self.enable or self.state == "running"):
            yield 'masked=True means that it cannot run; leave out enable=True and state="running"'

    def with_declared_ids(self, ids: Collection[str]) -> SystemdService:
        """The same service, knowing what brings its unit: its package, or else its file."""
        files = (f"file:{folder}/{name}" for folder in FOLDERS for name in unit_files(self.name))
        for id in (f"package:{stem(self.name)}", *files):
            if id in ids:
                known = copy.copy(self)
                object.__setattr__(known, "brought_by", id)
                return known
        return self

    def needs(self) -> Sequence[Need]:
        name = stem(self.name)
        found: list[Need] = [Uses(f"package:{name}")]
        if len(name) >= SHORT:
            found.append(Named(name))
        found += map(Named, unit_files(self.name))
        if not self.unit.endswith(".service"):  # a timer or a socket starts the service of its name
            found += map(Named, unit_files(f"{self.unit.rpartition('.')[0]}.service"))
        return found

    def owns(self) -> Iterable[Owned]:
        if self.enable:  # by links in the folders of what wants it, and under its aliases
            yield OwnsLinks(FOLDERS[0], self.unit)
        if self.masked:
            yield OwnsPath(f"{FOLDERS[0]}/{self.unit}")

    def triggers(self) -> Sequence[Trigger]:
        from converge.host.systemd.install import sysv_links

        links = () if self.enable is None else sysv_links(self.unit)
        return (UnitChanged(self.unit), PathChanged(FOLDERS[0], deep=True), *map(PathChanged, links))

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "it manages a unit of the system"
