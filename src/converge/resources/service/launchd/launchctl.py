"""Asks and tells launchd, through launchctl(1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from converge.core.errors import ResourceError

if TYPE_CHECKING:
    from converge.host.process import Result

PROGRAM: Final = "/bin/launchctl"
DOMAIN: Final = "system"

# Its exit statuses are errors of launchd; `launchctl error NUMBER` words them.
NO_SUCH_PROCESS: Final = 3
IO_ERROR: Final = 5
"""One of many reasons for refusing a property list, which are only told in the log."""
IN_PROGRESS: Final = 36
"""It has begun, and is not over yet."""
ALREADY: Final = 37
"""The same, begun by others; and, of what is started, that it runs."""
NO_SUCH_SERVICE: Final = 113
DISABLED: Final = 119
_NOT_OURS: Final = {
    1: "only root may do this",
    125: "launchd does not do this for daemons of the system",
    150: "System Integrity Protection keeps this daemon as it is; disabling it may still work",
}
_ABSENT: Final = frozenset((NO_SUCH_PROCESS, NO_SUCH_SERVICE))
_ANSWER_WITHIN: Final = 30.0
_LONGEST: Final = 1 << 20

# Its own facts are one tab deep; those of its endpoints and the like are deeper.
_FACT: Final = re.compile(r"^\t([a-z][a-z ]*) = (.*)$", re.MULTILINE)
_SETTING: Final = re.compile(r'^[ \t]*"(.+)" => (enabled|disabled|true|false)$', re.MULTILINE)


class Daemon(NamedTuple):
    """A daemon that launchd has loaded, in its own words."""

    state: str
    """``running``, ``not running``, ``spawn scheduled``, …"""
    path: str
    """Its property list."""
    ending: str
    """How its last run ended, as in ``exit code 78: EX_CONFIG``; empty where none has ended."""
    pid: int = 0
    """Its process; 0 where it has none."""

    @property
    def runs(self) -> bool:
        return self.state == "running"

    @property
    def ended_well(self) -> bool:
        return self.ending == "exit code 0"


class Refused(ResourceError):
    """launchctl did not do it."""

    def __init__(self, verb: str, label: str, done: Result) -> None:
        self.code = done.returncode
        said = " ".join(line.strip() for line in done.output.splitlines() if line.strip())
        why = _NOT_OURS.get(self.code) or said or done.ending()
        super().__init__(f"launchctl {verb} of {label} failed: {why.rstrip('.')}")


def look(label: str) -> Daemon | None:
    """The daemon as it is loaded; None where it is not."""
    done = _run("print", f"{DOMAIN}/{label}")
    if done.returncode in _ABSENT:
        return None
    if done.returncode != 0:
        raise Refused("print", label, done)
    return described(done.output)


def described(text: str) -> Daemon:
    """What ``launchctl print`` says of a daemon. Raises ResourceError for another text."""
    facts: dict[str, str] = {}
    for name, value in _FACT.findall(text):
        facts.setdefault(name, value)
    if "state" not in facts:
        raise ResourceError("launchctl print does not say in which state a daemon is, so this macOS is not understood")
    ending = ""
    if "last terminating signal" in facts:
        ending = f"signal {facts['last terminating signal']}"
    elif facts.get("last exit code", "(never exited)") != "(never exited)":
        ending = f"exit code {facts['last exit code']}"
    pid = facts.get("pid", "")
    return Daemon(facts["state"], facts.get("path", ""), ending, int(pid) if pid.isdecimal() else 0)


def settings() -> Mapping[str, bool]:
    """By label, whether it was enabled or disabled; of others their property list decides."""
    done = _run("print-disabled", DOMAIN)
    if done.returncode != 0:
        raise Refused("print-disabled", DOMAIN, done)
    return settings_in(done.output)


def settings_in(text: str) -> Mapping[str, bool]:
    """What ``launchctl print-disabled`` says: ``disabled``, which was ``true`` before macOS 13, is False here."""
    return {label: word in ("enabled", "false") for label, word in _SETTING.findall(text)}


def tell(verb: str, label: str, *options: str) -> None:
    """Have something done to the daemon. Raises Refused."""
    _do(verb, label, *options, f"{DOMAIN}/{label}")


def bootstrap(label: str, path: str) -> None:
    """Load it from its property list. Raises Refused."""
    _do("bootstrap", label, DOMAIN, path)


def _do(verb: str, label: str, *arguments: str) -> None:
    done = _run(verb, *arguments)
    if done.returncode != 0:
        raise Refused(verb, label, done)


def _run(*arguments: str) -> Result:
    from converge.host import process

    done = process.run([PROGRAM, *arguments], timeout=_ANSWER_WITHIN, limit=_LONGEST)
    if done.timed_out:
        raise ResourceError(f"launchctl {arguments[0]} did not end within {_ANSWER_WITHIN:g} s")
    return done
