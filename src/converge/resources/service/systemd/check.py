"""Checks of many services: one question to systemd for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import Busy, NotYet, Permanent, ResourceError
from converge.host.systemd.bus import system_bus
from converge.host.systemd.unit_names import stem
from converge.host.systemd.units import Unit, look
from converge.resources.package.locks import holder
from converge.resources.service.systemd.diagnosis import changed_in_words, last_words

if TYPE_CHECKING:
    from converge.host.systemd.units import Unit
    from converge.resources.service.systemd import SystemdService


def inspect(services: Sequence[SystemdService]) -> Iterator[Changes | Exception]:
    """What differs, for each in their order."""
    others = cache(holder)  # asked when the first drift is found, and then no more
    for want, unit in zip(services, units_of(services), strict=True):
        found: Changes | Exception
        try:
            if unit.looping and want.state == "running":
                raise restarts(unit, last_words(system_bus(), unit))
            found = judge(want, unit)
        except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
            found = error
        # An upgrade stops services and starts them again itself, and may take units away for a moment: no drift.
        if found and (not isinstance(found, Exception) or isinstance(found, NotYet)) and (who := others()):
            found = Busy(f"{who} is at work on packages; waiting until that is done")
        yield found


def units_of(services: Sequence[SystemdService]) -> list[Unit]:
    """The units as they are now, with all that judging and repairing these services needs."""
    return look(
        system_bus(),
        [service.unit for service in services],
        files={service.unit for service in services if service.enable is not None or service.masked is not None},
        running={service.unit for service in services if service.state == "running"},
    )


_SETTLES: Final = 600.0
"""Seconds that a unit may take to start, stop or reload before that counts as a failure."""


# What GetUnitFileState says of units that cannot be enabled, and why.
_NEVER_ENABLED: Final = {
    "static": "its unit file has no [Install] section, so it is started by other units only",
    "indirect": "its [Install] section only names other units; enable those",
    "generated": "systemd makes its unit file anew at each start, as from /etc/fstab",
    "transient": "it was made by a program for this run of the machine only",
    "bad": "its unit file cannot be read",
}


def judge(want: SystemdService, unit: Unit) -> Changes:
    """All that differs. Raises ResourceError where it cannot be as wanted, Busy where that is not settled yet."""
    if unit.half_written:
        raise Busy(f"the unit file of {unit.name} is empty, as if somebody were just writing it", again=0.5)
    if not unit.exists and not want.masked:
        if want.enable or want.state == "running":
            raise missing(want)
        return IN_SYNC
    try:
        enabled = tuple(_enabled(want, unit))
    except Permanent:
        # What cannot be enabled may run all the same; once it does, the next look says so.
        if others := (*_masked(want, unit), *_running(want, unit)):
            return others
        raise
    return (*_masked(want, unit), *enabled, *_running(want, unit))


def missing(want: SystemdService) -> NotYet:
    """It does not exist; a package mostly brings it."""
    changes = []
    if want.enable:
        changes.append(Change("enable", None, "enabled", "create"))
    if want.state == "running":
        changes.append(Change("state", None, "running", "create"))
    needs = want.brought_by or f"package:{stem(want.unit)}"
    return NotYet(f"unit {want.unit} does not exist", needs, tuple(changes))


def _masked(want: SystemdService, unit: Unit) -> Iterator[Change]:
    if want.masked is True and unit.file_state != "masked":
        yield Change("masked", "until the next boot" if unit.masked else "no", "yes")
    elif want.masked is False and unit.masked:
        yield Change("masked", "yes", "no")


def _enabled(want: SystemdService, unit: Unit) -> Iterator[Change]:
    state = unit.file_state or ("transient" if unit.exists else "")
    if want.enable is False and state in ("enabled", "enabled-runtime"):
        yield Change("enable", state, "disabled")
    elif want.enable is False and state == "generated":
        raise Permanent(f"{unit.name} cannot be disabled: {_NEVER_ENABLED[state]}")
    elif want.enable is True and state.startswith("masked"):
        if want.masked is None:
            raise Permanent(f"{unit.name} is masked, so it cannot be enabled; masked=False has it unmasked")
        yield Change("enable", "masked", "enabled")
    elif want.enable is True and state in _NEVER_ENABLED:
        raise Permanent(f"{unit.name} cannot be enabled: {_NEVER_ENABLED[state]}")
    elif want.enable is True and state not in ("enabled", "alias"):
        yield Change("enable", state, "enabled")


def _running(want: SystemdService, unit: Unit) -> Iterator[Change]:
    if want.state is None:
        return
    if want.state == "running" and unit.unproved:
        raise restarts(unit)
    if unit.changing and not (unit.restarting and want.state == "stopped"):
        raise Busy(f"{unit.name} is {_doing(unit)}", at_most=_SETTLES)
    if want.state == "stopped" and (unit.active or unit.restarting):
        yield Change("state", "running" if unit.active else "restarting", "stopped")
    elif want.state == "running" and not unit.active:
        if why := _never_runs(want, unit):
            raise Permanent(why)
        yield Change("state", "failed" if unit.active_state == "failed" else "stopped", "running")


def restarts(unit: Unit, why: str = "") -> ResourceError:
    """What is to be said while systemd restarts a service: at rest is what has run for long enough after that.

    Busy until it has, or has ended again before that, which is a failure.
    """
    times = "once" if unit.restarts == 1 else f"{unit.restarts} times"
    if unit.looping:
        return ResourceError(
            f"{unit.name} keeps restarting: systemd restarted it {times}, "
            f"and it ended again after {max(0.0, unit.ran):.1f} s{why}"
        )
    if unit.restarting:
        text = f"{unit.name} is about to be started again by systemd, as it ended"
    else:
        text = f"{unit.name} was restarted by systemd ({times}) and has run for {unit.ran:.1f} s"
    again = min(max(1.0, unit.restart_delay / 10), unit.unproved)
    return Busy(text, again=again, at_most=unit.settles_within)


def _doing(unit: Unit) -> str:
    queued = ", with a job queued" if unit.job else ""
    return f"{unit.active_state} ({unit.sub_state}{queued}); waiting until it settles"


def _never_runs(want: SystemdService, unit: Unit) -> str | None:
    """Why starting it would lead nowhere."""
    if unit.masked and want.masked is None:
        return f"{unit.name} is masked, so it cannot be started; masked=False has it unmasked"
    if unit.stale or unit.masked:  # systemd is about to read its files; what it knows now is not what will be
        return None
    if unit.load_state not in ("loaded", "not-found"):
        changed = changed_in_words(unit.drop_ins)
        return f"systemd cannot load {unit.name}: {unit.load_error or unit.load_state}{changed}"
    if unit.type == "oneshot" and not unit.remains:
        return (
            f"{unit.name} runs once and ends (Type=oneshot without RemainAfterExit=yes), so it is never found running; "
            "leave out state, or declare the timer or the event that starts it"
        )
    return None
