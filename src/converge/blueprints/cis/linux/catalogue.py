"""What the ``cis`` blueprint is made of: recommendations with their numbers, and what each declares.

The numbers are those of CIS Debian Linux 12 Benchmark v1.1.0 and CIS Ubuntu Linux 22.04 LTS Benchmark v2.0.0, profile
*Level 1 - Server*. Numbers and settings are theirs; titles and reasons are our own words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, get_args

from converge.blueprints import parts
from converge.declaration import Run
from converge.resources.file import Line

Section: TypeAlias = Literal[
    "filesystems", "boot", "processes", "banners", "services", "clients", "time", "cron", "network", "firewall",
    "ssh", "sudo", "passwords", "sessions", "logging", "permissions",
]  # fmt: skip
SECTIONS: tuple[Section, ...] = get_args(Section)
TimeService: TypeAlias = Literal["systemd-timesyncd", "chrony", "none"]


class Options(NamedTuple):
    """The parameters of the blueprint, beside those that select."""

    keep: Sequence[str] = ()
    ports: Sequence[str] = ()
    ssh_from: Sequence[str] = ()
    ssh_port: int = 22
    administrators: Sequence[str] = ()
    banner: str = ""
    cron_users: Sequence[str] = ()
    forwarding: bool = False
    static_ipv6: bool = False
    time_service: TimeService = "systemd-timesyncd"
    time_servers: Sequence[str] = ()


@dataclass
class Machine:
    """What the recommendations declare into. Some only add a line to a file that is declared at the end."""

    r: Run
    given: Options
    ubuntu: bool
    ssh: list[str] = field(default_factory=list)
    sudo: list[str] = field(default_factory=list)
    pwquality: list[str] = field(default_factory=list)
    journald: list[str] = field(default_factory=list)
    edits: dict[str, list[tuple[str, Line]]] = field(default_factory=dict)
    """By path: the numbers of a recommendation, and its line."""


Declaration: TypeAlias = Callable[[Machine, str], None]
"""Called with the numbers of the recommendation, for what writes them into a file."""


class Rule(NamedTuple):
    """A recommendation; several where one resource fulfils them together."""

    section: Section
    debian: tuple[str, ...]
    """Its numbers for Debian; none where the edition has no such recommendation."""
    ubuntu: tuple[str, ...]
    title: str
    why: str
    declarations: tuple[Declaration, ...]

    def numbers(self, *, ubuntu: bool) -> tuple[str, ...]:
        return self.ubuntu if ubuntu else self.debian

    def all_numbers(self) -> Sequence[str]:
        return (*self.debian, *self.ubuntu)

    def declare(self, machine: Machine) -> None:
        others = "Debian" if machine.ubuntu else "Ubuntu"
        own, theirs = self.numbers(ubuntu=machine.ubuntu), self.numbers(ubuntu=not machine.ubuntu)
        numbers = ", ".join(own or (f"{number} for {others}" for number in theirs))
        with machine.r.because(f"CIS {numbers}: {self.title}. {self.why}"):
            for each in self.declarations:
                each(machine, numbers)


def rule(
    section: Section, number: str, title: str, why: str, *declarations: Declaration, ubuntu: str | None = None
) -> Rule:
    """A recommendation; ``ubuntu`` where that edition has another number. Several are separated by blanks."""
    return Rule(
        section,
        tuple(number.split()),
        tuple((number if ubuntu is None else ubuntu).split()),
        title,
        why,
        tuple(declarations),
    )


# --- declarations ------------------------------------------------------------------------------------------------


def setting(key: str, value: int, *, optional: bool = False) -> Declaration:
    """A setting of the kernel."""
    return lambda machine, _: machine.r.include(parts.setting, key, str(value), optional=optional)


def gone(*packages: str) -> Declaration:
    """Packages that must not be there, but for those that the owner keeps."""

    def declare(machine: Machine, _: str) -> None:
        for name in packages:
            if name not in machine.given.keep:
                machine.r.package(name, state="absent")

    return declare


def installed(*packages: str) -> Declaration:
    """Packages that must be there."""

    def declare(machine: Machine, _: str) -> None:
        for name in packages:
            machine.r.package(name)

    return declare


def limited(path: str, mode: int, group: str = "root") -> Declaration:
    """A file of root's that allows no more than this, where it exists."""
    return lambda machine, _: machine.r.include(parts.limited, path, mode, group)


def owned(path: str, mode: int, group: str = "root") -> Declaration:
    """A file of root's that every machine has."""
    return lambda machine, _: machine.r.include(parts.owned, path, mode, group)


def ssh(*lines: str) -> Declaration:
    """Lines of sshd_config(5)."""
    return lambda machine, numbers: machine.ssh.extend([f"# {numbers}", *lines])


def sudo(*lines: str) -> Declaration:
    """Lines of sudoers(5)."""
    return lambda machine, numbers: machine.sudo.extend([f"# {numbers}", *lines])


def pwquality(line: str) -> Declaration:
    """A line of pwquality.conf(5)."""
    return lambda machine, numbers: machine.pwquality.extend([f"# {numbers}", line])


def journald(line: str) -> Declaration:
    """A line of journald.conf(5)."""
    return lambda machine, numbers: machine.journald.extend([f"# {numbers}", line])


def login_defs(key: str, value: str) -> Declaration:
    """A setting of login.defs(5)."""
    return _edit("/etc/login.defs", Line(f"{key}\t{value}", match=rf"^\s*{key}\s"))


def new_account(key: str, value: str) -> Declaration:
    """A default of useradd(8)."""
    return _edit("/etc/default/useradd", Line(f"{key}={value}", match=rf"^\s*#?\s*{key}\s*="))


def _edit(path: str, line: Line) -> Declaration:
    return lambda machine, numbers: machine.edits.setdefault(path, []).append((numbers, line))
