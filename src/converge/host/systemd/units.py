"""Queries many units at once."""

from __future__ import annotations

import contextlib
import math
import os
import stat
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from converge.core.errors import ResourceError
from converge.host.systemd.bus import Bus
from converge.host.systemd.calls import SYSTEMD, Call, Refused, get
from converge.host.systemd.install import file_state_of
from converge.host.systemd.unit_names import FOLDERS, is_template, unit_files

UNIT: Final = f"{SYSTEMD}.Unit"
SERVICE: Final = f"{SYSTEMD}.Service"
ASK_WITHIN: Final = 25.0
"""Seconds for an answer; as long as D-Bus libraries wait by default."""

_NAMES_AT_ONCE: Final = 1000
"""Names in one question, so that it stays far below what a socket takes at a time (some 200 kB)."""
_WRITES_FOR: Final = 2.0
"""Seconds that an empty file is taken for one whose writer has not come to the first word yet."""
_PROVED: Final = 10.0
"""Seconds that a service must run after systemd restarted it before it counts as running; as long as systemd itself
looks back by default to tell whether it is started too often."""
_SLOWEST: Final = 600.0
"""Seconds: the longest RestartSec= that anybody waits for."""
_MARGIN: Final = 5.0
_INVOCATIONS: Final = "/run/systemd/units/invocation:"
"""Links that systemd makes anew each time it starts a unit."""
_CHANGING: Final = frozenset(("activating", "deactivating", "reloading", "refreshing", "maintenance"))


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit, in systemd's own words. Without a file state: it was not asked for, or there is no file."""

    name: str
    """The unit's own name, where it was asked for by an alias."""
    load_state: str = "loaded"
    active_state: str = "inactive"
    sub_state: str = "dead"
    path: str = ""
    job: int = 0
    file_state: str = ""
    # Known where it does not run and is to do so:
    type: str = ""
    """Of a service: simple, oneshot, …"""
    remains: bool = True
    """A oneshot counts as active after its end."""
    load_error: str = ""
    drop_ins: tuple[str, ...] = ()
    """The files that change what its unit file says."""
    stale: bool = False
    """Its files were changed since systemd read them."""
    # Known of a service that was started a short while ago, or is about to be restarted:
    restarts: int = 0
    """How often systemd restarted it, since it was last started by anybody else."""
    ran: float = 0.0
    """Seconds since it was last started, or for which its last process ran."""
    restart_delay: float = 0.0
    """Seconds that systemd waits before it restarts it."""
    half_written: bool = False
    """It counts as masked, as its file was empty: somebody opened that a moment ago to write it."""

    @property
    def exists(self) -> bool:
        """Whether systemd knows it, or would if it looked at its files once more."""
        return self.load_state != "not-found" or bool(self.file_state)

    @property
    def active(self) -> bool:
        return self.active_state == "active"

    @property
    def masked(self) -> bool:
        return self.load_state == "masked" or self.file_state.startswith("masked")

    @property
    def restarting(self) -> bool:
        """It ended, and systemd will start it again after a while."""
        return self.sub_state.startswith("auto-restart") and not self.job

    @property
    def unproved(self) -> float:
        """Seconds until a service that systemd restarted has run for long enough to count as running.

        A crash loop is active now and then, but never for as long as this.
        """
        if self.restarting:
            return self._to_prove
        return max(0.0, self._to_prove - self.ran) if self.restarts and self.active else 0.0

    @property
    def looping(self) -> bool:
        """It was restarted and ended again before it could prove itself."""
        return self.restarting and self.restarts > 0 and self.ran < self._to_prove

    @property
    def settles_within(self) -> float:
        """Seconds in which it is restarted and proves itself, if it ever will."""
        return self.restart_delay + self._to_prove + _MARGIN

    @property
    def _to_prove(self) -> float:
        return max(self.restart_delay, _PROVED)

    @property
    def changing(self) -> bool:
        """Neither here nor there: something is being done to it, or it does so itself."""
        return bool(self.job) or self.active_state in _CHANGING


def look(bus: Bus, names: Sequence[str], *, files: Collection[str], running: Collection[str]) -> list[Unit]:
    """The units of these names: of ``files`` with their file state, of ``running`` with all that starting needs."""
    units = _states(bus, names)
    ask = [
        (place, unit)
        for place, (name, unit) in enumerate(zip(names, units, strict=True))
        if name in files or unit.load_state == "not-found"
    ]
    states = bus.ask([Call("GetUnitFileState", "s", (unit.name,)) for _, unit in ask], ASK_WITHIN) if ask else ()
    for (place, unit), state in zip(ask, states, strict=True):
        file_state = "" if isinstance(state, Refused) else str(state)
        writing = file_state.startswith("masked") and _is_being_written(unit.name)
        units[place] = _with(unit, file_state=file_state_of(unit.name, file_state), half_written=writing)
    stopped = [
        place
        for place, (name, unit) in enumerate(zip(names, units, strict=True))
        if name in running and unit.exists and not unit.active and not unit.changing
    ]
    if stopped:
        for place, unit in zip(stopped, _details(bus, [units[place] for place in stopped]), strict=True):
            units[place] = unit
    wanted = [place for place, (name, unit) in enumerate(zip(names, units, strict=True)) if name in running]
    for place, unit in zip(wanted, with_restarts(bus, [units[place] for place in wanted]), strict=True):
        units[place] = unit
    return units


