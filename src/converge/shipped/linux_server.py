"""``linux_server``: a Linux machine that others reach over a network."""

from __future__ import annotations

from collections.abc import Sequence

from converge.blueprints.run import Run
from converge.shipped import asked, common, linux, pieces
from converge.shipped.administrators import an_administrator_has_a_key
from converge.shipped.pieces import Piece


def linux_server(
    r: Run,
    ports: Sequence[str] = (),
    ssh_from: Sequence[str] = (),
    ssh_port: int = 22,
    firewall: bool = True,
    harden_ssh: bool = True,
    passwords: bool = False,
    administrators: Sequence[str] = (),
    root_login: bool = True,
    max_auth_tries: int | None = None,
    fail2ban: bool = False,
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
    """``linux``, and SSH by key, a firewall that only lets in what is named, and careful network settings.

    ``ports``: what others may connect to beside SSH, such as ``443`` or ``53/udp`` or ``8000-8010/tcp``.
    ``ssh_from``: networks that may connect to ``ssh_port``; empty is any, on whatever port the SSH server has.
    ``firewall``, ``harden_ssh``: whether these parts are wanted at all.
    ``passwords``: SSH goes on to take them. Otherwise it does not, as soon as an administrator has a key.
    ``administrators``: who these are; root and the members of sudo, wheel and admin where it is empty.
    ``root_login``: root logs in by key. Otherwise not at all, as soon as another administrator has a key.
    ``max_auth_tries``: how many keys or passwords a connection may try; unset is what sshd has.
    ``fail2ban``: it is installed and runs.
    ``skip``: sections such as ``ssh``, names such as ``fs.suid_dumpable``, or beginnings of names.

    All others are as for ``linux``.
    """
    common.only_on(r, "linux", "linux_server")
    rules = (tuple(ports), tuple(ssh_from), ssh_port)
    hardened = (passwords, root_login, max_auth_tries, tuple(administrators))
    wanted = {
        Piece("firewall", "policy", common.firewall, rules): firewall,
        Piece("ssh", "sshd", _sshd, hardened): harden_ssh,
        Piece("fail2ban", "fail2ban", asked.fail2ban): fail2ban,
    }
    everything = [
        *linux.everything(r, automatic_updates, journal_max, packages, motd, ssh, cron, block_smtp, sysctls),
        *pieces.settings(_KERNEL),
        *(piece for piece, yes in wanted.items() if yes),
    ]
    pieces.declare(r, "linux_server", everything, skip)


def _sshd(r: Run, passwords: bool, root_login: bool, max_auth_tries: int | None, administrators: Sequence[str]) -> None:
    tries = "" if max_auth_tries is None else f"MaxAuthTries {max_auth_tries}\n"
    common.ssh_drop_in(r, "10-converge.conf", _SSH + tries)
    if not passwords:
        has_key = an_administrator_has_a_key(administrators)
        common.ssh_drop_in(r, "11-converge-keys.conf", _KEYS_ONLY, only_if=has_key)
    if not root_login:
        # Before the others: the first value counts.
        another = an_administrator_has_a_key(administrators, root=False)
        common.ssh_drop_in(r, "09-converge-root.conf", "PermitRootLogin no\n", only_if=another)


_KERNEL = {
    "fs.suid_dumpable": "0",  # what a set-user-id program has in memory is not written to disk
    "net.ipv4.conf.all.accept_redirects": "0",  # nobody on the network tells this machine another way,
    "net.ipv4.conf.default.accept_redirects": "0",
    "net.ipv4.conf.all.accept_source_route": "0",  # or by which way its answers go
    "net.ipv4.conf.default.accept_source_route": "0",
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",  # it does not amplify an attack on others
    "net.ipv4.icmp_ignore_bogus_error_responses": "1",
    "net.ipv4.tcp_syncookies": "1",  # half-open connections do not fill its tables
}

_SSH = """\
PermitEmptyPasswords no
X11Forwarding no
LoginGraceTime 60
ClientAliveInterval 300
ClientAliveCountMax 3
"""

_KEYS_ONLY = """\
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
