"""``service``: a unit of systemd that runs or does not, now and after the next boot."""

from __future__ import annotations

import copy
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from converge.resources.base import (
    Adopted,
    Named,
    Need,
    PathChanged,
    Resource,
    State,
    Trigger,
    UnitChanged,
    Uses,
    Verb,
)
from converge.resources.service.names import FOLDERS, name_mistakes, short_name, stem, unit_files, unit_name

if TYPE_CHECKING:
    from typing import Self

RunState: TypeAlias = Literal["running", "stopped"]

_SHORT = 3
"""Characters that a name needs for files to be found by it."""


@dataclass(frozen=True, slots=True)
class Service(Resource):
    """A unit of systemd: whether it runs now, and whether it is started at boot.

    ``name`` may be of any type of unit that can be started: ``ssh`` (the same as ``ssh.service``),
    ``fstrim.timer``, ``docker.socket``, ``getty@tty2``. All that is not said is left as it is.
    """

    kind: ClassVar[str] = "service"
    platforms = ("linux",)
    at_once: ClassVar[bool] = True
    adoption = "by name"

    name: str
    """The unit; without a type it is a ``.service``."""
    _: KW_ONLY
    state: RunState | None = None
    """Whether it is to run now. Running is what systemd calls *active*. Unset: left as it is."""
    enable: bool | None = None
    """Whether it is started at boot, or by what its ``[Install]`` section names. Unset: left as it is."""
    masked: bool | None = None
    """Whether nobody may start it at all. Unset: left as it is."""
    restart_on: Resource | str | Sequence[Resource | str] = ()
    """Restart it when one of these resources changed."""
    reload_on: Resource | str | Sequence[Resource | str] = ()
    """Have it read its configuration anew when one of these changed; a unit that cannot do that is restarted."""

    unit: str = field(init=False, compare=False, repr=False, default="")
    """The full name."""
    brought_by: str = field(init=False, compare=False, repr=False, default="")
    """The id of the resource that brings the unit; empty where the blueprint has none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", unit_name(self.name))
        Resource.__post_init__(self)  # super() does not work in a dataclass with slots

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return short_name(self.name)

    def mistakes(self) -> Iterator[str]:
        yield from name_mistakes(self.name)
        if self.state is None and self.enable is None and self.masked is None and not self.refreshed_by():
            yield "nothing is wanted of it; give state, enable, masked, restart_on or reload_on"
        if self.masked and (self.enable or self.state == "running"):
            yield 'masked=True means that it cannot run; leave out enable=True and state="running"'
        if self.refreshed_by() and (self.masked or self.state == "stopped"):
            yield "restart_on and reload_on have no meaning for what is not to run"

    def among(self, ids: Collection[str]) -> Service:
        """The same service, knowing what brings its unit: its package, or else its file."""
        files = (f"file:{folder}/{name}" for folder in FOLDERS for name in unit_files(self.name))
        for id in (f"package:{stem(self.name)}", *files):
            if id in ids:
                known = copy.copy(self)
                object.__setattr__(known, "brought_by", id)
                return known
        return self

    def ends_first(self) -> bool:
        return self.state == "stopped" or self.enable is False

    def needs(self) -> Sequence[Need]:
        name = stem(self.name)
        found: list[Need] = [Uses(f"package:{name}")]
        if len(name) >= _SHORT:
            found.append(Named(name))
        found += map(Named, unit_files(self.name))
        if not self.unit.endswith(".service"):  # a timer or a socket starts the service of its name
            found += map(Named, unit_files(f"{self.unit.rpartition('.')[0]}.service"))
        return found

    def refreshed_by(self) -> Sequence[Resource | str]:
        return (*_several(self.restart_on), *_several(self.reload_on))

    def triggers(self) -> Sequence[Trigger]:
        return (UnitChanged(self.unit), PathChanged(FOLDERS[0], deep=True))

    def why_root(self) -> str | None:
        return None if os.geteuid() == 0 else "it manages a unit of the system"

    def group_key(self, verb: Verb) -> str | None:
        """One question for all; but each is started by itself, so that a slow one holds up nobody."""
        return "service" if verb == "check" else None

    # --- what it does -------------------------------------------------------------------------------------

    def apply(self, state: State) -> None:
        from converge.resources.service.repair import repair

        repair(self, state)

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        from converge.resources.service.adoption import adopt_service

        return adopt_service(name)

    def apply_refreshes(self, state: State) -> bool:
        return any(change.property == "state" for change in state)

    def refresh(self, causes: Sequence[str]) -> None:
        from converge.resources.service.repair import restart

        restarts = {each if isinstance(each, str) else each.id for each in _several(self.restart_on)}
        restart(self, reload=restarts.isdisjoint(causes))

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[State | Exception]:
        from converge.resources.service.inspection import inspect

        return inspect(resources)


def _several(wanted: Resource | str | Sequence[Resource | str]) -> Sequence[Resource | str]:
    return (wanted,) if isinstance(wanted, Resource | str) else wanted
