"""What the recommendations for macOS are made of.

The numbers are those of CIS Apple macOS 15.0 Sequoia Benchmark v1.0.0, profile *Level 1*, and with ``M26-`` those of
CIS Apple macOS 26.0 Tahoe Benchmark. Numbers and settings are theirs, titles name the
setting, reasons are our own words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

from converge.blueprints.run import Run
from converge.shipped import common
from converge.shipped.cis import rule

Section: TypeAlias = Literal[
    "updates", "firewall", "sharing", "time", "menus", "privacy", "energy", "screen", "login", "logging", "services",
    "files", "passwords", "sudo", "programs",
]  # fmt: skip
SECTIONS: tuple[Section, ...] = get_args(Section)

Guard: TypeAlias = Literal[
    "screen-sharing", "remote-login", "remote-management", "sleep", "lockout", "password-age", "unlock"
]
GUARDS: dict[str, str] = {
    "screen-sharing": "nobody reaches the screen over the network any more",
    "remote-login": "nobody comes in by SSH any more",
    "remote-management": "Apple Remote Desktop, and what manages Macs by it, cannot connect any more",
    "sleep": "a Mac that is asleep cannot be woken over the network any more",
    "lockout": "whoever knows the names of administrators can lock them out for a while, by wrong passwords",
    "password-age": "a password that is old already has to be changed at once, which SSH may not offer",
    "unlock": "administrators do not unlock the screens of others any more, nor does Touch ID",
}
"""What may lock an administrator out, and how. Done only where the owner says so."""


RIGHTS = ("/private/var/db/auth.db", "/private/var/db/auth.db-wal")
"""Where macOS keeps who may do what, which ``security authorizationdb`` changes."""


class Options(NamedTuple):
    """The parameters of the blueprint, beside those that select."""

    banner: str = ""
    people: Sequence[str] = ()
    password_length: int = 15
    password_days: int = 365
    lockout_after: int = 5
    lockout_minutes: int = 15
    idle_seconds: int = 1200
    unguarded: Sequence[str] = ()


Declaration: TypeAlias = Callable[[Run, Options], None]
Rule: TypeAlias = rule.Rule[Options]
Data: TypeAlias = "bool | int | str | dict[str, int]"


class Chapter:
    """Makes the recommendations of one section."""

    def __init__(self, name: Section) -> None:
        self.name = name

    def __call__(
        self, number: str, title: str, why: str, *declarations: Declaration, guard: Guard | None = None, extra: str = ""
    ) -> Rule:
        return Rule(self.name, number, title, why, declarations, guard, extra)


def preference(domain: str, key: str, value: Data) -> Declaration:
    """A setting of the whole machine."""
    return lambda r, _: r.include(common.preference, domain, key, value)


def each_person(domain: str, key: str, value: Data, *, this_mac: bool = False) -> Declaration:
    """A setting of each of the people who are named, or their setting for this Mac alone."""

    def declare(r: Run, given: Options) -> None:
        for name in given.people:
            r.plist(domain, key, value=value, user=name, host="current" if this_mac else None)

    return declare


def off(label: str) -> Declaration:
    """A service of launchd that neither runs nor is started."""

    def declare(r: Run, _: Options) -> None:
        r.service(label, state="stopped", enable=False)

    return declare


def on(label: str) -> Declaration:
    """A service of launchd that runs, now and after the next start."""

    def declare(r: Run, _: Options) -> None:
        r.service(label, state="running", enable=True)

    return declare


def script(name: str, check: str, change: str, *words: str, watch: Sequence[str] = ()) -> Declaration:
    """A change by a script for sh(1), unless another says that there is none to make; both get these words."""
    return lambda r, _: run_script(r, name, check, change, *words, watch=watch)


def run_script(r: Run, name: str, check: str, change: str, *words: str, watch: Sequence[str] = ()) -> None:
    """The same, where what is to be done depends on parameters."""
    unless = ["/bin/sh", "-c", check, "sh", *words]
    r.exec(name, ["/bin/sh", "-ec", change, "sh", *words], unless=unless, watch=watch)
