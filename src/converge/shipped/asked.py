"""What the shipped blueprints do only where a parameter asks for it: software, services, accounts, rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converge.blueprints.run import Run
from converge.core.errors import BadValue
from converge.core.platform import CALLED
from converge.shipped import common
from converge.shipped.container import may_filter_packets
from converge.shipped.pieces import Piece

SSH_PORT = 22
SMTP_PORT = 25
_BREW = "/opt/homebrew/bin/brew"
_BREW_ON_INTEL = "/usr/local/bin/brew"
_CRON = {"apt": ("cron", "cron"), "zypper": ("cronie", "cron"), "pacman": ("cronie", "cronie")}
"""Package and unit by package manager; elsewhere cronie and crond."""
_OPENSSH = {"zypper": "openssh", "apk": "openssh", "pacman": "openssh"}


def packages(names: Sequence[str], brew_user: str = "") -> list[Piece]:
    """Software; on macOS through Homebrew, which refuses to work for root."""
    return [Piece("packages", name, _package, (name, brew_user)) for name in names]


def _package(r: Run, name: str, brew_user: str) -> None:
    if r.platform.os == "linux":
        r.package(name)
    elif r.platform.os == "darwin":
        if not brew_user:
            raise BadValue("packages", "Homebrew refuses to work for root; name the account it belongs to: brew_user")
        brew = _BREW if r.platform.arch == "arm64" else _BREW_ON_INTEL
        r.exec(f"brew install {name}", [brew, "install", name], unless=[brew, "list", "--versions", name],
               user=brew_user)  # fmt: skip
    else:
        raise BadValue("packages", f"converge installs none on {CALLED[r.platform.os]} yet; leave the parameter out")


def motd(text: str) -> list[Piece]:
    """What is shown after a login."""
    return [Piece("motd", "/etc/motd", _motd, (text,))] if text else []


def _motd(r: Run, text: str) -> None:
    r.file("/etc/motd", content=text.rstrip("\n") + "\n", mode=0o644)


def ssh(r: Run) -> None:
    """The SSH server is installed, runs, and may be connected to."""
    if r.platform.os == "darwin":  # its application firewall lets in what belongs to macOS
        r.service("com.openssh.sshd", state="running", enable=True)
        return
    if r.platform.os == "windows":
        r.service("sshd", state="running", startup_type="auto")
        return
    manager = r.platform.package_manager
    package = r.package(_OPENSSH.get(manager, "openssh-server"))
    if common.has_units(r):
        r.service("ssh" if manager == "apt" else "sshd", state="running", enable=True, depends_on=package)


def allow_ssh(r: Run) -> None:
    """A rule for connections to SSH, whatever the policy is."""
    r.include(common.packet_filter)
    r.firewall("Allow SSH", port=SSH_PORT, depends_on="package:nftables", condition=may_filter_packets())


def no_smtp(r: Run) -> None:
    """This machine sends no mail by itself, as one that was taken over would."""
    r.include(common.packet_filter)
    r.firewall(
        "Block SMTP out",
        port=SMTP_PORT,
        direction="outbound",
        action="block",
        depends_on="package:nftables",
        condition=may_filter_packets(),
    )


def account(name: str, groups: Sequence[str], shell: str) -> list[Piece]:
    """An account for people."""
    return [Piece("account", name, _account, (name, tuple(groups), shell))] if name else []


def _account(r: Run, name: str, groups: Sequence[str], shell: str) -> None:
    if r.platform.os != "linux":
        raise BadValue("account", f"converge makes none on {CALLED[r.platform.os]} yet; leave the parameter out")
    r.user(name, groups=list(groups), shell=shell)


def canary(r: Run, names: Sequence[str], percent: int, brew_user: str = "") -> Iterator[Piece]:
    """Packages for some of the machines: those that :meth:`Run.in_shard` chooses."""
    if names and r.in_shard(percent):
        yield from (each._replace(section="canary") for each in packages(names, brew_user))


def cron(r: Run) -> None:
    """Scheduled jobs run."""
    package, unit = _CRON.get(r.platform.package_manager, ("cronie", "crond"))
    there = r.package(package)
    if common.has_units(r):
        r.service(unit, state="running", enable=True, depends_on=there)


def fail2ban(r: Run) -> None:
    """Whoever guesses passwords is shut out for a while, with the distribution's own settings."""
    package = r.package("fail2ban")
    if common.has_units(r):
        r.service("fail2ban", state="running", enable=True, depends_on=package)


def sysctls(wanted: Sequence[str]) -> list[Piece]:
    """Settings of the kernel, each written ``KEY=VALUE``."""
    pieces = []
    for each in wanted:
        key, equals, value = (part.strip() for part in each.partition("="))
        if not (key and equals and value):
            raise BadValue("sysctls", f"{each!r} is none; write KEY=VALUE, such as kernel.sysrq=0")
        pieces.append(Piece("sysctls", key, common.setting, (key, value, False)))
    return pieces
