"""Checks of many services: one question to systemd for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from converge.resources.base import Busy, NotYet, State
from converge.resources.package.locks import holder
from converge.resources.service.systemd.bus import system_bus
from converge.resources.service.systemd.failure import last_words
from converge.resources.service.systemd.judgement import judge, restarts
from converge.resources.service.systemd.units import Unit, look

if TYPE_CHECKING:
    from converge.resources.service.systemd import SystemdService


def inspect(services: Sequence[SystemdService]) -> Iterator[State | Exception]:
    """What differs, for each in their order."""
    others = cache(holder)  # asked when the first drift is found, and then no more
    for want, unit in zip(services, units_of(services), strict=True):
        found: State | Exception
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
