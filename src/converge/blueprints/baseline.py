"""``baseline``: what nobody objects to on any Linux machine."""

from __future__ import annotations

from converge.blueprints import parts
from converge.declaration import Run


def baseline(r: Run) -> None:
    """Account files that only root writes, temporary folders safe from others, and the kernel's cheap protections."""
    parts.only_on(r, "linux", "baseline")
    r.include(parts.account_files)
    for path in _SHARED:
        r.directory(path, owner="root", group="root", mode=0o1777)
    r.include(parts.limited, "/etc/sudoers", 0o440, "root")
    r.include(parts.limited, "/etc/crontab", 0o644, "root")
    for key, value in _KERNEL.items():
        r.include(parts.setting, key, value, optional=False)


_SHARED = ("/tmp", "/var/tmp")  # noqa: S108 - the folders themselves are meant
"""Where all can write; the sticky bit keeps others from removing or renaming what is yours."""
_KERNEL = {
    "kernel.randomize_va_space": "2",  # where code and data lie cannot be guessed
    "fs.protected_hardlinks": "1",  # nobody puts names of others' files into folders that all can write to,
    "fs.protected_symlinks": "1",  # nor links that lead programs of others astray
}
