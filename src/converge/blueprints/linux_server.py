"""``linux_server``: a Linux machine that others reach over a network."""

from __future__ import annotations

from collections.abc import Sequence

from converge.blueprints import parts
from converge.blueprints.administrators import an_administrator_has_a_key
from converge.blueprints.linux import linux
from converge.declaration import Run


def linux_server(
    r: Run,
    ports: Sequence[str] = (),
    ssh_from: Sequence[str] = (),
    ssh_port: int = 22,
    firewall: bool = True,
    harden_ssh: bool = True,
    passwords: bool = False,
    administrators: Sequence[str] = (),
    automatic_updates: bool = True,
    journal_max: str = "1G",
) -> None:
    """``linux``, and SSH by key, a firewall that only lets in what is named, and careful network settings.

    ``ports``: what others may connect to beside SSH, such as ``443`` or ``53/udp`` or ``8000-8010/tcp``.
    ``ssh_from``: networks that may connect to ``ssh_port``; empty is any, on whatever port the SSH server has.
    ``firewall``, ``harden_ssh``: whether these parts are wanted at all.
    ``passwords``: SSH goes on to take them. Otherwise it does not, as soon as an administrator has a key.
    ``administrators``: who these are; root and the members of sudo, wheel and admin where it is empty.
    """
    parts.only_on(r, "linux", "linux_server")
    r.include(linux, automatic_updates=automatic_updates, journal_max=journal_max)
    for key, value in _KERNEL.items():
        r.include(parts.setting, key, value, optional=False)
    if firewall:
        r.include(parts.firewall, ports=ports, ssh_from=ssh_from, ssh_port=ssh_port)
    if harden_ssh:
        parts.ssh_drop_in(r, "10-converge.conf", _SSH)
        if not passwords:
            parts.ssh_drop_in(
                r, "11-converge-keys.conf", _KEYS_ONLY, only_if=an_administrator_has_a_key(administrators)
            )


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
