"""Where this machine's SSH server is reached: by its configuration, and by what it listens on at this moment.

Both, since either alone may lock the administrator out: a server that is being restarted listens nowhere, and one that
was started by hand, or told another port since, is not where its configuration says.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from typing import Final

_SERVERS: Final = ("sshd", "sshd-session", "dropbear")
DEFAULT: Final = 22
_LISTEN: Final = "0A"
"""TCP_LISTEN of the kernel, as /proc/net/tcp has it."""

CONFIGURATION: Final = ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d", "/etc/systemd/system/ssh.socket.d")
"""What may name another port."""
_FILES: Final = (
    "/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d/*.conf",
    "/etc/systemd/system/ssh.socket.d/*.conf",
    "/run/systemd/generator/ssh.socket.d/*.conf",
)
_HOST = r"(?:\[[^\]]*\]|[^\s:\[=\"]+):"
_PORT = re.compile(
    rf"\s*(?:Port[\s=]+|ListenAddress[\s=]+{_HOST}|ListenStream=(?:{_HOST})?)(\d{{1,5}})\s*", re.IGNORECASE
)


def ssh_ports() -> set[int]:
    """All TCP ports that may be the way in for the administrator."""
    lines = [line for pattern in _FILES for path in sorted(glob.glob(pattern)) for line in _lines(path)]
    ports = set(configured(lines)) or {DEFAULT}
    listening = dict(_listening())
    ports |= {port for inode, port in listening.items() if port == DEFAULT} | _held_by_servers(listening)
    # Set where we were started from such a session: CLIENT-ADDRESS CLIENT-PORT SERVER-ADDRESS SERVER-PORT.
    session = os.environ.get("SSH_CONNECTION", "").split()
    if len(session) == 4 and session[3].isdecimal():
        ports.add(int(session[3]))
    return {port for port in ports if 1 <= port <= 65535}


def configured(lines: Iterable[str]) -> Iterator[int]:
    """The ports that lines of sshd_config(5) or of a socket unit name."""
    for line in lines:
        if found := _PORT.fullmatch(line):
            yield int(found[1])


def listeners(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Inode and port of each listening socket in the lines of /proc/net/tcp or tcp6."""
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            yield fields[9], int(fields[1].rpartition(":")[2], 16)


def _listening() -> Iterator[tuple[str, int]]:
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        yield from listeners(_lines(path))


def _held_by_servers(listening: dict[str, int]) -> set[int]:
    """The ports of the SSH servers themselves: root's, and not the sessions below them, which forward other ports."""
    servers = {pid for pid in filter(str.isdecimal, os.listdir("/proc")) if _name(pid) in _SERVERS}
    masters = [pid for pid in servers if _parent(pid) not in servers and _is_roots(pid)]
    inodes = {inode for pid in masters for inode in _sockets(pid)}
    return {port for inode, port in listening.items() if inode in inodes}


def _name(pid: str) -> str:
    return "".join(_lines(f"/proc/{pid}/comm")).strip()


def _parent(pid: str) -> str:
    """The fourth field of stat(5), of which the second may hold anything in its parentheses."""
    after = "".join(_lines(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return after[1] if len(after) > 1 else ""


def _is_roots(pid: str) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == 0
    except OSError:
        return False  # it has ended


def _sockets(pid: str) -> Iterator[str]:
    try:
        handles = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return  # it has ended
    for handle in handles:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{handle}")
        except OSError:
            continue  # it was closed
        if target.startswith("socket:["):
            yield target[8:-1]


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readlines()
    except OSError:
        return []  # not there, or gone again
