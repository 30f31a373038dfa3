"""The environment of child processes: small, and listed here in full.

Our own environment may hold keys (``SOPS_AGE_KEY``, ``CREDENTIALS_DIRECTORY``), addresses of the service manager
(``NOTIFY_SOCKET``: a child could report ready in our place), and paths of whoever started us. None of it is meant for
a command, least of all for one that runs as another user.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from converge.core.platform import SYSTEM_PATH

if TYPE_CHECKING:
    import pwd

NETWORK: Final = frozenset({
    "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
})  # fmt: skip
"""The way to other machines. A proxy's address may hold a password, so only programs that fetch something get it."""

_SERVICE_MANAGER: Final = frozenset({
    "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"
})  # fmt: skip
_LOCALE: Final = ("LANG", "LANGUAGE", "TZ")
_SESSION: Final = (
    "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
)  # fmt: skip
"""The session of the user who started us: without it, ``systemctl --user`` finds nobody."""
_WINDOWS: Final = (
    "ALLUSERSPROFILE", "APPDATA", "COMMONPROGRAMFILES", "COMPUTERNAME", "COMSPEC", "HOMEDRIVE", "HOMEPATH",
    "LOCALAPPDATA", "NUMBER_OF_PROCESSORS", "OS", "PATH", "PATHEXT", "PROCESSOR_ARCHITECTURE", "PROGRAMDATA",
    "PROGRAMFILES", "PUBLIC", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERDOMAIN", "USERNAME", "USERPROFILE",
    "WINDIR",
)  # fmt: skip
"""Programs of Windows do not start without some of these."""


def environment(
    extra: Mapping[str, str] | None, account: pwd.struct_passwd | None = None, *, keep: Collection[str] = ()
) -> dict[str, str]:
    """What a command gets: a few names of ours, its user's own, those of ``keep``, and ``extra``, later over earlier.

    ``account`` is whom it runs as, None for ourselves; ``keep`` names more of our environment.
    """
    ours = os.environ
    if sys.platform == "win32":
        env = {name: ours[name] for name in _WINDOWS if name in ours}
    else:
        env = {name: ours[name] for name in _passed_on(account) if name in ours}
        env |= {"PATH": SYSTEM_PATH, **_of_user(account)}
    return env | {name: ours[name] for name in keep if name in ours} | dict(extra or {})


def ours() -> list[str]:
    """The names of all that we have, for helpers that the owner names to us and whose keys may be anywhere.

    Left out is what the service manager says to the daemon alone.
    """
    return [name for name in os.environ if name not in _SERVICE_MANAGER]


def _passed_on(account: pwd.struct_passwd | None) -> Iterator[str]:
    yield from _LOCALE
    yield from (name for name in os.environ if name.startswith("LC_"))
    if account is None or account.pw_uid == os.geteuid():
        yield from _SESSION


def _of_user(account: pwd.struct_passwd | None) -> dict[str, str]:
    """From the user database, since our own ``HOME`` may be that of whoever called sudo."""
    import pwd

    if account is None:
        try:
            account = pwd.getpwuid(os.geteuid())
        except KeyError:  # a user without an entry, as in a container
            return {"HOME": os.environ.get("HOME", "/")}
    return {
        "HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell or "/bin/sh",
    }  # fmt: skip
