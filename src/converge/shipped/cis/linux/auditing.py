"""Section 6 (6.3 and 6.1 for Ubuntu 22.04): auditd with its rules, and AIDE."""

from __future__ import annotations

from collections.abc import Iterator

from converge.blueprints.run import Run
from converge.conditions import file_exists
from converge.core.condition import Condition
from converge.shipped import common
from converge.shipped.cis.linux.tables import Machine, Rule, audit, installed, limited, rule

_FOLDER = "/etc/audit/rules.d"
_HEAD = "# Managed by converge (cis).\n"
_LEVEL_2 = "level 2"
_PEOPLE = "-F auid>=1000 -F auid!=unset"
"""Only what somebody did who logged in, and not what the system did."""


def declare_audit_rules(r: Run, text: str, immutable: bool) -> None:
    """The file of all rules. They are loaded at once, unless they are locked until the next boot."""
    texts = {"60-converge-cis.rules": text, **({"99-finalize.rules": f"{_HEAD}-e 2\n"} if immutable else {})}
    files = [
        r.file(f"{_FOLDER}/{name}", content=content, owner="root", group="root", mode=0o640, parents=True)
        for name, content in texts.items()
    ]
    load = "auditctl -s | grep -qx 'enabled 2' || exec augenrules --load"
    r.exec("audit rules are loaded", ["sh", "-c", load], only_on=files, condition=_own_audit())


def _own_audit() -> Condition:
    """There is auditd, and this is no container: the kernel has one audit for all."""
    return file_exists("/usr/sbin/auditctl") & common.is_no_container()


def _runs(machine: Machine, _: str) -> None:
    if common.has_units(machine.r):
        machine.r.service("auditd", state="running", enable=True, condition=common.is_no_container())


def _immutable(machine: Machine, numbers: str) -> None:
    machine.audit.append(f"# {numbers}: see 99-finalize.rules")
    machine.immutable = True


def _log_folder(machine: Machine, _: str) -> None:
    machine.r.directory("/var/log/audit", owner="root", mode=0o750, condition=file_exists("/usr/sbin/auditctl"))


def _calls(*names: str, what: str = "") -> Iterator[str]:
    """System calls, by 64-bit and by 32-bit programs; ``what`` is when, and the key."""
    wanted = ",".join(names)
    for arch in ("b64", "b32"):
        yield f"-a always,exit -F arch={arch} -S {wanted} {what}"


def _program(path: str, key: str) -> str:
    return f"-a always,exit -F path={path} -F perm=x {_PEOPLE} -k {key}"


def _writes(key: str, *paths: str) -> Iterator[str]:
    for path in paths:
        yield f"-w {path} -p wa -k {key}"


