"""Telling the system to reboot."""

from __future__ import annotations

import os

from converge.core.errors import Busy, NotYet, ResourceError
from converge.host import process

_SYSTEMD = "/run/systemd/system"
"""There while systemd is the init system; see sd_booted(3)."""
_SECONDS = 60.0
_AGAIN = 5.0
_INHIBITED = 3600.0
"""Seconds for which whoever has asked that the machine stays up, such as a package manager at work, is waited for."""


def reboot(words: str) -> None:
    """Begin the reboot; returns before it has happened. Raises Busy where somebody asks that the machine stays up."""
    if os.path.isdir(_SYSTEMD):
        _through_systemd(words)
        return
    result = process.run(["reboot"], timeout=_SECONDS)
    if result.returncode != 0:
        raise ResourceError(f"reboot ended with {result.ending()}: {result.output.strip()}")


def announce(words: str) -> None:
    """Tell those who are logged in; where there is no program for that, nobody is told."""
    try:
        process.run(["wall"], stdin=words.encode("utf-8", "replace") + b"\n", timeout=_SECONDS)
    except NotYet:
        return


def _through_systemd(words: str) -> None:
    command = ["systemctl", "reboot", "--no-wall", f"--message={words}"]
    result = process.run([*command, "--check-inhibitors=yes"], timeout=_SECONDS)
    if "unrecognized option" in result.output or "unknown option" in result.output.lower():  # before systemd 248
        result = process.run(command, timeout=_SECONDS)
    if result.returncode == 0:
        return
    said = " ".join(result.output.split())
    if "inhibited" in said.lower():
        raise Busy(f"the reboot waits: {said}", again=_AGAIN, at_most=_INHIBITED)
    raise ResourceError(f"systemctl reboot ended with {result.ending()}: {said}")
