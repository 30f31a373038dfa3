"""Putting a unit right: its files first, then what runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from converge.core.change import Changes
from converge.core.errors import Busy, NotYet, ResourceError
from converge.host import process
from converge.host.systemd.bus import Bus, system_bus
from converge.host.systemd.calls import SYSTEMD, Call, Refused, get
from converge.host.systemd.install import is_sysv, sysv_install
from converge.host.systemd.shutdown import going_down
from converge.host.systemd.unit_names import is_template, stem
from converge.host.systemd.units import ASK_WITHIN, UNIT, Unit, is_stale
from converge.resources.service.systemd.check import units_of
from converge.resources.service.systemd.diagnosis import START_LIMIT, why_not_running
from converge.resources.service.systemd.outcome import Verb, must_have_gone_well

if TYPE_CHECKING:
    from converge.resources.service.systemd import SystemdService

_PROVES_ITSELF: Final = 0.3
"""Seconds for which a process must live that only has to be started to count as running: most that cannot do their
work (a mistake in the configuration, a port that is taken) end sooner."""
_SAY_SO: Final = ("notify", "notify-reload", "dbus", "oneshot")
"""Types of services that tell when they are ready, or are done when they end."""
_NO_TIME: Final = 300.0


def repair(want: SystemdService, state: Changes) -> None:
    """Do what ``state`` says, and nothing else."""
    wanted = {change.property for change in state}
    bus = system_bus()
    (unit,) = units_of([want])
    if "state" in wanted and unit.changing and not unit.restarting:
        raise Busy(f"{unit.name} is {unit.active_state} by now, with a job of others")
    if is_stale(bus, unit) or (unit.load_state == "not-found" and unit.file_state):
        _read_files_again(bus, unit)
    if "masked" in wanted:
        _mask(bus, want, unit)
    not_enabled = _try_to_enable(bus, want, unit) if "enable" in wanted else None
    if "state" in wanted:
        if want.state == "running":
            _start(bus, want, unit, "start")
        else:
            _finish(bus, want, "stop", _job(bus, want, unit, "StopUnit"))
    if not_enabled is not None:
        raise not_enabled


def restart(want: SystemdService, *, reload: bool) -> None:
    """React to a change. A unit whose running is not declared is only restarted where it runs."""
    bus = system_bus()
    (unit,) = units_of([want])
    if unit.changing:
        raise Busy(f"{unit.name} is {unit.active_state} already")
    if not unit.exists or (want.state is None and not unit.active):
        return
    if is_stale(bus, unit):
        _read_files_again(bus, unit)
    # What was changed may be the cure, so that former failures should not count any more.
    bus.ask([Call("ResetFailedUnit", "s", (unit.name,))], ASK_WITHIN)
    _start(bus, want, unit, "reload" if reload and unit.active and _can_reload(bus, unit) else "restart")


# --- what runs --------------------------------------------------------------------------------------------


def _start(bus: Bus, want: SystemdService, unit: Unit, verb: Verb) -> None:
    if going_down(bus):
        raise Busy("the machine is shutting down", again=5.0)
    bus.ask([Call("RefUnit", "s", (unit.name,))], ASK_WITHIN)  # or else it is forgotten once it has ended, and why
    try:
        _start_and_watch(bus, want, unit, verb)
    finally:
        bus.ask([Call("UnrefUnit", "s", (unit.name,))], ASK_WITHIN)


def _start_and_watch(bus: Bus, want: SystemdService, unit: Unit, verb: Verb) -> None:
    before = _run_of(bus, unit)
    result = _job(bus, want, unit, _method(want, verb))
    if result == "failed" and before and not unit.active and _run_of(bus, unit) == before:
        raise ResourceError(f"{unit.name} did not start: {START_LIMIT}")  # no attempt was made
    _finish(bus, want, verb, result)
    (now,) = units_of([want])
    if now.active and not (_must_prove_itself(bus, now) and _run_of(bus, now) != before):
        return
    if now.job or (now.active and not bus.falls(now.name, now.path, _PROVES_ITSELF)):
        return  # it lives; or others have ended it, and the check that follows judges that
    (now,) = units_of([want])
    if not now.active:
        raise why_not_running(bus, now, f"ended right after it was {verb}ed")


def _method(want: SystemdService, verb: Verb) -> str:
    """What systemd calls it. Where nobody declares that it runs, it is only restarted if it still runs by then."""
    whether = "Try" if verb == "restart" and want.state != "running" else ""
    return f"{whether}{verb.capitalize()}Unit"


def _can_reload(bus: Bus, unit: Unit) -> bool:
    (answer,) = bus.ask([get(unit.path, UNIT, "CanReload")], ASK_WITHIN)
    return answer is True


def _must_prove_itself(bus: Bus, unit: Unit) -> bool:
    if not unit.name.endswith(".service"):
        return False
    (answer,) = bus.ask([get(unit.path, f"{SYSTEMD}.Service", "Type")], ASK_WITHIN)
    return answer not in _SAY_SO


def _run_of(bus: Bus, unit: Unit) -> object:
    """Which run of the unit this is."""
    (answer,) = bus.ask([get(unit.path, UNIT, "InvocationID")], ASK_WITHIN)
    return None if isinstance(answer, Refused) else bytes(answer)


def _job(bus: Bus, want: SystemdService, unit: Unit, verb: str) -> str:
    seconds = want.seconds() or _NO_TIME
    what = "stop" if verb == "StopUnit" else "come up"
    try:
        return bus.job(Call(verb, "ss", (unit.name, "replace")), seconds, f"{unit.name} did not {what}")
    except Refused as error:
        raise _in_words(error, unit) from error


def _finish(bus: Bus, want: SystemdService, verb: Verb, result: str) -> None:
    (now,) = units_of([want])
    must_have_gone_well(bus, now, verb, result)


# --- its files --------------------------------------------------------------------------------------------


def _mask(bus: Bus, want: SystemdService, unit: Unit) -> None:
    if want.masked:
        _change_files(bus, unit, Call("MaskUnitFiles", "asbb", ([unit.name], False, False)))
        return
    calls = [Call("UnmaskUnitFiles", "asb", ([unit.name], runtime)) for runtime in (False, True)]
    _change_files(bus, unit, *calls)


def _try_to_enable(bus: Bus, want: SystemdService, unit: Unit) -> ResourceError | None:
    """What cannot be enabled is to run all the same, so the error is for later."""
    try:
        _enable(bus, want, unit)
    except Busy:
        raise
    except ResourceError as error:
        return error
    return None


def _enable(bus: Bus, want: SystemdService, unit: Unit) -> None:
    if is_sysv(unit.name):
        _enable_script(bus, unit, enable=want.enable is True)
        return
    if not want.enable:
        calls = [Call("DisableUnitFiles", "asb", ([unit.name], runtime)) for runtime in (False, True)]
        _change_files(bus, unit, *calls)
        return
    (answer,) = _change_files(bus, unit, Call("EnableUnitFiles", "asbb", ([unit.name], False, False)))
    if not answer[0]:
        raise ResourceError(f"{unit.name} cannot be enabled: its unit file has no [Install] section")


def _enable_script(bus: Bus, unit: Unit, *, enable: bool) -> None:
    command = sysv_install(unit.name, enable=enable)
    if command is None:
        raise ResourceError(f"{unit.name} is a script of System V, and this system has no systemd-sysv-install for it")
    done = process.run(command, timeout=ASK_WITHIN)
    if done.returncode:
        raise ResourceError(f"{unit.name}: {command[0]} failed: {done.output.strip()}")
    _reload(bus)


def _change_files(bus: Bus, unit: Unit, *calls: Call) -> list[Any]:  # Any: what D-Bus carries
    answers = bus.ask(calls, ASK_WITHIN)
    for answer in answers:
        if isinstance(answer, Refused):
            raise _in_words(answer, unit) from answer
    _reload(bus)
    return answers


class _Turns:
    """Lets many that want the same done at about the same time have it done once: after the last of them asked."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun = 0
        """How often it was begun; failures do not count."""


