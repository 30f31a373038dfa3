"""``baseline``: uncontroversial defaults for any machine, and what its owner asks for by parameters."""

from __future__ import annotations

from collections.abc import Sequence

from converge.blueprints.run import Run
from converge.shipped import asked, common, pieces
from converge.shipped.pieces import Piece


def baseline(
    r: Run,
    packages: Sequence[str] = (),
    motd: str = "",
    ssh: bool = False,
    account: str = "",
    account_groups: Sequence[str] = (),
    account_shell: str = "/bin/bash",
    canary: Sequence[str] = (),
    canary_percent: int = 10,
    brew_user: str = "",
    skip: Sequence[str] = (),
) -> None:
    """Account files that only root writes, temporary folders safe from others, and the system's cheap protections.

    ``packages``: software that is installed; on macOS as ``brew_user``, through Homebrew.
    ``motd``: what is shown after a login; unset, the system's own.
    ``ssh``: the SSH server runs, and a firewall rule lets it be reached.
    ``account``, ``account_groups``, ``account_shell``: an account for people, on Linux.
    ``canary``, ``canary_percent``: packages for so many percent of the machines; the same ones each time.
    ``skip``: sections such as ``kernel``, names such as ``kernel.kptr_restrict`` or ``/tmp``, or beginnings of names.
    """
    everything = [
        *DEFAULTS[r.platform.os],
        *asked.packages(packages, brew_user),
        *asked.motd(motd),
        *([Piece("ssh", "ssh", asked.ssh)] if ssh else []),
        *([Piece("ssh", "firewall", asked.allow_ssh)] if ssh and r.platform.os == "linux" else []),
        *asked.account(account, account_groups, account_shell),
        *asked.canary(r, canary, canary_percent, brew_user),
    ]
    pieces.declare(r, "baseline", everything, skip)


def _shared_folder(r: Run, path: str, group: str) -> None:
    r.directory(path, owner="root", group=group, mode=0o1777)


def _windows_time(r: Run) -> None:
    r.service("W32Time", state="running", startup_type="auto")


_KERNEL = {
    "kernel.randomize_va_space": "2",  # where code and data lie cannot be guessed
    "fs.protected_hardlinks": "1",  # nobody puts names of others' files into folders that all can write to,
    "fs.protected_symlinks": "1",  # nor links that lead programs of others astray
}
_LSA = r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa"

LINUX = (
    Piece("account-files", "account-files", common.account_files),
    # All can write to these; the sticky bit keeps others from removing or renaming what is yours.
    Piece("shared-folders", "/tmp", _shared_folder, ("/tmp", "root")),  # noqa: S108 - the folder itself is meant
    Piece("shared-folders", "/var/tmp", _shared_folder, ("/var/tmp", "root")),  # noqa: S108
    Piece("account-files", "/etc/sudoers", common.limited, ("/etc/sudoers", 0o440, "root")),
    Piece("account-files", "/etc/crontab", common.limited, ("/etc/crontab", 0o644, "root")),
    *pieces.settings(_KERNEL),
)
DARWIN = (
    Piece("shared-folders", "/private/tmp", _shared_folder, ("/private/tmp", "wheel")),
    Piece("shared-folders", "/private/var/tmp", _shared_folder, ("/private/var/tmp", "wheel")),
    Piece("time", "network-time", common.network_time),
)
WINDOWS = (
    Piece("time", "W32Time", _windows_time),
    # No password is stored in a form that is found in minutes, and an empty one is good for the console alone.
    Piece("passwords", "NoLMHash", common.registry_value, (_LSA, "NoLMHash", 1)),
    Piece("passwords", "LimitBlankPasswordUse", common.registry_value, (_LSA, "LimitBlankPasswordUse", 1)),
)
DEFAULTS = {"linux": LINUX, "darwin": DARWIN, "windows": WINDOWS}
