"""What several of the shipped blueprints have in common.

Most are blueprints themselves, and go through ``r.include``: a second time with the same parameters does nothing, so
that ``cis`` and ``linux_server`` can be used together. They have no defaults: what is left out is another set of
parameters than what is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from converge.blueprints.run import Run
from converge.conditions import file_exists
from converge.core.errors import ConvergeError
from converge.core.platform import CALLED, Os
from converge.shipped.container import may_filter_packets, sysctl_writable

if TYPE_CHECKING:
    from converge.core.condition import Condition
    from converge.resources.file import File
    from converge.resources.firewall.rule import Protocol

SSHD = "/usr/sbin/sshd"
_SSHD_CONFIG = "/etc/ssh/sshd_config"


def only_on(r: Run, system: Os, name: str) -> None:
    """Raises ConvergeError elsewhere."""
    if r.platform.os != system:
        raise ConvergeError(f"{name} is made for {CALLED[system]}, and this is {CALLED[r.platform.os]}")


def registry_value(r: Run, key: str, value: str, data: int | str | list[str], type: str | None = None) -> None:
    """A value in the registry, which several blueprints may want."""
    r.registry(key, value, data=data, type=type)


ALF = "/usr/libexec/ApplicationFirewall/socketfilterfw"
SMB = "/Library/Preferences/SystemConfiguration/com.apple.smb.server.plist"


def preference(r: Run, domain: str, key: str, value: bool | int | str | dict[str, int]) -> None:
    """A preference of a whole Mac, which several blueprints may want."""
    r.plist(domain, key, value=value)


def application_firewall(r: Run) -> None:
    """The firewall of macOS is on. Since macOS 15 its state is in no file that others may write."""
    on = f"{ALF} --getglobalstate | grep -q 'State = [12]'"
    r.exec("application firewall on", [ALF, "--setglobalstate", "on"], unless=["/bin/sh", "-c", on])


def network_time(r: Run) -> None:
    """The clock of a Mac is set over the network."""
    tool = "/usr/sbin/systemsetup"
    on = f"{tool} -getusingnetworktime | /usr/bin/grep -q 'Network Time: On'"
    r.exec(
        "network time on",
        ["/bin/sh", "-ec", f"{tool} -setusingnetworktime on", "sh"],
        unless=["/bin/sh", "-c", on, "sh"],
    )


def setting(r: Run, key: str, value: str, optional: bool) -> None:
    """A setting of the kernel. ``optional``: not every kernel has it. In a container most are not its own to set."""
    r.sysctl(key, value, condition=sysctl_writable(key, value, optional=optional))


def is_no_container() -> Condition:
    """Whether the clock and the kernel are this machine's own; systemd says so in this file."""
    return ~file_exists("/run/systemd/container")


def has_units(r: Run) -> bool:
    """Whether systemd runs the machine: an image of a container, for one, has no services to look after."""
    return r.platform.init_system == "systemd"


def reads_again(r: Run, unit: str, file: File) -> None:
    """A service is restarted once its configuration has changed, where it runs."""
    if has_units(r):
        r.exec(f"{unit} reads {file.name()}", _if_it_runs("try-restart", unit), only_on=file)


def _if_it_runs(verb: str, unit: str) -> list[str]:
    """A command that does nothing where the unit does not run, or is not there."""
    script = f'systemctl -q is-active "$1" || exit 0; exec systemctl {verb} "$1"'
    return ["sh", "-c", script, "sh", f"{unit}.service"]


def time_service(r: Run, name: str) -> None:
    """``systemd-timesyncd`` or ``chrony`` keeps the clock right, where it is installed."""
    if not has_units(r):
        return
    unit = "chronyd" if name == "chrony" and r.platform.package_manager != "apt" else name
    there = file_exists(f"/usr/lib/systemd/system/{unit}.service") | file_exists(f"/lib/systemd/system/{unit}.service")
    r.service(unit, state="running", enable=True, condition=there & is_no_container())


# --- permissions -------------------------------------------------------------------------------------------------


def account_files(r: Run) -> None:
    """passwd(5) and group(5), which everybody reads, and shadow(5), which nearly nobody does."""
    for path in ("/etc/passwd", "/etc/group"):
        r.include(owned, path, 0o644, "root")
    mode, group = _SHADOW.get(r.platform.package_manager, (0o600, "root"))
    r.include(owned, "/etc/shadow", mode, group)
    r.include(limited, "/etc/gshadow", mode, group)


_SHADOW = {
    "apt": (0o640, "shadow"),
    "apk": (0o640, "shadow"),
    "zypper": (0o640, "shadow"),
    "dnf": (0o000, "root"),
    "yum": (0o000, "root"),
}
"""Mode and group of shadow(5) by the families of distributions, as their own packages have them."""


def owned(r: Run, path: str, mode: int, group: str) -> None:
    """A file of root's that every machine has."""
    r.file(path, owner="root", group=group, mode=mode)


