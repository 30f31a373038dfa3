"""Checks of many services: one question to Windows for all of them, and one more for each whose start is declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import Busy, NotYet
from converge.host.windows import service_api
from converge.host.windows.service_errors import Refused, in_words
from converge.host.windows.service_manager import Found, Manager, manager

if TYPE_CHECKING:
    from converge.resources.service.scm import ScmService

STATES: Final = {
    service_api.STOPPED: "stopped",
    service_api.START_PENDING: "starting",
    service_api.STOP_PENDING: "stopping",
    service_api.RUNNING: "running",
    service_api.CONTINUE_PENDING: "continuing",
    service_api.PAUSE_PENDING: "pausing",
    service_api.PAUSED: "paused",
}
STARTS: Final = {
    service_api.BOOT: "boot",
    service_api.SYSTEM: "system",
    service_api.AUTO: "auto",
    service_api.DEMAND: "manual",
    service_api.DISABLED: "disabled",
}
"""Drivers begin with the first two."""
BY_ITSELF: Final = frozenset(("boot", "system", "auto", "delayed-auto"))
"""What begins when the machine does."""
_SETTLES: Final = 600.0
"""Seconds that a service may take to start or stop before that counts as a failure; as with units of systemd."""


def inspect(services: Sequence[ScmService]) -> Iterator[Changes | Exception]:
    """What differs, for each in their order."""
    try:
        with manager() as scm:
            there = {found.name.lower(): found for found in scm.services()}
            for want in services:
                yield _judged(scm, want, there)
    except Refused as error:
        yield from [in_words(error, "the list of services", "cannot be read")] * len(services)


def _judged(scm: Manager, want: ScmService, there: Mapping[str, Found]) -> Changes | Exception:
    try:
        # Some that belong to users are in no list.
        found = there.get(want.name.lower()) or _unlisted(scm, want.name)
        return (*_starts(scm, want, found), *_runs(want, found))
    except Refused as error:
        if error.code == service_api.NO_SUCH_SERVICE:
            return _missing(want, there)
        return in_words(error, want.name, "cannot be looked at")
    except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
        return error


def _unlisted(scm: Manager, name: str) -> Found:
    with scm.open(name, service_api.QUERY_STATUS) as service:
        return service.status()


def _missing(want: ScmService, there: Mapping[str, Found]) -> Changes | NotYet:
    start = want.wanted_start()
    changes = []
    if start not in (None, "not automatic", "disabled"):
        changes.append(Change("startup_type", None, start, "create"))
    if want.state == "running":
        changes.append(Change("state", None, "running", "create"))
    if not changes:
        return IN_SYNC
    known = next((each.name for each in there.values() if each.display_name.lower() == want.name.lower()), None)
    hint = f"; that is the display name of {known}" if known else ""
    return NotYet(f"there is no service {want.name}{hint}", f"package:{want.name}", tuple(changes))


def _starts(scm: Manager, want: ScmService, found: Found) -> Changes:
    wanted = want.wanted_start()
    if wanted is None:
        return IN_SYNC
    try:
        with scm.open(found.name, service_api.QUERY_CONFIG) as service:
            number, delayed = service.start_type()
    except Refused as error:
        if error.code != service_api.ACCESS_DENIED:
            raise
        return (Change("startup_type", "unknown (only an administrator can read it)", wanted, "unknown"),)
    now = "delayed-auto" if delayed else STARTS.get(number, str(number))
    if now == wanted or (wanted == "automatic" and now in BY_ITSELF):
        return IN_SYNC
    if wanted == "not automatic":
        if now not in BY_ITSELF:
            return IN_SYNC
        wanted = "manual"
    return (Change("startup_type", now, "auto" if wanted == "automatic" else wanted),)


def _runs(want: ScmService, found: Found) -> Changes:
    if want.state is None:
        return IN_SYNC
    now = STATES.get(found.state, str(found.state))
    if not found.at_rest:
        raise Busy(f"{found.name} is {now}; waiting until it settles", at_most=_SETTLES)
    return IN_SYNC if now == want.state else (Change("state", now, want.state),)
