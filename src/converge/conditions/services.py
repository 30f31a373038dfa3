"""Conditions on services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converge.core.condition import Condition
from converge.core.errors import ResourceError
from converge.core.trigger import Trigger, UnitChanged


@dataclass(frozen=True, slots=True)
class ServiceActive(Condition):
    """A unit of systemd is active, and not in a crash loop."""

    platforms = ("linux",)

    unit: str

    def met(self) -> bool:
        from converge.host.systemd.bus import system_bus
        from converge.host.systemd.units import look, with_restarts
        from converge.resources.service.systemd.check import restarts

        try:
            (unit,) = with_restarts(system_bus(), look(system_bus(), [self.unit], files=(), running=()))
        except ResourceError:
            return False  # nothing of systemd's is active as long as it does not answer
        if unit.unproved and not unit.looping:
            raise restarts(unit)  # and is asked again, until it has run for long enough or ended once more
        return unit.active

    def triggers(self) -> Sequence[Trigger]:
        return [UnitChanged(self.unit)]

    def __str__(self) -> str:
        return f"service_active({self.unit})"


def service_active(name: str) -> Condition:
    """Holds while this unit of systemd is active; without a type in its name it is a ``.service``.

    One that systemd restarted is active when it has run for its ``RestartSec=``, and at least for 10 s, since then.
    """
    from converge.host.systemd.unit_names import name_mistakes, unit_name

    for mistake in name_mistakes(name):
        raise ValueError(f"service_active: {mistake}")
    return ServiceActive(unit_name(name))
