"""Files that several recommendations have lines in: declared once, when all of these are known."""

from __future__ import annotations

from collections.abc import Iterable

from converge.conditions import file_exists
from converge.shipped import common
from converge.shipped.cis.linux.auditing import declare_audit_rules
from converge.shipped.cis.linux.tables import Machine

_VISUDO = "/usr/sbin/visudo"
_HEAD = "# Managed by converge (cis); the numbers are those of the benchmark's recommendations.\n"


def declare_gathered(machine: Machine) -> None:
    """All of them that have something in them."""
    r = machine.r
    for path, edits in machine.edits.items():
        r.file(path, line=[line for _, line in edits], why=_why(numbers for numbers, _ in edits))
    if machine.ssh:
        with r.because(_why(_numbers(machine.ssh))):
            common.ssh_drop_in(r, "05-converge-cis.conf", _text(machine.ssh))
    if machine.sudo:
        r.file(
            "/etc/sudoers.d/60-converge-cis",
            content=_HEAD + _text(machine.sudo),
            owner="root",
            group="root",
            mode=0o440,
            validate=[_VISUDO, "-cf", "%s"],
            condition=file_exists(_VISUDO),
            why=_why(_numbers(machine.sudo)),
        )
    if machine.pwquality:
        r.file(
            "/etc/security/pwquality.conf.d/60-converge-cis.conf",
            content=_HEAD + _text(machine.pwquality),
            mode=0o644,
            parents=True,
            why=_why(_numbers(machine.pwquality)),
        )
    if machine.audit:
        with r.because(_why(_numbers(machine.audit))):
            declare_audit_rules(r, _HEAD + _text(machine.audit), machine.immutable)
    if machine.journald:
        with r.because(_why(_numbers(machine.journald))):
            file = r.file(
                "/etc/systemd/journald.conf.d/60-converge-cis.conf",
                content=_HEAD + "[Journal]\n" + _text(machine.journald),
                mode=0o644,
                parents=True,
            )
            common.reads_again(r, "systemd-journald", file)


def _numbers(lines: list[str]) -> Iterable[str]:
    """Those that stand in comments."""
    return (line.removeprefix("# ") for line in lines if line.startswith("# "))


def _why(numbers: Iterable[str]) -> str:
    return f"CIS {', '.join(numbers)}. The reasons stand in docs/blueprints/cis.md."


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
