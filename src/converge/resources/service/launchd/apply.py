"""Putting a daemon right: whether it is enabled first, then whether it runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from converge.core.change import Changes
from converge.core.errors import ResourceError
from converge.resources.service.launchd import launchctl, plists
from converge.resources.service.launchd.check import is_enabled, missing, must_run
from converge.resources.service.launchd.launchctl import Refused

if TYPE_CHECKING:
    from converge.resources.service.launchd import LaunchdService
    from converge.resources.service.launchd.plists import Described

_ENDS_WITHIN: Final = 30.0
"""Seconds for a daemon to end; launchd kills it after ExitTimeOut, 20 s where its property list says nothing."""
_LOADS_WITHIN: Final = 5.0
"""Seconds after the end of a daemon in which launchd may refuse to load it again."""
_LOOK: Final = 0.1
_GONE: Final = (launchctl.NO_SUCH_PROCESS, launchctl.NO_SUCH_SERVICE)


def repair(want: LaunchdService, state: Changes) -> None:
    """Do what ``state`` says, and nothing else."""
    wanted = {change.property: change.to for change in state}
    if "enable" in wanted:
        launchctl.tell("enable" if wanted["enable"] == "enabled" else "disable", want.name)
    if wanted.get("state") == "running":
        _start(want)
    elif "state" in wanted:
        _stop(want)


def restart(want: LaunchdService, causes: Sequence[str]) -> None:
    """React to a change. A daemon whose running is not declared is only restarted where it is loaded."""
    daemon = launchctl.look(want.name)
    if daemon is None:
        if want.state == "running":
            _start(want)
        return
    if f"file:{daemon.path}" in causes:  # launchd goes by the list that it loaded, until it is loaded anew
        described = _list_of(want)
        _refuse_disabled(want, described)
        _stop(want)
        _load(want, described, after_stop=True)
    else:
        launchctl.tell("kickstart", want.name, "-k")


def reload(want: LaunchdService) -> None:
    """Have it read its configuration anew; one that has no process reads it when it is started."""
    try:
        launchctl.tell("kill", want.name, "SIGHUP")
    except Refused as error:
        if error.code not in _GONE:
            raise


def _start(want: LaunchdService) -> None:
    if launchctl.look(want.name) is not None:
        _kick(want)
        return
    described = _list_of(want)
    _refuse_disabled(want, described)
    _load(want, described)


def _list_of(want: LaunchdService) -> Described:
    described = plists.find(want.name)
    if described is None:
        raise missing(want)
    return described


def _refuse_disabled(want: LaunchdService, described: Described) -> None:
    """launchd would not say why it does not load it."""
    if not is_enabled(want.name, described, launchctl.settings()):
        raise ResourceError(f"{want.name} is disabled, so launchd does not start it; enable=True has it enabled")


def _load(want: LaunchdService, described: Described, *, after_stop: bool = False) -> None:
    give_up = time.monotonic() + (_LOADS_WITHIN if after_stop else 0.0)
    while True:
        try:
            launchctl.bootstrap(want.name, described.path)
            break
        except Refused as error:
            if launchctl.look(want.name) is not None:
                break  # others were faster
            if error.code not in (launchctl.IO_ERROR, launchctl.ALREADY) or time.monotonic() >= give_up:
                if error.code == launchctl.IO_ERROR and (why := plists.why_refused(described.path)):
                    raise ResourceError(f"launchd does not load {want.name}: {why}") from error
                raise
            time.sleep(_LOOK)
    daemon = launchctl.look(want.name)
    if daemon is not None and not daemon.runs and must_run(described, daemon):
        _kick(want)


def _kick(want: LaunchdService) -> None:
    try:
        launchctl.tell("kickstart", want.name)
    except Refused as error:
        if error.code != launchctl.ALREADY:
            raise


def _stop(want: LaunchdService) -> None:
    try:
        launchctl.tell("bootout", want.name)
    except Refused as error:
        if error.code in _GONE:
            return
        if error.code not in (launchctl.IN_PROGRESS, launchctl.ALREADY):
            raise
    seconds = want.seconds() or _ENDS_WITHIN
    give_up = time.monotonic() + seconds
    while launchctl.look(want.name) is not None:
        if time.monotonic() >= give_up:
            raise ResourceError(f"{want.name} did not end within {seconds:g} s")
        time.sleep(_LOOK)
