"""Declares a service of Windows as it is."""

from __future__ import annotations

from converge.core.errors import ResourceError
from converge.core.resource import Adopted
from converge.host.windows import service_api
from converge.host.windows.service_errors import Refused, in_words
from converge.host.windows.service_manager import manager
from converge.resources.service.scm import ScmService
from converge.resources.service.scm.check import STARTS, STATES
from converge.resources.service.service import RunState, StartupType

_DECLARED: dict[str, StartupType] = {"auto": "auto", "manual": "manual", "disabled": "disabled"}


def adopt_service(name: str) -> Adopted:
    """Whether it runs, and how it starts; what is started by others when it is needed is left open."""
    try:
        with manager() as scm, scm.open(name, service_api.QUERY_STATUS | service_api.QUERY_CONFIG) as service:
            found = service.status()
            number, delayed = service.start_type()
    except Refused as error:
        if error.code == service_api.NO_SUCH_SERVICE:
            raise ResourceError(f"there is no service {name}") from error
        raise in_words(error, name, "cannot be looked at") from error
    if not found.at_rest:
        raise ResourceError(f"{name} is {STATES[found.state]} just now; try again when that is done")
    startup = "delayed-auto" if delayed else _DECLARED.get(STARTS.get(number, ""))
    remarks = []
    state: RunState | None = "running" if found.state == service_api.RUNNING else "stopped"
    if state == "stopped" and startup == "manual":
        state = None
        remarks.append("It is started by others when it is needed, so whether it runs is left open.")
    if startup is None:
        remarks.append("It is started by Windows itself, early at boot, so how it starts is left open.")
    if state == "running" and startup == "disabled":
        startup = None
        remarks.append("It runs although it is disabled; how it starts is left open.")
    return Adopted(ScmService(name, state=state, startup_type=startup), remarks)