def limited(r: Run, path: str, mode: int, group: str) -> None:
    """A file of root's that allows no more than this, where it exists.

    A command, and not ``r.file``: that would make an empty file in the place of one that somebody removes, and an empty
    host key, for one, keeps the SSH server's package from making a new one.
    """
    too_open = ["-maxdepth", "0", "(", "-perm", f"/{0o7777 & ~mode:04o}", "-o", "!", "-user", "root"]
    too_open += ["-o", "!", "-group", group, ")"]
    r.exec(
        f"permissions of {path}",
        [
            "find",
            path,
            *too_open,
            "-exec",
            "chown",
            f"root:{group}",
            "{}",
            "+",
            "-exec",
            "chmod",
            _less(mode),
            "{}",
            "+",
        ],
        unless=["sh", "-c", 'test ! -f "$1" || test -z "$(find "$@")"', "sh", path, *too_open],
        watch=[path],
    )


def _less(mode: int) -> str:
    """For chmod(1): take away what goes beyond ``mode``, and give nothing."""
    parts = []
    for who, shift, special, letter in (("u", 6, 0o4000, "s"), ("g", 3, 0o2000, "s"), ("o", 0, 0o1000, "t")):
        bits = ~(mode >> shift) & 7
        letters = "".join(name for name, bit in (("r", 4), ("w", 2), ("x", 1)) if bits & bit)
        letters += "" if mode & special else letter
        parts.append(f"{who}-{letters}")
    return ",".join(part for part in parts if len(part) > 2)


# --- SSH ---------------------------------------------------------------------------------------------------------


def ssh_drop_in(r: Run, name: str, text: str, *, only_if: Condition | None = None) -> None:
    """A file in ``sshd_config.d``, tried together with the whole configuration before it goes live.

    The first value counts for sshd, so a lower number goes before; cloud-init has 50.
    """
    r.include(ssh_configuration)
    there = file_exists(SSHD)
    path = f"/etc/ssh/sshd_config.d/{name}"
    file = r.file(
        path,
        content=f"# Managed by converge.\n{text}",
        owner="root",
        group="root",
        mode=0o600,
        parents=True,
        validate=[SSHD, "-t"],
        condition=there if only_if is None else there & only_if,
        depends_on=f"file:{_SSHD_CONFIG}",
    )
    if has_units(r):
        unit = "ssh" if r.platform.package_manager == "apt" else "sshd"
        # Sessions stay as they are. What does not run has nothing to read anew.
        r.exec(f"ssh reads {name}", _if_it_runs("reload-or-restart", unit), only_on=file)


def ssh_configuration(r: Run) -> None:
    """sshd's own file is root's, and has the drop-ins in it before all else."""
    before: list[str] = []
    if r.platform.package_manager == "apt":
        # Debian's sshd refuses even to try a configuration without this folder, which its service makes.
        before = [r.directory("/run/sshd", owner="root", group="root", mode=0o755, condition=file_exists(SSHD)).id]
    from converge.resources.file import Line

    r.file(
        _SSHD_CONFIG,
        owner="root",
        group="root",
        mode=0o600,
        line=Line(
            "Include /etc/ssh/sshd_config.d/*.conf",
            match=r"^\s*Include\s+/etc/ssh/sshd_config\.d/\*\.conf\s*$",
            before="BOF",
        ),
        validate=[SSHD, "-t", "-f", "%s"],
        condition=file_exists(SSHD),
        depends_on=before,
    )


# --- firewall ----------------------------------------------------------------------------------------------------


def packet_filter(r: Run) -> None:
    """nftables, called the same by all package managers."""
    r.package("nftables")


def firewall(r: Run, ports: Sequence[str], ssh_from: Sequence[str], ssh_port: int) -> None:
    """Only what is named gets in; SSH always does, but for other networks than those that are named for it."""
    may = may_filter_packets()
    rules: list[str] = []
    for each in ports:
        port, _, protocol = each.partition("/")
        rules.append(
            r.firewall(f"port {each}", port=port, protocol=cast("Protocol", protocol or "tcp"), condition=may).id
        )
    if ssh_from:
        # Before rules that let everybody in, such as that of baseline's ssh.
        ssh = r.firewall("ssh", port=ssh_port, source=list(ssh_from), order=-20, condition=may)
        others = r.firewall("ssh of others", port=ssh_port, action="block", order=-10, depends_on=ssh, condition=may)
        rules += [ssh.id, others.id]
    r.include(packet_filter)
    policy = r.firewall_policy("inbound", "block", depends_on=rules, condition=may)
    # What comes in by the loopback interface is let in before this rule, so this is about all others.
    away = r.firewall(
        "loopback from elsewhere", protocol="any", source=_LOOPBACK, action="block", depends_on=policy, condition=may
    )
    r.include(rules_at_boot, [*rules, policy.id, away.id])


_LOOPBACK = ("127.0.0.0/8", "::1")


def rules_at_boot(r: Run, rules: Sequence[str]) -> None:
    """The rules are there again before the network is, and before converge runs."""
    if r.platform.package_manager != "apt":
        return  # elsewhere the service reads other files; converge brings the rules back when it starts
    folder = r.directory("/etc/nftables.d", owner="root", group="root", mode=0o755)
    keep = "nft list table inet converge >converge.new && mv converge.new converge.nft"
    r.exec("rules for the next boot", ["sh", "-c", keep], dir=folder.id.removeprefix("file:"), only_on=rules)
    # A pattern: a file that is not there yet is no error.
    r.file("/etc/nftables.conf", line='include "/etc/nftables.d/*.nft"', depends_on="package:nftables")
    if has_units(r):
        r.service("nftables", enable=True, depends_on="package:nftables")