_RULES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "1": ("sudoers changes", "Who gave whom rights?", (*_writes("scope", "/etc/sudoers", "/etc/sudoers.d"),)),
    "2": (
        "actions as another user", "What somebody did with other rights than his own is known.",
        (*_calls("execve", what="-C auid!=euid -F auid!=unset -k user_emulation"),),
    ),
    "3": ("sudo log file changes", "Nobody removes his traces unseen.", (*_writes("sudo_log_file",
    "/var/log/sudo.log"),)),
    "4": (
        "date and time changes", "A log with wrong times proves nothing.",
        (*_calls("adjtimex", "settimeofday", what="-k time-change"),
         *_calls("clock_settime", what="-F a0=0x0 -k time-change"), *_writes("time-change", "/etc/localtime")),
    ),
    "5": (
        "network environment changes", "Another name or address leads others astray.",
        (*_calls("sethostname", "setdomainname", what="-k system-locale"),
         *_writes("system-locale", "/etc/issue", "/etc/issue.net", "/etc/hosts", "/etc/networks", "/etc/network")),
    ),
    "7": (
        "unsuccessful file access attempts", "Somebody looks for what is not his.",
        (*_calls("creat", "open", "openat", "truncate", "ftruncate", what=f"-F exit=-EACCES {_PEOPLE} -k access"),
         *_calls("creat", "open", "openat", "truncate", "ftruncate", what=f"-F exit=-EPERM {_PEOPLE} -k access")),
    ),
    "8": (
        "user and group changes", "A new account is how an intruder stays.",
        (*_writes("identity", "/etc/group", "/etc/passwd", "/etc/gshadow", "/etc/shadow", "/etc/security/opasswd",
                  "/etc/nsswitch.conf", "/etc/pam.conf", "/etc/pam.d"),),
    ),
    "9": (
        "permission changes", "A file that is opened to others is opened for a reason.",
        (*_calls("chmod", "fchmod", "fchmodat", what=f"{_PEOPLE} -k perm_mod"),
         *_calls("chown", "fchown", "fchownat", "lchown", what=f"{_PEOPLE} -k perm_mod"),
         *_calls("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
                 what=f"{_PEOPLE} -k perm_mod")),
    ),
    "10": ("file system mounts", "Data leaves by disks.", (*_calls("mount", what=f"{_PEOPLE} -k mounts"),)),
    "11": (
        "session initiation", "Who was here, and when?",
        (*_writes("session", "/var/run/utmp", "/var/log/wtmp", "/var/log/btmp"),),
    ),
    "12": (
        "login and logout events", "Somebody guesses passwords.",
        (*_writes("logins", "/var/log/lastlog", "/var/run/faillock", "/var/log/faillog", "/var/log/tallylog"),),
    ),
    "13": (
        "file deletions by users", "What is gone was there.",
        (*_calls("unlink", "unlinkat", "rename", "renameat", what=f"{_PEOPLE} -k delete"),),
    ),
    "14": (
        "mandatory access control changes", "Whoever wants to do more turns off what forbids it.",
        (*_writes("MAC-policy", "/etc/apparmor", "/etc/apparmor.d"),),
    ),
    "15": ("chcon", "It changes what a program may do.", (_program("/usr/bin/chcon", "perm_chng"),)),
    "16": ("setfacl", "It opens files to others.", (_program("/usr/bin/setfacl", "perm_chng"),)),
    "17": ("chacl", "It opens files to others.", (_program("/usr/bin/chacl", "perm_chng"),)),
    "18": ("usermod", "It gives accounts rights.", (_program("/usr/sbin/usermod", "usermod"),)),
    "19": (
        "kernel module loading and unloading", "What is in the kernel sees and hides everything.",
        (f"-a always,exit -F arch=b64 -S init_module,finit_module,delete_module {_PEOPLE} -k kernel_modules",
         _program("/usr/bin/kmod", "kernel_modules")),
    ),
}  # fmt: skip
"""Rules of audit.rules(7), by the last part of their numbers: what is recorded, why, and lines."""


def _aide(machine: Machine, _: str) -> None:
    r = machine.r
    packages = [r.package("aide"), r.package("aide-common")]
    r.exec(
        "AIDE database", ["aideinit", "-y", "-f"], creates="/var/lib/aide/aide.db", timeout="1h", depends_on=packages
    )


def _aide_regularly(machine: Machine, _: str) -> None:
    unit = "dailyaidecheck.timer"
    there = file_exists(f"/usr/lib/systemd/system/{unit}") | file_exists(f"/lib/systemd/system/{unit}")
    if common.has_units(machine.r):
        machine.r.service(unit, state="running", enable=True, condition=there)


RULES: tuple[Rule, ...] = (
    rule(
        "auditd", "6.2.1.1", "auditd packages", "Audit records name who did what.", installed("auditd",
        "audispd-plugins"),
        ubuntu="6.3.1.1", extra=_LEVEL_2,
    ),
    rule(
        "auditd", "6.2.1.2", "auditd service enabled and active", "Without it the rules write into the kernel's log.",
        _runs, ubuntu="6.3.1.2", extra=_LEVEL_2,
    ),
    *(
        rule("auditd", f"6.2.3.{number}", f"audit rules: {what}", why, audit(*lines), ubuntu=f"6.3.3.{number}",
             extra=_LEVEL_2)
        for number, (what, why, lines) in _RULES.items()
    ),
    rule(
        "auditd", "6.2.3.20", "audit configuration immutable until the next boot",
        "Nobody turns it off to do something else.", _immutable, ubuntu="6.3.3.20", extra=_LEVEL_2,
    ),
    rule(
        "auditd", "6.2.4.4", "audit log directory: mode", "It tells much about people.", _log_folder,
        ubuntu="6.3.4.4", extra=_LEVEL_2,
    ),
    rule(
        "auditd", "6.2.4.5 6.2.4.6 6.2.4.7", "audit configuration: owner and permissions",
        "Whoever knows what is recorded does what is not.", limited("/etc/audit/auditd.conf", 0o640),
        limited("/etc/audit/audit.rules", 0o640), ubuntu="6.3.4.5 6.3.4.6 6.3.4.7", extra=_LEVEL_2,
    ),
    rule(
        "integrity", "6.3.1", "AIDE packages and database", "A changed program is found although it looks as before.",
        _aide, ubuntu="6.1.1",
    ),
    rule(
        "integrity", "6.3.2", "File system integrity checked regularly",
        "A database that nobody looks at finds nothing.",
        _aide_regularly, ubuntu="6.1.2",
    ),
)  # fmt: skip
