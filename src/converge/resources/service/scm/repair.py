"""Putting a service right: how it starts first, then whether it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from converge.resources.base import Busy, NotYet, ResourceError, State
from converge.resources.service.scm import calls, waiting
from converge.resources.service.scm.inspection import STARTS, STATES
from converge.resources.service.scm.manager import Found, Manager, Service, manager
from converge.resources.service.scm.words import Refused, in_words, why_ended

if TYPE_CHECKING:
    from converge.resources.service.scm import ScmService

_NO_TIME: Final = 300.0
_STOPS: Final = calls.STOP | calls.QUERY_STATUS | calls.ENUMERATE_DEPENDENTS
_STARTS: Final = calls.START | calls.QUERY_STATUS | calls.PAUSE_CONTINUE
_NUMBERS: Final = {name: number for number, name in STARTS.items()}


def repair(want: ScmService, state: State) -> None:
    """Do what ``state`` says, and nothing else."""
    wanted = {change.property: change.to for change in state}
    seconds = want.seconds() or _NO_TIME
    try:
        with manager() as scm:
            if start := wanted.get("startup_type"):
                _set_start(scm, want.name, start)
            if wanted.get("state") == "running":
                _start(scm, want.name, seconds)
            elif "state" in wanted:
                for _ in _stop(scm, want.name, seconds):
                    pass
    except Refused as error:
        raise _worded(error, want.name, "cannot be changed") from error


def restart(want: ScmService, *, reload: bool) -> None:
    """React to a change. A service whose running is not declared is only restarted where it runs."""
    seconds = want.seconds() or _NO_TIME
    try:
        with manager() as scm:
            now = _look(scm, want.name)
            if now is None or (want.state is None and now.state == calls.STOPPED):
                return
            if not now.at_rest:
                raise Busy(f"{want.name} is {STATES[now.state]} already")
            if reload and now.state == calls.RUNNING and now.accepts & calls.ACCEPTS_PARAMCHANGE:
                with scm.open(want.name, calls.PAUSE_CONTINUE) as service:
                    service.control(calls.CONTROL_PARAMCHANGE)
                return
            _refuse_disabled(scm, want.name)
            _stop_and_start(scm, want.name, seconds)
    except Refused as error:
        raise _worded(error, want.name, "cannot be restarted") from error


def _look(scm: Manager, name: str) -> Found | None:
    try:
        with scm.open(name, calls.QUERY_STATUS) as service:
            return service.status()
    except Refused as error:
        if error.code == calls.NO_SUCH_SERVICE:
            return None
        raise


def _refuse_disabled(scm: Manager, name: str) -> None:
    """Stopped, it could not be started again."""
    with scm.open(name, calls.QUERY_CONFIG) as service:
        if service.start_type()[0] == calls.DISABLED:
            raise ResourceError(f"{name} is disabled, so it is not restarted: it could not be started again")


# --- how it starts ----------------------------------------------------------------------------------------


def _set_start(scm: Manager, name: str, start: str) -> None:
    delayed = start == "delayed-auto"
    with scm.open(name, calls.QUERY_CONFIG | calls.CHANGE_CONFIG) as service:
        service.set_start_type(calls.AUTO if delayed else _NUMBERS[start], delayed=delayed)


# --- whether it runs --------------------------------------------------------------------------------------


def _start(scm: Manager, name: str, seconds: float) -> None:
    with scm.open(name, _STARTS) as service:
        now = service.status()
        if not now.at_rest:
            raise Busy(f"{name} is {STATES[now.state]} by now")
        if now.state == calls.RUNNING:
            return
        try:
            if now.state == calls.PAUSED:
                service.control(calls.CONTROL_CONTINUE)
            else:
                service.start()
        except Refused as error:
            if error.code == calls.ALREADY_RUNNING:
                return
            raise in_words(error, name, "cannot be started") from error
        now = waiting.until(service, waiting.STARTED, seconds)
    if now.state == calls.STOPPED:
        raise ResourceError(f"{name} did not start: {why_ended(now.exit_code, now.specific_exit_code)}")
    if now.state != calls.RUNNING:
        raise Busy(f"{name} is still {STATES[now.state]}")


def _stop(scm: Manager, name: str, seconds: float) -> Iterator[str]:
    """Stop it, after those that need it; yields the names of these, each once it has stopped."""
    with scm.open(name, _STOPS) as service:
        for each in service.active_dependents():
            with scm.open(each, _STOPS) as other:
                _stop_alone(other, seconds)
            yield each
        _stop_alone(service, seconds)


def _stop_and_start(scm: Manager, name: str, seconds: float) -> None:
    """What had to stop with it is started again, also where it did not stop itself."""
    stopped: list[str] = []
    try:
        stopped.extend(_stop(scm, name, seconds))
        _start(scm, name, seconds)
    finally:
        for each in reversed(stopped):
            _start(scm, each, seconds)


def _stop_alone(service: Service, seconds: float) -> None:
    now = service.status()
    if now.state == calls.STOPPED:
        return
    if now.at_rest and not now.accepts & calls.ACCEPTS_STOP:
        raise ResourceError(f"{service.name} does not let itself be stopped")
    try:
        if now.state != calls.STOP_PENDING:
            service.control(calls.CONTROL_STOP)
    except Refused as error:
        if error.code == calls.NOT_ACTIVE:
            return
        raise in_words(error, service.name, "cannot be stopped") from error
    now = waiting.until(service, waiting.STOPPED, seconds)
    if now.state != calls.STOPPED:
        raise ResourceError(f"{service.name} did not stop within {seconds:g} s; it is {STATES[now.state]}")


def _worded(error: Refused, name: str, what: str) -> ResourceError:
    if error.code == calls.NO_SUCH_SERVICE:
        return NotYet(f"there is no service {name}", f"package:{name}")
    return in_words(error, name, what)
