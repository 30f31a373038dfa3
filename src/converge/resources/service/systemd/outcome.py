"""How a job of systemd ended, in words: each verb with each result.

The results are those of ``JobRemoved`` in org.freedesktop.systemd1(5), and those that systemctl(1) knows besides.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from converge.core.errors import Busy, ResourceError
from converge.host.systemd.bus import Bus
from converge.host.systemd.calls import Call, Refused, get
from converge.host.systemd.units import ASK_WITHIN, UNIT, Unit
from converge.resources.service.systemd.diagnosis import why_not_reloaded, why_not_running

Verb: TypeAlias = Literal["start", "stop", "restart", "reload"]

_FINE: Final = frozenset(("done", "skipped"))
"""``skipped``: it was in the wanted state already."""
_OTHERS: Final = {
    "canceled": "somebody had another wish for {unit} meanwhile",
    "collected": "systemd dropped what it was to do for {unit}, since nothing needed that any more",
    "invalid": "{unit} is not active any more, so it cannot be reloaded",
}
"""What others do, or what is another state by now; the next look judges it."""
_REASONS: Final = {
    "assert": "an Assert…= of its unit file does not hold",
    "unsupported": "units of its type are not supported on this system",
    "once": "it is started once only while this machine runs, and was",
    "frozen": "it is frozen; systemctl thaw {unit} has it go on",
    "concurrency": "its slice runs as many units as ConcurrencyHardMax= allows",
}
_NEEDED: Final = ("Requires", "Requisite", "BindsTo")


def must_have_gone_well(bus: Bus, unit: Unit, verb: Verb, result: str) -> None:
    """Raise what is to be said of a job with this result; ``unit`` as it is now."""
    if result in _FINE:
        return
    if text := _OTHERS.get(result):
        raise Busy(text.format(unit=unit.name), again=0.5)
    if reason := _reason(bus, unit, result):
        raise ResourceError(f"{unit.name} {_did_not(verb)}: {reason}")
    took_too_long = result == "timeout"
    if verb == "reload" and unit.active:
        raise why_not_reloaded(bus, unit, "took too long to reload" if took_too_long else "could not be reloaded")
    if verb == "stop":
        raise ResourceError(f"{unit.name} {'took too long to stop' if took_too_long else f'did not stop ({result})'}")
    raise why_not_running(bus, unit, f"took too long to {verb}" if took_too_long else _did_not(verb))


def _did_not(verb: Verb) -> str:
    return "could not be reloaded" if verb == "reload" else f"did not {verb}"


def _reason(bus: Bus, unit: Unit, result: str) -> str:
    if result == "dependency":
        failed = _failed_needs(bus, unit)
        return f"{' and '.join(failed)}, which it needs, failed" if failed else "a unit that it needs failed"
    return _REASONS.get(result, "").format(unit=unit.name)


def _failed_needs(bus: Bus, unit: Unit) -> list[str]:
    answers = bus.ask([get(unit.path, UNIT, name) for name in _NEEDED], ASK_WITHIN)
    needed = sorted({name for answer in answers if not isinstance(answer, Refused) for name in answer})
    if not needed:
        return []
    rows: Any  # Any: what D-Bus carries
    (rows,) = bus.ask([Call("ListUnitsByNames", "as", (needed,))], ASK_WITHIN)
    return [] if isinstance(rows, Refused) else [row[0] for row in rows if row[3] == "failed"]
