"""Section 1: file systems, boot loader, processes, banners."""

from __future__ import annotations

from converge.conditions import file_exists, package_installed
from converge.resources.file import Line
from converge.shipped import common
from converge.shipped.cis.linux.tables import Declaration, Machine, gone, installed, limited, rule, setting
from converge.shipped.container import may_mount


def module(name: str) -> Declaration:
    """A module that the kernel must not load. One that is loaded already goes with the next boot."""

    def declare(machine: Machine, numbers: str) -> None:
        text = f"# CIS {numbers}\ninstall {name} /bin/false\nblacklist {name}\n"
        machine.r.file(f"/etc/modprobe.d/converge-{name}.conf", content=text, mode=0o644, parents=True)

    return declare


_SHARED = "/dev/shm"  # noqa: S108 - the file system itself is meant


def _shared_memory(machine: Machine, _: str) -> None:
    machine.r.mount(_SHARED, "tmpfs", "tmpfs", options="nosuid,nodev,noexec", condition=may_mount())


def _core_dumps(machine: Machine, numbers: str) -> None:
    r = machine.r
    text = f"# CIS {numbers}\n* hard core 0\n"
    r.file("/etc/security/limits.d/60-converge-cis.conf", content=text, mode=0o644, parents=True)
    r.file(
        "/etc/systemd/coredump.conf.d/60-converge-cis.conf",
        content=f"# CIS {numbers}\n[Coredump]\nStorage=none\nProcessSizeMax=0\n",
        mode=0o644,
        parents=True,
        condition=package_installed("systemd-coredump"),
    )


def _no_crash_reports(machine: Machine, _: str) -> None:
    there = file_exists("/etc/default/apport")
    machine.r.file("/etc/default/apport", line=Line("enabled=0", match=r"^\s*enabled\s*="), condition=there)
    if common.has_units(machine.r):
        machine.r.service("apport", state="stopped")


def banner(path: str) -> Declaration:
    """A file that is shown at a login."""

    def declare(machine: Machine, _: str) -> None:
        text = machine.given.banner
        machine.r.file(path, content=text + "\n" * (not text.endswith("\n")), owner="root", group="root", mode=0o644)

    return declare


_OLD = "Code for a file system that nobody here uses can only be misused, by a crafted disk or image."

RULES = (
    rule("filesystems", "1.1.1.1", "cramfs kernel module not available", _OLD, module("cramfs")),
    rule("filesystems", "1.1.1.2", "freevxfs kernel module not available", _OLD, module("freevxfs")),
    rule("filesystems", "1.1.1.3", "hfs kernel module not available", _OLD, module("hfs")),
    rule("filesystems", "1.1.1.4", "hfsplus kernel module not available", _OLD, module("hfsplus")),
    rule("filesystems", "1.1.1.5", "jffs2 kernel module not available", _OLD, module("jffs2")),
    rule(
        "filesystems", "1.1.1.9", "usb-storage kernel module not available",
        "A disk in somebody's pocket is a way in for programs and a way out for data.", module("usb-storage"),
        ubuntu="1.1.1.8",
    ),
    rule(
        "filesystems", "1.1.2.2.1 1.1.2.2.2 1.1.2.2.3 1.1.2.2.4",
        f"{_SHARED}: separate file system with nodev, nosuid and noexec",
        "All can write to it, so nothing in it should be able to do more than hold data.", _shared_memory,
    ),
    rule(
        "boot", "1.3.1.1", "AppArmor packages",
        "A program that is taken over can only do what its profile allows.", installed("apparmor", "apparmor-utils"),
    ),
    rule(
        "boot", "1.4.2", "Boot loader configuration: owner and permissions",
        "It may hold a password, and tells how the machine can be started otherwise.",
        limited("/boot/grub/grub.cfg", 0o600),
    ),
    rule(
        "processes", "1.5.1", "Address space layout randomization (ASLR)",
        "An attack has to know where things lie.", setting("kernel.randomize_va_space", 2),
    ),
    rule(
        "processes", "1.5.2", "ptrace_scope restricted",
        "One program that is taken over does not read the keys out of all others of the same user.",
        setting("kernel.yama.ptrace_scope", 1, optional=True),
    ),
    rule(
        "processes", "1.5.3", "Core dumps restricted",
        "A dump is the memory of a program on disk, with whatever secrets were in it.",
        setting("fs.suid_dumpable", 0), setting("kernel.core_uses_pid", 1), _core_dumps,
    ),
    rule(
        "processes", "", "prelink not installed",
        "It undoes random addresses, and changes programs on disk.", gone("prelink"), ubuntu="1.5.4",
    ),
    rule(
        "processes", "", "Automatic error reporting (apport) disabled",
        "Reports take memory of programs out of the machine.", _no_crash_reports, ubuntu="1.5.5",
    ),
    rule(
        "banners", "1.6.1 1.6.4", "/etc/motd: message of the day, owner and permissions",
        "A rule has to be told before it can be held against anybody; which system this is need not be.",
        banner("/etc/motd"),
    ),
    rule(
        "banners", "1.6.2 1.6.5", "/etc/issue: local login banner, owner and permissions",
        "Shown at the console before a login.",
        banner("/etc/issue")
    ),
    rule(
        "banners", "1.6.3 1.6.6", "/etc/issue.net: remote login banner, owner and permissions",
        "Shown before a login over the network.",
        banner("/etc/issue.net"),
    ),
)  # fmt: skip
