"""The programs of the shadow package, through which accounts are changed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from converge.core.change import Changes
from converge.core.errors import Busy, NotYet, ResourceError
from converge.core.platform import SYSTEM_PATH
from converge.host import process

_ENVIRONMENT = {"PATH": SYSTEM_PATH, "LC_ALL": "C", "LANGUAGE": "C"}
_turn = threading.Lock()
"""One at a time: they would only wait for each other's lock, some of them in steps of a second."""
_LOCKED = ("cannot lock", "try again later")


def require(tool: str, state: Changes) -> None:
    """Raises NotYet, with what would be done, where the tool is missing."""
    try:
        process.find_program(tool, cwd=None, env=_ENVIRONMENT)
    except NotYet as error:
        raise NotYet(
            f"{tool} is not installed; it is in the package shadow (or passwd), and busybox's adduser is not enough",
            error.needs,
            state,
        ) from None


def run(argv: Sequence[str], *, seconds: float | None, stdin: str | None = None) -> None:
    """Run one of the tools. Raises ResourceError with its own words, Busy where it met somebody else's lock."""
    given = None if stdin is None else stdin.encode("utf-8", "surrogateescape")
    with _turn:
        result = process.run(argv, env=_ENVIRONMENT, stdin=given, timeout=seconds, cwd="/")
    if result.timed_out:
        raise ResourceError(f"{argv[0]} did not end within {seconds:g} s and was ended")
    if result.returncode == 0:
        return
    words = "; ".join(line.strip() for line in result.output.splitlines() if line.strip())
    if any(sign in words for sign in _LOCKED):
        raise Busy(words, again=0.1)
    said = words if words.startswith(argv[0]) else f"{argv[0]}: {words}"
    raise ResourceError(said if words else f"{argv[0]} ended with {result.ending()}, without a word")
