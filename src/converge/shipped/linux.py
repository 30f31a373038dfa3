"""``linux``: a Linux machine that looks after itself."""

from __future__ import annotations

from collections.abc import Sequence

from converge.blueprints.run import Run
from converge.shipped import asked, baseline, common, pieces
from converge.shipped.pieces import Piece


def linux(
    r: Run,
    automatic_updates: bool = True,
    journal_max: str = "1G",
    packages: Sequence[str] = (),
    motd: str = "",
    ssh: bool = False,
    cron: bool = False,
    block_smtp: bool = False,
    sysctls: Sequence[str] = (),
    skip: Sequence[str] = (),
) -> None:
    """``baseline``, and time, updates and journal looked after.

    ``automatic_updates``: security updates are installed by themselves (Debian and Ubuntu).
    ``journal_max``: how much of the disk the journal may take, as ``SystemMaxUse`` of journald.conf(5) has it.
    ``packages``, ``motd``, ``ssh``: as for ``baseline``.
    ``cron``: it is installed and runs.
    ``block_smtp``: nothing here connects to port 25 of others.
    ``sysctls``: further settings of the kernel, such as ``kernel.sysrq=0``.
    ``skip``: sections such as ``time``, names such as ``fs.protected_fifos``, or beginnings of names.
    """
    common.only_on(r, "linux", "linux")
    wanted = everything(r, automatic_updates, journal_max, packages, motd, ssh, cron, block_smtp, sysctls)
    pieces.declare(r, "linux", wanted, skip)


def everything(
    r: Run,
    automatic_updates: bool,
    journal_max: str,
    packages: Sequence[str],
    motd: str,
    ssh: bool,
    cron: bool,
    block_smtp: bool,
    sysctls: Sequence[str],
) -> list[Piece]:
    """All pieces of this blueprint."""
    apt = r.platform.package_manager == "apt"
    wanted = {
        Piece("journal", "journal", _journal, (journal_max,)): common.has_units(r),
        # Whichever is there; none is installed.
        Piece("time", "systemd-timesyncd", common.time_service, ("systemd-timesyncd",)): common.has_units(r),
        Piece("time", "chrony", common.time_service, ("chrony",)): common.has_units(r),
        Piece("updates", "updates", updates): automatic_updates and apt,
        Piece("ssh", "ssh", asked.ssh): ssh,
        Piece("ssh", "firewall", asked.allow_ssh): ssh,
        Piece("cron", "cron", asked.cron): cron,
        Piece("smtp", "smtp", asked.no_smtp): block_smtp,
    }
    return [
        *baseline.LINUX,
        *pieces.settings(_KERNEL),
        *(piece for piece, yes in wanted.items() if yes),
        *asked.packages(packages),
        *asked.motd(motd),
        *asked.sysctls(sysctls),
    ]


_KERNEL = {
    "fs.protected_fifos": "1",  # nobody else's pipes and files in folders that all can write to
    "fs.protected_regular": "2",  # are opened by mistake; the values of systemd's own defaults
    "kernel.dmesg_restrict": "1",  # the kernel's messages tell addresses
    "kernel.kptr_restrict": "1",  # and so do files in /proc
}


def _journal(r: Run, most: str) -> None:
    limits = r.file(
        "/etc/systemd/journald.conf.d/50-converge.conf",
        content=f"# Managed by converge (linux).\n[Journal]\nSystemMaxUse={most}\n",
        mode=0o644,
        parents=True,
    )
    common.reads_again(r, "systemd-journald", limits)


def updates(r: Run) -> None:
    """Security updates are installed by themselves: apt's daily timers do it once unattended-upgrades is there."""
    package = r.package("unattended-upgrades")
    r.file(
        "/etc/apt/apt.conf.d/52converge-updates",
        content='APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n',
        mode=0o644,
        depends_on=package,
    )
