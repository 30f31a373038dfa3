r"""What the recommendations for Windows are made of.

The numbers are those of CIS Microsoft Windows Server 2022 Benchmark v2.0.0, profile *Level 1 - Member Server*, and with
``W11-`` those of CIS Microsoft Windows 11 Enterprise Benchmark v3.0.0. Numbers, settings and their names are theirs;
reasons are our own words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

from converge.blueprints.run import Run
from converge.shipped import common
from converge.shipped.cis import rule as guarded

Section: TypeAlias = Literal[
    "passwords", "lockout", "accounts", "logon", "sharing", "authentication", "uac", "firewall", "audit", "hardening",
    "network", "printing", "system", "components", "event-log", "defender", "remote-desktop", "powershell", "winrm",
    "updates", "services", "device-guard",
]  # fmt: skip
SECTIONS: tuple[Section, ...] = get_args(Section)

Guard: TypeAlias = Literal[
    "password-age", "lockout", "microsoft-accounts", "local-accounts", "firewall", "local-firewall-rules", "kerberos",
    "lsa", "domain-controller", "remote-desktop", "winrm", "ssh",
]  # fmt: skip
GUARDS: dict[str, str] = {
    "password-age": "a password that is old already has to be changed at once, which Remote Desktop may not offer",
    "lockout": "whoever knows the names of administrators can lock them out for a while, by wrong passwords",
    "microsoft-accounts": "whoever has only a Microsoft account cannot log on any more",
    "local-accounts": "local administrators have no rights of administrators over the network any more",
    "firewall": "a firewall that was off may not let Remote Desktop and WinRM in; allow them first",
    "local-firewall-rules": "only group policy opens ports on public networks; this machine's own rules count no more",
    "kerberos": "accounts whose passwords are older than AES keys in the domain cannot log on",
    "lsa": "logon add-ons that are not signed by Microsoft are not loaded, such as those for a second factor",
    "domain-controller": "a locked machine stays locked while no domain controller answers",
    "remote-desktop": "old clients, and people whose password has expired, cannot connect any more",
    "winrm": "clients that use basic authentication or no encryption, as some tools do, cannot connect any more",
    "ssh": "nobody comes in by SSH any more",
}
"""What may lock an administrator out, and how. Done only where the owner says so."""

LEVEL_2 = "level 2"
NEXT_GENERATION = "next generation"
WINDOWS_11 = "Windows 11"

SOFTWARE = r"HKLM\SOFTWARE\Microsoft"
POLICIES = r"HKLM\SOFTWARE\Policies\Microsoft"
CURRENT = rf"{SOFTWARE}\Windows\CurrentVersion\Policies"
SYSTEM = rf"{CURRENT}\System"
EXPLORER = rf"{CURRENT}\Explorer"
WINLOGON = rf"{SOFTWARE}\Windows NT\CurrentVersion\Winlogon"
CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control"
LSA = rf"{CONTROL}\Lsa"
SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"


class Options(NamedTuple):
    """The parameters of the blueprint, beside those that select."""

    banner: str = ""
    banner_title: str = ""
    password_length: int = 14
    password_days: int = 365
    lockout_after: int = 5
    lockout_minutes: int = 15
    idle_seconds: int = 900
    audit_both: bool = False
    unguarded: Sequence[str] = ()


Declaration: TypeAlias = Callable[[Run, Options], None]


Rule: TypeAlias = guarded.Rule[Options]
Data: TypeAlias = "int | str | list[str]"


def rule(
    section: Section,
    number: str,
    title: str,
    why: str,
    *declarations: Declaration,
    guard: Guard | None = None,
    extra: str = "",
) -> Rule:
    """A recommendation that is several things, or no plain value of the registry."""
    return Rule(section, number, title, why, declarations, guard, extra)


class Table:
    """Makes the recommendations of one section that are each a value of the registry."""

    def __init__(self, section: Section) -> None:
        self.section = section

    def __call__(
        self,
        number: str,
        title: str,
        why: str,
        key: str,
        name: str,
        data: Data,
        *,
        guard: Guard | None = None,
        extra: str = "",
    ) -> Rule:
        return Rule(self.section, number, title, why, (value(key, name, data),), guard, extra)


def value(key: str, name: str, data: Data) -> Declaration:
    """A value of the registry."""
    return lambda r, _: r.include(common.registry_value, key, name, data)


def values(key: str, **wanted: Data) -> tuple[Declaration, ...]:
    """Several in one key."""
    return tuple(value(key, name, data) for name, data in wanted.items())


def given(key: str, name: str, data: Callable[[Options], Data]) -> Declaration:
    """A value that the owner has a say in."""
    return lambda r, options: r.include(common.registry_value, key, name, data(options))


def gone(key: str, name: str) -> Declaration:
    """A value that must not be there."""

    def declare(r: Run, _: Options) -> None:
        r.registry(key, name, state="absent")

    return declare
