"""Runs converge as on macOS: sys.platform says so, what only Linux has is gone, and what only macOS has are stand-ins.

The standard library is imported before, as what it does on macOS cannot be done here.
"""

from __future__ import annotations

import asyncio  # noqa: F401
import errno
import fcntl
import importlib.util
import os
import select
import selectors  # noqa: F401
import subprocess  # noqa: F401
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
O_PATH = os.O_PATH
ONLY_ON_LINUX = (
    "O_PATH", "getxattr", "listxattr", "memfd_create", "pidfd_open", "posix_fadvise", "removexattr", "setxattr",
    "waitid",
)  # fmt: skip
F_GETPATH = 50


def standin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("standin", HERE.parent / "sources/standin.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["standin"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def no_proc(event: str, arguments: tuple[object, ...]) -> None:
    """There is no /proc on macOS."""
    if event in ("open", "os.chmod", "os.chown", "os.listdir") and str(arguments[0]).startswith("/proc/"):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])


def asked(handle: int, command: int, argument: object = 0) -> object:
    """fcntl(2), with what macOS has beside."""
    if command == F_GETPATH:
        return os.fsencode(os.readlink(f"/proc/self/fd/{handle}")).ljust(1024, b"\0")
    return FCNTL(handle, command, argument)  # type: ignore[call-overload]  # whatever it was given


def fcopyfile(old: int, new: int) -> None:
    """The part of copyfile(3) that is wanted: extended attributes."""
    for name in LISTXATTR(f"/proc/self/fd/{old}"):
        SETXATTR(f"/proc/self/fd/{new}", name, GETXATTR(f"/proc/self/fd/{old}", name))


FCNTL, LISTXATTR, GETXATTR, SETXATTR = fcntl.fcntl, os.listxattr, os.getxattr, os.setxattr


def pretend(root: Path) -> None:
    kernel = standin()
    sys.platform = "darwin"
    for name in ONLY_ON_LINUX:
        delattr(os, name)
    sys.addaudithook(no_proc)
    fcntl.fcntl = asked  # type: ignore[assignment]  # the stand-in
    from converge.host.fs import descriptors
    from converge.resources.plist import live, places
    from converge.resources.service.launchd import launchctl
    from converge.resources.service.launchd import places as daemons
    from converge.sources.darwin import kqueue

    class Kqueue(kqueue.Kqueue):
        def __init__(self, report: object) -> None:
            del report
            super().__init__(open_flags=O_PATH | os.O_NOFOLLOW)
            kqueue.os.kqueue = self._queue  # type: ignore[attr-defined]  # it is the stand-in's

    select.kqueue, select.kevent = kernel.Kqueue, kernel.Kevent  # type: ignore[attr-defined]  # not on Linux
    kqueue.os = kernel.Os()
    kqueue.Kqueue = Kqueue  # type: ignore[misc]  # the stand-in
    descriptors._copyfile = fcopyfile
    descriptors._MOUNT = str(root / "mount")  # type: ignore[misc]  # the stand-in
    launchctl.PROGRAM = str(root / "launchctl")  # type: ignore[misc]  # the stand-in
    live.DEFAULTS = str(root / "defaults")
    places._OF_THE_MACHINE = str(root / "Library/Preferences")
    daemons.OWN_FOLDER = str(root / "Library/LaunchDaemons")  # type: ignore[misc]  # not the machine's own
    daemons.FOLDERS = (daemons.OWN_FOLDER, str(root / "System/Library/LaunchDaemons"))  # type: ignore[misc]
    daemons.OVERRIDES = str(root / "disabled.plist")  # type: ignore[misc]
    daemons.LOOKED_AT_EVERY = 3600.0  # type: ignore[misc]  # so that all is noticed by news


if __name__ == "__main__":
    pretend(Path(os.environ["LAUNCHD"]))
    from converge.cli import main

    sys.exit(main(sys.argv[1:]))
