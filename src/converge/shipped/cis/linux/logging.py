"""Sections 6 and 7: the journal, permissions of account files."""

from __future__ import annotations

from converge.conditions import package_installed
from converge.shipped import common
from converge.shipped.cis.linux.tables import Machine, journald, limited, owned, rule


def _journal_runs(machine: Machine, _: str) -> None:
    if common.has_units(machine.r):
        machine.r.service("systemd-journald", state="running")


def _not_forwarded(machine: Machine, numbers: str) -> None:
    # A syslog daemon of Debian's gets its messages by this way: it must not fall silent.
    r = machine.r
    file = r.file(
        "/etc/systemd/journald.conf.d/61-converge-cis-forward.conf",
        content=f"# CIS {numbers}\n[Journal]\nForwardToSyslog=no\n",
        mode=0o644,
        parents=True,
        condition=~package_installed("rsyslog"),
    )
    common.reads_again(r, "systemd-journald", file)


def _no_remote_journals(machine: Machine, _: str) -> None:
    if common.has_units(machine.r):
        for unit in ("systemd-journal-remote.socket", "systemd-journal-remote.service"):
            machine.r.service(unit, state="stopped")


_ALL_READ = "Programs look names up in it, and whoever can write to it is root."
_HASHES = "It holds hashes of passwords, from which these can be guessed."

RULES = (
    rule(
        "logging", "6.1.1.1", "journald service active", "Nothing else sees all there is to log.",
        _journal_runs, ubuntu="6.2.1.1.1",
    ),
    rule(
        "logging", "6.1.2.1.4", "systemd-journal-remote not in use", "Anybody could fill the disk.",
        _no_remote_journals, ubuntu="6.2.1.2.4",
    ),
    rule(
        "logging", "6.1.2.2", "journald ForwardToSyslog no, without rsyslog",
        "One log is the one that is looked after.", _not_forwarded, ubuntu="6.2.1.1.4",
    ),
    rule(
        "logging", "6.1.2.3", "journald Compress", "More of the past fits.", journald("Compress=yes"),
        ubuntu="6.2.1.1.6",
    ),
    rule(
        "logging", "6.1.2.4", "journald Storage persistent", "It is needed most after a crash.",
        journald("Storage=persistent"), ubuntu="6.2.1.1.5",
    ),
    rule("permissions", "7.1.1", "/etc/passwd: owner and permissions", _ALL_READ, owned("/etc/passwd", 0o644)),
    rule("permissions", "7.1.2", "/etc/passwd-: owner and permissions", _ALL_READ, limited("/etc/passwd-", 0o644)),
    rule("permissions", "7.1.3", "/etc/group: owner and permissions", _ALL_READ, owned("/etc/group", 0o644)),
    rule("permissions", "7.1.4", "/etc/group-: owner and permissions", _ALL_READ, limited("/etc/group-", 0o644)),
    rule("permissions", "7.1.5", "/etc/shadow: owner and permissions", _HASHES, owned("/etc/shadow", 0o640, "shadow")),
    rule(
        "permissions", "7.1.6", "/etc/shadow-: owner and permissions", _HASHES, limited("/etc/shadow-", 0o640,
        "shadow"),
    ),
    rule(
        "permissions", "7.1.7", "/etc/gshadow: owner and permissions", _HASHES, limited("/etc/gshadow", 0o640,
        "shadow"),
    ),
    rule(
        "permissions", "7.1.8", "/etc/gshadow-: owner and permissions", _HASHES, limited("/etc/gshadow-", 0o640,
        "shadow"),
    ),
    rule(
        "permissions", "7.1.9", "/etc/shells: owner and permissions", "It says which accounts are those of people.",
        limited("/etc/shells", 0o644),
    ),
    rule(
        "permissions", "7.1.10", "/etc/security/opasswd: owner and permissions", _HASHES,
        limited("/etc/security/opasswd", 0o600), limited("/etc/security/opasswd.old", 0o600),
    ),
)  # fmt: skip
