"""What the ``cis`` blueprint is made of: recommendations with their numbers, and what each declares.

The numbers are those of CIS Debian Linux 12 Benchmark v1.1.0,
CIS Ubuntu Linux 24.04 LTS Benchmark v1.0.0 and CIS Ubuntu
Linux 22.04 LTS Benchmark v2.0.0, profile *Level 1 - Server*. Numbers and settings are theirs, titles name what is
configured, and reasons are our own words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, get_args

from converge.blueprints.run import Run
from converge.resources.file import Line
from converge.shipped import common

Section: TypeAlias = Literal[
    "filesystems", "boot", "processes", "banners", "services", "clients", "time", "cron", "network", "firewall",
    "ssh", "sudo", "passwords", "sessions", "logging", "auditd", "integrity", "permissions",
]  # fmt: skip
SECTIONS: tuple[Section, ...] = get_args(Section)
Edition: TypeAlias = Literal["debian-12", "ubuntu-24.04", "ubuntu-22.04"]
EDITIONS: dict[Edition, str] = {
    "debian-12": "Debian 12",
    "ubuntu-24.04": "Ubuntu 24.04",
    "ubuntu-22.04": "Ubuntu 22.04",
}
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
    ssh_users: Sequence[str] = ()
    ssh_groups: Sequence[str] = ()
    edition: Edition | None = None


@dataclass
class Machine:
    """What the recommendations declare into. Some only add a line to a file that is declared at the end."""

    r: Run
    given: Options
    edition: Edition
    ssh: list[str] = field(default_factory=list)
    sudo: list[str] = field(default_factory=list)
    pwquality: list[str] = field(default_factory=list)
    journald: list[str] = field(default_factory=list)
    audit: list[str] = field(default_factory=list)
    immutable: bool = False
    """Whether the audit rules are locked once they are loaded."""
    edits: dict[str, list[tuple[str, Line]]] = field(default_factory=dict)
    """By path: the numbers of a recommendation, and its line."""


Declaration: TypeAlias = Callable[[Machine, str], None]
"""Called with the numbers of the recommendation, for what writes them into a file."""


class Rule(NamedTuple):
    """A recommendation; several where one resource fulfils them together."""

    section: Section
    debian: tuple[str, ...]
    """Its numbers for Debian 12; none where the edition has no such recommendation."""
    ubuntu24: tuple[str, ...]
    ubuntu: tuple[str, ...]
    """Its numbers for Ubuntu 22.04."""
    title: str
    why: str
    declarations: tuple[Declaration, ...]
    extra: str = ""
    """Why it is only kept where ``also`` names it."""

    def own_numbers(self, edition: str) -> tuple[str, ...]:
        return {"debian-12": self.debian, "ubuntu-24.04": self.ubuntu24}.get(edition, self.ubuntu)

    def all_numbers(self) -> Sequence[str]:
        return (*self.debian, *self.ubuntu24, *self.ubuntu)

    def declare(self, machine: Machine) -> None:
        numbers = ", ".join(self.own_numbers(machine.edition)) or self._elsewhere()
        with machine.r.because(f"CIS {numbers}: {self.title}. {self.why}"):
            for each in self.declarations:
                each(machine, numbers)

    def _elsewhere(self) -> str:
        """The numbers of an edition that has it."""
        edition = next(edition for edition in EDITIONS if self.own_numbers(edition))
        return ", ".join(f"{number} for {EDITIONS[edition]}" for number in self.own_numbers(edition))


def rule(
    section: Section,
    number: str,
    title: str,
    why: str,
    *declarations: Declaration,
    ubuntu: str | None = None,
    extra: str = "",
) -> Rule:
    """A recommendation; ``ubuntu`` where 22.04 has another number. Several are separated by blanks.

    The edition for Ubuntu 24.04 has the numbers of Debian's, and two more that 22.04 has as well.
    """
    jammy = number if ubuntu is None else ubuntu
    debian, ubuntu24, ubuntu22 = (tuple(each.split()) for each in (number, number or jammy, jammy))
    return Rule(section, debian, ubuntu24, ubuntu22, title, why, declarations, extra)


# --- declarations ------------------------------------------------------------------------------------------------


def setting(key: str, value: int, *, optional: bool = False) -> Declaration:
    """A setting of the kernel."""
    return lambda machine, _: machine.r.include(common.setting, key, str(value), optional=optional)


@dataclass(frozen=True)
class Gone:
    """Packages that must not be there, but for those that the owner keeps."""

    packages: tuple[str, ...]

    def __call__(self, machine: Machine, _: str) -> None:
        for name in self.packages:
            if name not in machine.given.keep:
                machine.r.package(name, state="absent")


def gone(*packages: str) -> Declaration:
    """Packages that must not be there."""
    return Gone(packages)


def installed(*packages: str) -> Declaration:
    """Packages that must be there."""

    def declare(machine: Machine, _: str) -> None:
        for name in packages:
            machine.r.package(name)

    return declare


def limited(path: str, mode: int, group: str = "root") -> Declaration:
    """A file of root's that allows no more than this, where it exists."""
    return lambda machine, _: machine.r.include(common.limited, path, mode, group)


def owned(path: str, mode: int, group: str = "root") -> Declaration:
    """A file of root's that every machine has."""
    return lambda machine, _: machine.r.include(common.owned, path, mode, group)


def ssh(*lines: str) -> Declaration:
    """Lines of sshd_config(5)."""
    return lambda machine, numbers: machine.ssh.extend([f"# {numbers}", *lines])


def sudo(*lines: str) -> Declaration:
    """Lines of sudoers(5)."""
    return lambda machine, numbers: machine.sudo.extend([f"# {numbers}", *lines])


def pwquality(*lines: str) -> Declaration:
    """Lines of pwquality.conf(5)."""
    return lambda machine, numbers: machine.pwquality.extend([f"# {numbers}", *lines])


def journald(line: str) -> Declaration:
    """A line of journald.conf(5)."""
    return lambda machine, numbers: machine.journald.extend([f"# {numbers}", line])


def audit(*lines: str) -> Declaration:
    """Lines of audit.rules(7)."""
    return lambda machine, numbers: machine.audit.extend([f"# {numbers}", *lines])


def login_defs(key: str, value: str) -> Declaration:
    """A setting of login.defs(5)."""
    return _edit("/etc/login.defs", Line(f"{key}\t{value}", match=rf"^\s*{key}\s"))


def new_account(key: str, value: str) -> Declaration:
    """A default of useradd(8)."""
    return _edit("/etc/default/useradd", Line(f"{key}={value}", match=rf"^\s*#?\s*{key}\s*="))


def _edit(path: str, line: Line) -> Declaration:
    return lambda machine, numbers: machine.edits.setdefault(path, []).append((numbers, line))
