"""Declares a unit of systemd as it is."""

from __future__ import annotations

from collections.abc import Sequence

from converge.core.errors import ResourceError
from converge.core.resource import Adopted
from converge.host.systemd.bus import system_bus
from converge.host.systemd.calls import get
from converge.host.systemd.unit_names import name_mistakes, short_name
from converge.host.systemd.units import ASK_WITHIN, UNIT, Unit
from converge.resources.service.service import RunState
from converge.resources.service.systemd import SystemdService
from converge.resources.service.systemd.check import units_of

_ENABLED = {"enabled": True, "disabled": False}


def adopt_service(name: str) -> Adopted:
    """Whether it runs, is enabled, is masked; what it is between two states, or by others' doing, is left open."""
    for wrong in name_mistakes(name):
        raise ResourceError(wrong)
    (unit,) = units_of([SystemdService(name, state="running", enable=True)])
    if not unit.exists:
        raise ResourceError(f"there is no unit {unit.name}")
    if unit.changing:
        raise ResourceError(f"{unit.name} is {unit.active_state} just now; try again when that is done")
    if unit.masked:
        return Adopted(_masked(unit))
    starters = _starters(unit)
    state, enable = _state(unit, starters), _ENABLED.get(unit.file_state)
    if state is None and enable is None:
        raise ResourceError(f"{unit.name} does not run and is started by others only; there is nothing to declare")
    return Adopted(SystemdService(short_name(unit.name), state=state, enable=enable), _remarks(unit, starters))


def _masked(unit: Unit) -> SystemdService:
    if unit.file_state != "masked":
        raise ResourceError(f"{unit.name} is masked until the next boot only; there is nothing to declare")
    return SystemdService(short_name(unit.name), masked=True)


def _state(unit: Unit, starters: Sequence[str]) -> RunState | None:
    if unit.active:
        return "running"
    once = unit.type == "oneshot" and not unit.remains
    # Declared as stopped, it would be stopped in the middle of its work.
    return None if once or starters or unit.file_state not in _ENABLED else "stopped"


def _starters(unit: Unit) -> Sequence[str]:
    """The timers, sockets and paths that start it when it is needed."""
    if unit.active or not unit.path:
        return ()
    (answer,) = system_bus().ask([get(unit.path, UNIT, "TriggeredBy")], ASK_WITHIN)
    return [str(each) for each in answer] if isinstance(answer, list) else ()


def _remarks(unit: Unit, starters: Sequence[str]) -> tuple[str, ...]:
    remarks = ["It has failed, and is taken for stopped."] if unit.active_state == "failed" else []
    if starters:
        remarks.append(f"It is started by {' and '.join(starters)}, so whether it runs is left open.")
    if unit.file_state not in _ENABLED:
        remarks.append(f"Whether it is started at boot is left open: its unit file is {unit.file_state or 'unknown'}.")
    return tuple(remarks)
