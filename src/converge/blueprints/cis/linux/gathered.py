"""Files that several recommendations have lines in: declared once, when all of these are known."""

from __future__ import annotations

from converge.blueprints import parts
from converge.blueprints.cis.linux.catalogue import Machine
from converge.conditions import file_exists

_VISUDO = "/usr/sbin/visudo"
_HEAD = "# Managed by converge (cis); the numbers are those of the benchmark's recommendations.\n"


def declare_gathered(machine: Machine) -> None:
    """All of them that have something in them."""
    r = machine.r
    for path, lines in machine.edits.items():
        r.file(path, line=lines)
    if machine.ssh:
        parts.ssh_drop_in(r, "05-converge-cis.conf", _text(machine.ssh))
    if machine.sudo:
        r.file(
            "/etc/sudoers.d/60-converge-cis",
            content=_HEAD + _text(machine.sudo),
            owner="root",
            group="root",
            mode=0o440,
            validate=[_VISUDO, "-cf", "%s"],
            condition=file_exists(_VISUDO),
        )
    if machine.pwquality:
        r.file(
            "/etc/security/pwquality.conf.d/60-converge-cis.conf",
            content=_HEAD + _text(machine.pwquality),
            mode=0o644,
            parents=True,
        )
    if machine.journald:
        file = r.file(
            "/etc/systemd/journald.conf.d/60-converge-cis.conf",
            content=_HEAD + "[Journal]\n" + _text(machine.journald),
            mode=0o644,
            parents=True,
        )
        parts.reads_again(r, "systemd-journald", file)


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
