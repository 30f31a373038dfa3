"""Why a unit does not run, in words, with the end of its journal."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Final

from converge.core.errors import ResourceError
from converge.host import process
from converge.host.systemd.bus import Bus
from converge.host.systemd.calls import Refused, get
from converge.host.systemd.units import ASK_WITHIN, SERVICE, UNIT, Unit

_LINES: Final = 10
_JOURNAL_WITHIN: Final = 5.0
_EXITED: Final = 1  # CLD_EXITED
_ENDS: Final = ("exit-code", "signal", "core-dump")
_KILLED: Final = (2, 3)  # CLD_KILLED and CLD_DUMPED of waitid(2)
_RESULTS: Final = {
    "timeout": "it took longer than its unit file allows",
    "watchdog": "its watchdog was not heard of in time",
    "oom-kill": "the machine ran out of memory",
    "resources": "systemd could not get it what it needs",
    "protocol": "it did not do what its Type= promises",
    "exec-condition": "its ExecCondition= said no",
}
_RELOAD_RESULTS: Final = {
    "exit-code": "its ExecReload= failed",
    "signal": "its ExecReload= was killed",
    "core-dump": "its ExecReload= was killed",
    "timeout": "its ExecReload= took longer than its unit file allows",
    "resources": "systemd could not get its ExecReload= what it needs",
    "protocol": "it did not say that it had read its configuration",
}
START_LIMIT: Final = (
    "it was started too often in a short time, so systemd refuses to start it for a while "
    "(StartLimitBurst= and StartLimitIntervalSec= of its unit)"
)


def why_not_running(bus: Bus, unit: Unit, what: str) -> ResourceError:
    """The error for a unit that was to be started: what happened, why, and its last words."""
    condition, result, code, status = bus.ask(
        [
            get(unit.path, UNIT, "ConditionResult"),
            get(unit.path, SERVICE, "Result"),
            get(unit.path, SERVICE, "ExecMainCode"),
            get(unit.path, SERVICE, "ExecMainStatus"),
        ],
        ASK_WITHIN,
    )
    if condition is False and unit.active_state != "failed":
        return ResourceError(f"{unit.name} is not started by systemd: a Condition…= of its unit file does not hold")
    why = _why(result, code, status)
    return ResourceError(f"{unit.name} {what}{f': {why}' if why else ''}{changed_by(bus, unit)}{_journal(unit)}")


def why_not_reloaded(bus: Bus, unit: Unit, what: str) -> ResourceError:
    """The error for a unit that runs on although it could not read its configuration anew."""
    (result,) = bus.ask([get(unit.path, SERVICE, "ReloadResult")], ASK_WITHIN)
    why = _RELOAD_RESULTS.get(str(result), "")
    text = f"{unit.name} {what}; it still runs with the old configuration"
    return ResourceError(f"{text}{f': {why}' if why else ''}{_journal(unit)}")


def changed_by(bus: Bus, unit: Unit) -> str:
    """The drop-ins of a unit, which may be what breaks it; to be added to a text."""
    (paths,) = bus.ask([get(unit.path, UNIT, "DropInPaths")], ASK_WITHIN)
    return changed_in_words(() if isinstance(paths, Refused) else paths)


def changed_in_words(drop_ins: Sequence[str]) -> str:
    """The same for drop-ins that are known already."""
    return f"; {', '.join(drop_ins)} changes what its unit file says" if drop_ins else ""


def last_words(bus: Bus, unit: Unit) -> str:
    """How the last process of a unit ended, where that is known, and the end of its journal; to be added to a text."""
    code, status = bus.ask([get(unit.path, SERVICE, name) for name in ("ExecMainCode", "ExecMainStatus")], ASK_WITHIN)
    ended = code and isinstance(status, int)  # while another one runs, only the journal has it
    return (f"; its process ended with {_ending(code, status)}" if ended else "") + _journal(unit)


def _journal(unit: Unit) -> str:
    lines = _last_words(unit.name)
    return f"; the end of its journal:\n{lines}" if lines else ""


def _why(result: object, code: object, status: object) -> str:
    if isinstance(result, Refused):  # it is no service, and has none of these
        return ""
    if result == "start-limit-hit":
        return START_LIMIT
    if result in _ENDS and code in (0, _EXITED) and status == 0:
        return "a command beside its main process failed (ExecStartPre=, ExecStartPost= or the like)"
    if result in (*_ENDS, "success") and isinstance(status, int):
        return f"its process ended with {_ending(code, status)}"
    return _RESULTS.get(str(result), str(result))


def _ending(code: object, status: int) -> str:
    if code in _KILLED:
        try:
            return f"signal {signal.Signals(status).name}"
        except ValueError:  # a real-time signal has no name
            return f"signal {status}"
    return f"exit status {status}"


def _last_words(unit: str) -> str:
    command = ["journalctl", "--no-pager", "--quiet", "--output=cat", f"--lines={_LINES}", f"--unit={unit}"]
    try:
        done = process.run(command, timeout=_JOURNAL_WITHIN)
    except (ResourceError, OSError):
        return ""  # a machine may do without a journal
    return done.output.rstrip() if done.returncode == 0 else ""
