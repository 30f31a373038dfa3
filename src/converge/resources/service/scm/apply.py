"""Putting a service right: how it starts first, then whether it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from converge.core.change import Changes
from converge.core.errors import Busy, NotYet, ResourceError
from converge.host.windows import service_api
from converge.host.windows.service_errors import Refused, in_words, why_ended
from converge.host.windows.service_manager import Found, Manager, Service, manager
from converge.resources.service.scm import wait
from converge.resources.service.scm.check import STARTS, STATES

if TYPE_CHECKING:
    from converge.resources.service.scm import ScmService

_NO_TIME: Final = 300.0
_STOPS: Final = service_api.STOP | service_api.QUERY_STATUS | service_api.ENUMERATE_DEPENDENTS
_STARTS: Final = service_api.START | service_api.QUERY_STATUS | service_api.PAUSE_CONTINUE
_NUMBERS: Final = {name: number for number, name in STARTS.items()}


def repair(want: ScmService, state: Changes) -> None:
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
            if now is None or (want.state is None and now.state == service_api.STOPPED):
                return
            if not now.at_rest:
                raise Busy(f"{want.name} is {STATES[now.state]} already")
            if reload and now.state == service_api.RUNNING and now.accepts & service_api.ACCEPTS_PARAMCHANGE:
                with scm.open(want.name, service_api.PAUSE_CONTINUE) as service:
                    service.control(service_api.CONTROL_PARAMCHANGE)
                return
            _refuse_disabled(scm, want.name)
            _stop_and_start(scm, want.name, seconds)
    except Refused as error:
        raise _worded(error, want.name, "cannot be restarted") from error


def _look(scm: Manager, name: str) -> Found | None:
    try:
        with scm.open(name, service_api.QUERY_STATUS) as service:
            return service.status()
    except Refused as error:
        if error.code == service_api.NO_SUCH_SERVICE:
            return None
        raise


def _refuse_disabled(scm: Manager, name: str) -> None:
    """Stopped, it could not be started again."""
    with scm.open(name, service_api.QUERY_CONFIG) as service:
        if service.start_type()[0] == service_api.DISABLED:
            raise ResourceError(f"{name} is disabled, so it is not restarted: it could not be started again")


# --- how it starts ----------------------------------------------------------------------------------------


def _set_start(scm: Manager, name: str, start: str) -> None:
    delayed = start == "delayed-auto"
    with scm.open(name, service_api.QUERY_CONFIG | service_api.CHANGE_CONFIG) as service:
        service.set_start_type(service_api.AUTO if delayed else _NUMBERS[start], delayed=delayed)


# --- whether it runs --------------------------------------------------------------------------------------


def _start(scm: Manager, name: str, seconds: float) -> None:
    with scm.open(name, _STARTS) as service:
        now = service.status()
        if not now.at_rest:
            raise Busy(f"{name} is {STATES[now.state]} by now")
        if now.state == service_api.RUNNING:
            return
        try:
            if now.state == service_api.PAUSED:
                service.control(service_api.CONTROL_CONTINUE)
            else:
                service.start()
        except Refused as error:
            if error.code == service_api.ALREADY_RUNNING:
                return
            raise in_words(error, name, "cannot be started") from error
        now = wait.until(service, wait.STARTED, seconds)
    if now.state == service_api.STOPPED:
        raise ResourceError(f"{name} did not start: {why_ended(now.exit_code, now.specific_exit_code)}")
    if now.state != service_api.RUNNING:
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
    if now.state == service_api.STOPPED:
        return
    if now.at_rest and not now.accepts & service_api.ACCEPTS_STOP:
        raise ResourceError(f"{service.name} does not let itself be stopped")
    try:
        if now.state != service_api.STOP_PENDING:
            service.control(service_api.CONTROL_STOP)
    except Refused as error:
        if error.code == service_api.NOT_ACTIVE:
            return
        raise in_words(error, service.name, "cannot be stopped") from error
    now = wait.until(service, wait.STOPPED, seconds)
    if now.state != service_api.STOPPED:
        raise ResourceError(f"{service.name} did not stop within {seconds:g} s; it is {STATES[now.state]}")


def _worded(error: Refused, name: str, what: str) -> ResourceError:
    if error.code == service_api.NO_SUCH_SERVICE:
        return NotYet(f"there is no service {name}", f"package:{name}")
    return in_words(error, name, what)
