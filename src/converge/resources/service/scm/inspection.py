"""Checks of many services: one question to Windows for all of them, and one more for each whose start is declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from converge.resources.base import IN_SYNC, Busy, Change, NotYet, State
from converge.resources.service.scm import calls
from converge.resources.service.scm.manager import Found, Manager, manager
from converge.resources.service.scm.words import Refused, in_words

if TYPE_CHECKING:
    from converge.resources.service.scm import ScmService

STATES: Final = {
    calls.STOPPED: "stopped",
    calls.START_PENDING: "starting",
    calls.STOP_PENDING: "stopping",
    calls.RUNNING: "running",
    calls.CONTINUE_PENDING: "continuing",
    calls.PAUSE_PENDING: "pausing",
    calls.PAUSED: "paused",
}
STARTS: Final = {
    calls.BOOT: "boot",
    calls.SYSTEM: "system",
    calls.AUTO: "auto",
    calls.DEMAND: "manual",
    calls.DISABLED: "disabled",
}
"""Drivers begin with the first two."""
BY_ITSELF: Final = frozenset(("boot", "system", "auto", "delayed-auto"))
"""What begins when the machine does."""
_SETTLES: Final = 600.0
"""Seconds that a service may take to start or stop before that counts as a failure; as with units of systemd."""


def inspect(services: Sequence[ScmService]) -> Iterator[State | Exception]:
    """What differs, for each in their order."""
    try:
        with manager() as scm:
            there = {found.name.lower(): found for found in scm.services()}
            for want in services:
                yield _judged(scm, want, there)
    except Refused as error:
        yield from [in_words(error, "the list of services", "cannot be read")] * len(services)


def _judged(scm: Manager, want: ScmService, there: Mapping[str, Found]) -> State | Exception:
    try:
        # Some that belong to users are in no list.
        found = there.get(want.name.lower()) or _unlisted(scm, want.name)
        return (*_starts(scm, want, found), *_runs(want, found))
    except Refused as error:
        if error.code == calls.NO_SUCH_SERVICE:
            return _missing(want, there)
        return in_words(error, want.name, "cannot be looked at")
    except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
        return error


def _unlisted(scm: Manager, name: str) -> Found:
    with scm.open(name, calls.QUERY_STATUS) as service:
        return service.status()


def _missing(want: ScmService, there: Mapping[str, Found]) -> State | NotYet:
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


def _starts(scm: Manager, want: ScmService, found: Found) -> State:
    wanted = want.wanted_start()
    if wanted is None:
        return IN_SYNC
    try:
        with scm.open(found.name, calls.QUERY_CONFIG) as service:
            number, delayed = service.start_type()
    except Refused as error:
        if error.code != calls.ACCESS_DENIED:
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


def _runs(want: ScmService, found: Found) -> State:
    if want.state is None:
        return IN_SYNC
    now = STATES.get(found.state, str(found.state))
    if not found.at_rest:
        raise Busy(f"{found.name} is {now}; waiting until it settles", at_most=_SETTLES)
    return IN_SYNC if now == want.state else (Change("state", now, want.state),)
