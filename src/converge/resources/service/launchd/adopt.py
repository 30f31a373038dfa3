"""Declares a daemon of launchd as it is."""

from __future__ import annotations

from converge.core.errors import ResourceError
from converge.core.resource import Adopted
from converge.resources.service.launchd import LaunchdService, launchctl
from converge.resources.service.launchd.check import after, described_by, is_enabled, missing, must_run
from converge.resources.service.service import RunState


def adopt_service(name: str) -> Adopted:
    """Whether it is loaded, and is so at boot."""
    want = LaunchdService(name, state="running", enable=True)
    for wrong in want.mistakes():
        raise ResourceError(wrong)
    daemon, settings = launchctl.look(name), launchctl.settings()
    described = described_by(want, daemon)
    if described is None and daemon is None:
        raise missing(want)
    remarks = []
    running = daemon is not None
    if daemon is not None and not daemon.runs:
        if must_run(described, daemon):
            running = False
            remarks.append(f"It is loaded and does not run{after(daemon)}.")
        else:
            remarks.append("It is loaded, and launchd starts it when it is needed.")
    enable = is_enabled(name, described, settings)
    # What runs though it is disabled would not come up again.
    state: RunState | None = None if running and not enable else "running" if running else "stopped"
    return Adopted(LaunchdService(name, state=state, enable=enable), remarks)