_turns = _Turns()


def _reload(bus: Bus) -> None:
    """Have systemd read all unit files again. One that began after we wanted it is as good as our own."""
    begun = _turns.begun
    with _turns.lock:
        if _turns.begun > begun:
            return
        _turns.begun += 1
        try:
            (answer,) = bus.ask([Call("Reload")], _NO_TIME)
            if isinstance(answer, Refused):
                raise ResourceError(f"systemd cannot read its unit files again: {answer}")
        except BaseException:
            _turns.begun -= 1
            raise


def _read_files_again(bus: Bus, unit: Unit) -> None:
    """Its files were changed since systemd read them; perhaps to cure it, so former failures do not count any more."""
    _reload(bus)
    bus.ask([Call("ResetFailedUnit", "s", (unit.name,))], ASK_WITHIN)


# --- words ------------------------------------------------------------------------------------------------


def _in_words(error: Refused, unit: Unit) -> ResourceError:
    kind = error.name.rpartition(".")[2]
    if kind == "NoSuchUnit":
        return NotYet(f"unit {unit.name} does not exist", needs=f"package:{stem(unit.name)}")
    if kind == "UnitMasked":
        return ResourceError(f"{unit.name} is masked, so it cannot be started; masked=False has it unmasked")
    if kind == "TransactionIsDestructive":
        return Busy(f"systemd is about to do the contrary to {unit.name}: {error}", again=2.0)
    if kind in ("AccessDenied", "InteractiveAuthorizationRequired"):
        return ResourceError(f"only root may do this to {unit.name}")
    text = f"systemd says of {unit.name}: {str(error).rstrip('.')}"
    if is_template(unit.name):
        text += "; it is a template, which needs DefaultInstance= to be enabled, so name an instance of it"
    return ResourceError(text)
