"""Refuses blueprints, modules and configuration that users other than root could have written.

A blueprint is a program. Whoever can write it, a module that it imports, its values, or a folder on the way to one of
these, can do what root can. So root uses none of them, as sshd(8) and sudo(8) do not.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Final, NamedTuple

from converge.core.errors import ConvergeError

INSIST: Final = "--allow-writable"
_ROOTS_OWN: Final = "/etc/converge"
_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder of the package converge."""
_MOST_LINKS: Final = 40
"""As many as Linux follows (path_resolution(7))."""


class Untrusted(ConvergeError):
    """Others than root could have written what root was to use."""

    def __init__(self, path: str, found: Sequence[Weakness]) -> None:
        lines = "".join(f"\n  {each}" for each in found)
        super().__init__(
            f"{path} is not used as root, since others can change it:{lines}\n"
            f"Mend that, or keep it in a folder that is root's alone, such as {_ROOTS_OWN}; "
            f"{INSIST} uses it all the same"
        )
        self.path = path


class Weakness(NamedTuple):
    """A place that others than root can change."""

    path: str
    why: str
    mend: str
    """A command, or what to do; empty where the place is as it has to be."""

    def __str__(self) -> str:
        return f"{self.path} {self.why}" + (f" ({self.mend})" if self.mend else "")


def weaknesses(path: str) -> Iterator[Weakness]:
    """Each folder and symbolic link on the way to ``path``, and itself, that others can change; up to what is missing.

    A name in a sticky folder, such as /tmp, is safe from all but its owner.
    """
    names = [name for name in reversed(path.split("/")) if name]
    folder, links = "/", 0
    yield from _weakness("/", os.lstat("/"))
    while names:
        name = names.pop()
        at = os.path.normpath(os.path.join(folder, name))  # ".." only comes from links, after what is before it
        try:
            status = os.lstat(at)
        except (FileNotFoundError, NotADirectoryError):
            return
        yield from _weakness(at, status)
        if not stat.S_ISLNK(status.st_mode):
            folder = at
            continue
        links += 1
        if links > _MOST_LINKS:
            return
        target = os.readlink(at)
        names += [part for part in reversed(target.split("/")) if part]
        folder = "/" if target.startswith("/") else folder


def _weakness(path: str, status: os.stat_result) -> Iterator[Weakness]:
    quoted = shlex.quote(path)
    if status.st_uid not in (0, os.geteuid()):
        from converge.host.fs.owners import owner_name

        owner = owner_name(status.st_uid)
        whose = _home_of(path)
        mend = "" if whose else f"chown {'-h ' * stat.S_ISLNK(status.st_mode)}root {quoted}"
        yield Weakness(path, f"is the home of {whose}" if whose else f"belongs to {owner}", mend)
    if stat.S_ISLNK(status.st_mode) or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
        return
    if status.st_mode & stat.S_IWOTH:
        yield Weakness(path, "can be written by everybody", f"chmod go-w {quoted}")
    elif status.st_mode & stat.S_IWGRP:
        from converge.host.fs.owners import group_name

        yield Weakness(path, f"can be written by the group {group_name(status.st_gid)}", f"chmod g-w {quoted}")


def _home_of(path: str) -> str | None:
    """Whose home it is: no advice gives that to root."""
    import pwd

    return next((user.pw_name for user in pwd.getpwall() if user.pw_dir == path), None)


class Trust:
    """What one loading of a blueprint may use. Each place is looked at once."""

    def __init__(self, *, insist: bool = False) -> None:
        # An access list of Windows says who can write; that is not looked at yet.
        self._asked = sys.platform != "win32" and os.geteuid() == 0 and not insist
        self.folder: str | None = None
        """The blueprint's own, whose modules are looked at wherever it is."""
        self._known: set[str] = set()

    def require(self, path: str) -> None:
        """Raises Untrusted where others could have written this file."""
        if not self._asked or path in self._known:
            return
        self._known.add(path)
        if found := list(weaknesses(path)):
            raise Untrusted(path, found)


class _TrustedImports(MetaPathFinder):
    """Finds modules for a blueprint, and requires trust in each before it runs.

    What comes with this Python and with converge is as trustworthy as the program itself, and is left alone.
    """

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, _OURS)
        self._ours = tuple(
            {os.path.join(each, "") for prefix in prefixes for each in (prefix, os.path.realpath(prefix))}
        )

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the import system asks; None hands on to the next finder."""
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None:
            return None
        for file in (spec.origin, spec.cached, *(spec.submodule_search_locations or ())):
            if file and os.path.isabs(file) and self._is_foreign(file):
                self._trust.require(file)
        return spec

    def _is_foreign(self, file: str) -> bool:
        folder = self._trust.folder
        own = folder is not None and file.startswith(os.path.join(folder, ""))
        return own or not file.startswith(self._ours)


@contextmanager
def trusted_imports(trust: Trust) -> Iterator[None]:
    """Meanwhile, no module runs that ``trust`` refuses."""
    finder = _TrustedImports(trust)
    # Where files are looked for anyway: what is built into Python goes before a file of the same name.
    files = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(files, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
