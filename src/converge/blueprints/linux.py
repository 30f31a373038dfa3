"""``linux``: a Linux machine that looks after itself."""

from __future__ import annotations

from converge.blueprints import parts
from converge.blueprints.baseline import baseline
from converge.declaration import Run


def linux(r: Run, automatic_updates: bool = True, journal_max: str = "1G") -> None:
    """``baseline``, and time, updates and journal looked after.

    ``automatic_updates``: security updates are installed by themselves (Debian and Ubuntu).
    ``journal_max``: how much of the disk the journal may take, as ``SystemMaxUse`` of journald.conf(5) has it.
    """
    parts.only_on(r, "linux", "linux")
    r.include(baseline)
    for key, value in _KERNEL.items():
        r.include(parts.setting, key, value, optional=False)
    if parts.has_units(r):
        _journal(r, journal_max)
        for name in ("systemd-timesyncd", "chrony"):
            r.include(parts.time_service, name)  # whichever is there; none is installed
    if automatic_updates and r.platform.package_manager == "apt":
        r.include(updates)


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
    parts.reads_again(r, "systemd-journald", limits)


def updates(r: Run) -> None:
    """Security updates are installed by themselves: apt's daily timers do it once unattended-upgrades is there."""
    package = r.package("unattended-upgrades")
    r.file(
        "/etc/apt/apt.conf.d/52converge-updates",
        content='APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n',
        mode=0o644,
        depends_on=package,
    )
