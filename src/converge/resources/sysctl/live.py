"""Checking and applying settings: the file is read once for all of them, and written once."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import NotYet, ResourceError
from converge.host.fs.atomic import read_text, replace_text
from converge.resources.sysctl import keys, lines, values

if TYPE_CHECKING:
    from converge.resources.sysctl.setting import Sysctl

LIVE: Final = "live value"
LINE: Final = "line in the file"
_EDITING: Final = threading.Lock()
_PAGE: Final = 1 << 16


def check(settings: Sequence[Sysctl], file: str) -> Iterator[Changes | Exception]:
    """What differs, for each."""
    there: dict[str, list[str]] | Exception = {}
    if any(setting.persist for setting in settings):
        try:
            there = lines.values(read_text(file) or "")
        except OSError as error:
            there = error
    for setting in settings:
        try:
            yield _check_live(setting) + _check_line(setting, there, file)
        except (ResourceError, OSError) as error:
            yield error


def apply(work: Sequence[tuple[Sysctl, Changes]], file: str) -> Iterator[Exception | None]:
    """Put right what differs. What the kernel does not take is not put into the file either."""
    results: list[Exception | None] = [_apply_live(setting, state) for setting, state in work]
    to_write = [
        index
        for index, (_, state) in enumerate(work)
        if results[index] is None and any(change.property == LINE for change in state)
    ]
    if to_write:
        wanted = {work[index][0].identity(): _line(work[index][0]) for index in to_write}
        try:
            with _EDITING:
                _edit(file, wanted)
        except (ResourceError, OSError) as error:
            for index in to_write:
                results[index] = error
    yield from results


# --- the live value ------------------------------------------------------------------------------------------


def _check_live(setting: Sysctl) -> Changes:
    if setting.is_removal():
        return IN_SYNC
    try:
        now: str | None = " ".join(_read(setting.path()).split())
    except FileNotFoundError as error:
        raise _missing(setting) from error
    except PermissionError as error:
        if os.geteuid() != 0:
            return (Change(LIVE, "unknown (only root can read it)", setting.text(), "unknown"),)
        raise ResourceError(
            f"{setting.identity()} can only be written: it sets something off, and is no setting; use r.exec"
        ) from error
    except OSError as error:
        if error.errno != errno.EIO:
            raise ResourceError(f"{setting.identity()} cannot be read: {_reason(error)}") from error
        now = None  # it has no value yet, such as stable_secret of IPv6
    if now is None:
        return (Change(LIVE, None, setting.text(), "create"),)
    return IN_SYNC if values.same(now, setting.text()) else (Change(LIVE, now, setting.text()),)


def _apply_live(setting: Sysctl, state: Changes) -> Exception | None:
    if not any(change.property == LIVE for change in state):
        return None
    try:
        _write(setting.path(), setting.text())
    except OSError as error:
        if error.errno == errno.ENOENT:
            return _unavailable(setting) if os.path.exists(setting.path()) else _missing(setting)
        if error.errno in (errno.EINVAL, errno.ERANGE, errno.EDOM):
            return ResourceError(f"the kernel does not take {setting.text()!r} for {setting.identity()}")
        return ResourceError(f"{setting.identity()} cannot be set: {_reason(error)}")
    return None


def _missing(setting: Sysctl) -> NotYet:
    if link := keys.link(setting.key):
        why = f"there is no network interface {link}, or it has no such setting"
    else:
        why = "the name is wrong, or what brings it, such as a kernel module, is not loaded"
    return NotYet(
        f"the kernel has no setting {setting.identity()}: {why}",
        f"file:{setting.path()}",
        (Change(LIVE, None, setting.text(), "create"),),
    )


def _unavailable(setting: Sysctl) -> ResourceError:
    """The kernel says "no such file" of a value, too: of a congestion control or qdisc whose module it cannot find."""
    folder, name = os.path.split(setting.path())
    offered = ""
    with contextlib.suppress(OSError):
        # Beside tcp_congestion_control there is tcp_available_congestion_control, and others alike.
        prefix, _, rest = name.partition("_")
        offered = _read(f"{folder}/{prefix}_available_{rest}").strip()
    return ResourceError(
        f"the kernel has no {setting.text()!r} for {setting.identity()}: the value is wrong, or the kernel module that "
        f"brings it is not there{offered and f'; available: {offered}'}"
    )


def _reason(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "the kernel does not let it be changed" if os.geteuid() == 0 else "only root may"
    if error.errno == errno.EROFS:
        return "/proc/sys is read-only here, as it mostly is in containers"
    if error.errno == errno.EISDIR:
        return "it is a group of settings; write the whole key of one"
    return (error.strerror or str(error)).lower()


def _read(path: str) -> str:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, _PAGE).decode("utf-8", "surrogateescape")
    finally:
        os.close(handle)


def _write(path: str, value: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(handle, f"{value}\n".encode("utf-8", "surrogateescape"))  # in one call: the kernel wants it whole
    finally:
        os.close(handle)


# --- the line in the file ------------------------------------------------------------------------------------


def _line(setting: Sysctl) -> str | None:
    return None if setting.is_removal() else setting.text()


def _check_line(setting: Sysctl, there: dict[str, list[str]] | Exception, file: str) -> Changes:
    if not setting.persist:
        return IN_SYNC
    if isinstance(there, PermissionError) and os.geteuid() != 0:
        return (Change(LINE, "unknown (only root can read it)", _line(setting), "unknown"),)
    if isinstance(there, Exception):
        raise ResourceError(f"{file} cannot be read: {there}") from there
    now, wanted = there.get(setting.identity(), []), _line(setting)
    if now == ([] if wanted is None else [wanted]):
        return IN_SYNC
    shown = " and then ".join(now) or None
    return (Change(LINE, shown, wanted, "create" if shown is None else "remove" if wanted is None else "update"),)


def _edit(file: str, wanted: dict[str, str | None]) -> None:
    before = read_text(file)
    after = lines.edited(before or "", wanted)
    if after == (before or ""):
        return
    try:
        replace_text(file, after)
    except FileNotFoundError as error:
        folder = os.path.dirname(file)
        raise NotYet(f'the directory {folder} does not exist; declare it with r.directory("{folder}")',
                     f"file:{folder}") from error  # fmt: skip