def with_restarts(bus: Bus, units: Sequence[Unit]) -> list[Unit]:
    """The same units, knowing how often systemd restarted those of which that matters."""
    found = list(units)
    young = [place for place, unit in enumerate(units) if unit.restarting or (unit.active and _is_young(unit.name))]
    counts = bus.ask([get(units[place].path, SERVICE, "NRestarts") for place in young], ASK_WITHIN) if young else []
    restarted = [
        (place, count)
        for place, answer in zip(young, counts, strict=True)
        if (count := _or(answer, 0)) or units[place].restarting
    ]
    if not restarted:
        return found
    answers = iter(
        bus.ask(
            [call for place, _ in restarted for call in _of_restarts(units[place].path)],
            ASK_WITHIN,
        )
    )
    for place, count in restarted:
        delay, entered, began, ended = (_or(next(answers), 0) / 1e6 for _ in range(4))
        ran = time.monotonic() - entered
        if units[place].restarting:  # or was, a moment ago: then the next process runs, and the last one is forgotten
            ran = ended - began if ended >= began else math.inf
        found[place] = _with(units[place], restarts=count, restart_delay=min(delay, _SLOWEST), ran=ran)
    return found


def _of_restarts(path: str) -> Iterator[Call]:
    yield get(path, SERVICE, "RestartUSec")
    yield get(path, UNIT, "ActiveEnterTimestampMonotonic")
    yield get(path, SERVICE, "ExecMainStartTimestampMonotonic")
    yield get(path, SERVICE, "ExecMainExitTimestampMonotonic")


def _is_young(name: str) -> bool:
    """Whether it is a service that may have been started within the longest time that it has to prove itself."""
    if not name.endswith(".service"):
        return False
    try:
        started = os.lstat(_INVOCATIONS + name).st_mtime
    except OSError:
        return True  # so it has to be asked for
    return time.time() - started < _SLOWEST + _MARGIN


def _states(bus: Bus, names: Sequence[str]) -> list[Unit]:
    rows: list[Any] = []
    listed = [name for name in names if not is_template(name)]
    for first in range(0, len(listed), _NAMES_AT_ONCE):
        (more,) = bus.ask([Call("ListUnitsByNames", "as", (listed[first : first + _NAMES_AT_ONCE],))], ASK_WITHIN)
        if isinstance(more, Refused):
            raise ResourceError(f"systemd does not list its units: {more}")
        rows += more
    if len(rows) != len(listed):
        raise ResourceError(f"systemd was asked for {len(listed)} units and told of {len(rows)}")
    # One row for each name, in their order; the row of an alias is the unit's own. A template is no unit, only a file.
    units = (
        Unit(own, load_state, active_state, sub_state, path, job)
        for own, _, load_state, active_state, sub_state, _, path, job, _, _ in rows
    )
    return [Unit(name, "not-found") if is_template(name) else next(units) for name in names]


def _details(bus: Bus, units: Sequence[Unit]) -> list[Unit]:
    calls: list[Call] = []
    for unit in units:
        calls += [get(unit.path, UNIT, name) for name in ("LoadError", "NeedDaemonReload", "DropInPaths")]
        if unit.name.endswith(".service"):
            calls += [get(unit.path, SERVICE, "Type"), get(unit.path, SERVICE, "RemainAfterExit")]
    answers = iter(bus.ask(calls, ASK_WITHIN))
    found = []
    for unit in units:
        error, told, known = (next(answers) for _ in range(3))
        type_, remains = "", True
        if unit.name.endswith(".service"):
            type_, remains = _or(next(answers), ""), _or(next(answers), True)
        facts = {"drop_ins": tuple(_or(known, ())), "stale": _stale(unit, told, known)}
        found.append(_with(unit, load_error=_or(error, ["", ""])[1], type=type_, remains=remains, **facts))
    return found


def is_stale(bus: Bus, unit: Unit) -> bool:
    """Whether its files were changed since systemd read them."""
    if is_template(unit.name):
        return False
    told, known = bus.ask([get(unit.path, UNIT, name) for name in ("NeedDaemonReload", "DropInPaths")], ASK_WITHIN)
    return _stale(unit, told, known)


def _stale(unit: Unit, told: object, known: Any) -> bool:
    """systemd itself misses drop-ins in a folder that was not there when it last read all files."""
    return told is True or not drop_ins(unit.name).issubset(map(os.path.basename, _or(known, ())))


def _is_being_written(unit: str) -> bool:
    """Whether what masks it is a file that was written a moment ago.

    It was empty when systemd looked at it, and may have its text by now: then the answer is out of date.
    """
    for folder in FOLDERS:  # the first that has it is the one that counts
        with contextlib.suppress(OSError):
            found = os.stat(f"{folder}/{unit}")
            return stat.S_ISREG(found.st_mode) and abs(time.time() - found.st_mtime) < _WRITES_FOR
    return False


def drop_ins(unit: str) -> set[str]:
    """The names of the drop-ins of this very unit; of several with one name systemd reads the first."""
    found: set[str] = set()
    for folder in (f"{place}/{name}" for place in FOLDERS for name in unit_files(unit) if name.endswith(".d")):
        with contextlib.suppress(OSError):
            found.update(entry.name for entry in os.scandir(folder) if entry.name.endswith(".conf") and entry.is_file())
    return found


def _or(answer: Any, otherwise: Any) -> Any:  # Any: what D-Bus carries
    return otherwise if isinstance(answer, Refused) else answer


def _with(unit: Unit, **facts: Any) -> Unit:  # Any: checked by the class
    from dataclasses import replace

    return replace(unit, **facts)
