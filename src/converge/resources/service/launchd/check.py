"""What differs between a daemon as it is and as it is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from converge.core.change import Change, Changes
from converge.core.errors import Busy, NotYet, ResourceError
from converge.resources.service.launchd import launchctl, plists

if TYPE_CHECKING:
    from converge.resources.service.launchd import LaunchdService
    from converge.resources.service.launchd.launchctl import Daemon
    from converge.resources.service.launchd.plists import Described

_SETTLES: Final = 600.0
"""Seconds that a daemon may take to come up before that counts as a failure."""
_AT_REST: Final = ("running", "not running", "waiting", "exited", "spawn failed")
"""The states in which nothing is about to happen, as it is in ``spawn scheduled``, ``throttled``, ``SIGTERMed``, …"""


def inspect(wanted: Sequence[LaunchdService]) -> Iterator[Changes | Exception]:
    """One result for each, in their order."""
    settings: Mapping[str, bool] | Exception = {}
    if any(each.enable is not None for each in wanted):
        try:
            settings = launchctl.settings()
        except (ResourceError, OSError) as error:
            settings = error
    for want in wanted:
        if isinstance(settings, Exception) and want.enable is not None:
            yield settings
            continue
        try:
            yield _judged(want, {} if isinstance(settings, Exception) else settings)
        except (ResourceError, OSError) as error:
            yield error


def must_run(described: Described | None, daemon: Daemon) -> bool:
    """Whether it is to have a process now; others are started when somebody needs them, or never again."""
    return described is not None and described.at_load and not (described.settles and daemon.ended_well)


def is_enabled(label: str, described: Described | None, settings: Mapping[str, bool]) -> bool:
    """Whether launchd loads it at boot."""
    return settings.get(label, described is not None and not described.disabled)


def missing(want: LaunchdService, changes: Changes = ()) -> ResourceError:
    """There is no such daemon."""
    if plists.is_agent(want.name):
        return ResourceError(f"{want.name} is an agent, which runs for who logs in; only daemons are managed")
    return NotYet(f"daemon {want.name} does not exist", want.missing_from(), changes)


def _judged(want: LaunchdService, settings: Mapping[str, bool]) -> Changes:
    daemon = None if want.state is None else launchctl.look(want.name)
    want.process[:] = [daemon.pid] if daemon is not None and daemon.pid else []
    described = described_by(want, daemon)
    changes = (*_enabled(want, described, settings), *_running(want, described, daemon))
    if described is None and daemon is None and (want.enable or want.state == "running"):
        raise missing(want, changes)
    return changes


def described_by(want: LaunchdService, daemon: Daemon | None) -> Described | None:
    """The property list that it comes from; None where that does not matter, or there is none."""
    if want.enable is None and want.state == "stopped":
        return None  # nothing of it matters then
    if daemon is not None and daemon.path.startswith("/"):
        with contextlib.suppress(ResourceError, OSError):  # it runs on though its list is gone or spoilt
            return plists.read(daemon.path)
        return None
    return plists.find(want.name)


def _enabled(want: LaunchdService, described: Described | None, settings: Mapping[str, bool]) -> Iterator[Change]:
    if want.enable is None:
        return
    now = is_enabled(want.name, described, settings)
    if described is None and want.name not in settings:
        if want.enable:
            yield Change("enable", None, "enabled", "create")
    elif now != want.enable:
        yield Change("enable", "enabled" if now else "disabled", "enabled" if want.enable else "disabled")


def _running(want: LaunchdService, described: Described | None, daemon: Daemon | None) -> Iterator[Change]:
    if want.state is None:
        return
    if want.state == "stopped":
        if daemon is not None:
            yield Change("state", "running" if daemon.runs else "loaded", "stopped")
    elif daemon is None:
        yield Change("state", None if described is None else "stopped", "running")
    elif not daemon.runs and must_run(described, daemon):
        if daemon.state not in _AT_REST:
            raise Busy(f"launchd is about to start {want.name} ({daemon.state}{after(daemon)})", at_most=_SETTLES)
        yield Change("state", f"{daemon.state}{after(daemon)}", "running")


def after(daemon: Daemon) -> str:
    """How its last process ended, to be added to a text."""
    return f", after {daemon.ending}" if daemon.ending else ""
