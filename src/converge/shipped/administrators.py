"""The guard before anything that takes a way in away: whether an administrator can still log in by key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from converge.core.condition import Condition
from converge.core.trigger import PathChanged, Trigger

GROUPS = ("sudo", "wheel", "admin")
"""Whose members may become root, by the custom of Debian, Red Hat and older Ubuntus."""
SUDO = "/usr/bin/sudo"
_MOST = 1 << 20
"""Bytes of a file of keys that are looked at."""
_NO_LOGIN = ("nologin", "false", "sync", "halt", "shutdown")
_KEY = re.compile(r"(?:^|[\s,\"])(?:ssh-(?:ed25519|rsa)|(?:ecdsa-sha2-|sk-)[A-Za-z0-9@.-]+)\s+AAAA[0-9A-Za-z+/=]{20,}")
_FORCED = re.compile(r"(?:^|,)command=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AdministratorHasKey(Condition):
    """One of these users can log in with an SSH key, and run what they like then."""

    names: tuple[str, ...] = ()
    """Unset: root, where that counts, and the members of :data:`GROUPS`."""
    root: bool = True
    """Whether root counts. If not, there must be sudo too."""

    def met(self) -> bool:
        if not self.root and not os.access(SUDO, os.X_OK):
            return False
        return any(_can_log_in(name) and _has_key(_keys_of(name)) for name in self._who())

    def triggers(self) -> Sequence[Trigger]:
        paths = ["/etc/passwd", "/etc/group", *(_keys_of(name) for name in self._who())]
        return [PathChanged(path) for path in (paths if self.root else [*paths, SUDO])]

    def _who(self) -> list[str]:
        import grp

        names = list(self.names)
        if not names:
            for group in GROUPS:
                try:
                    names += grp.getgrnam(group).gr_mem
                except KeyError:
                    continue
            names.append("root")
        return [name for name in dict.fromkeys(names) if self.root or name != "root"]

    def __str__(self) -> str:
        if self.names:
            return f"one of {', '.join(self.names)} has an SSH key"
        return "an administrator has an SSH key" if self.root else "an administrator other than root has an SSH key"


def an_administrator_has_a_key(names: Sequence[str] = (), *, root: bool = True) -> Condition:
    """Holds while one of these users can log in with an SSH key; see :class:`AdministratorHasKey`."""
    return AdministratorHasKey(tuple(names), root)


def keys_in(text: str) -> Iterator[str]:
    """The lines of an authorized_keys file that let somebody in for whatever they like."""
    for line in text.splitlines():
        found = _KEY.search(line)
        # Cloud images give root a key that only says who else to log in as.
        if found and not line.lstrip().startswith("#") and not _FORCED.search(line[: found.start()]):
            yield line


def _has_key(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(True for _ in keys_in(file.read(_MOST)))
    except OSError:
        return False  # what cannot be read, as by others than root, lets nobody in for certain


def _can_log_in(name: str) -> bool:
    import pwd

    try:
        return os.path.basename(pwd.getpwnam(name).pw_shell) not in _NO_LOGIN
    except KeyError:
        return False


def _keys_of(name: str) -> str:
    import pwd

    try:
        home = pwd.getpwnam(name).pw_dir
    except KeyError:
        home = f"/home/{name}"  # where it is once the user is made
    return os.path.join(home, ".ssh", "authorized_keys")
