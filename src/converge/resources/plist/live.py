"""Reads and changes property lists: files by ourselves, domains through defaults(1)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from converge.core.errors import ResourceError
from converge.resources.plist import places
from converge.resources.plist.values import as_xml, plain

if TYPE_CHECKING:
    from converge.host import process
    from converge.resources.plist.setting import Plist

DEFAULTS = "/usr/bin/defaults"
"""Speaks to cfprefsd, which has the preferences of domains in memory and would overwrite what others write."""
_LONGEST_LIST = 64 * 1024 * 1024
_ANSWER_WITHIN = 20.0
_WRITING = threading.Lock()
"""Each writes the whole file, and independent ones are applied side by side: one at a time, so that none is lost."""


class List(NamedTuple):
    """What is in a file."""

    settings: dict[str, Any]  # Any: whatever the list holds
    binary: bool = False


def read(path: str) -> List:
    """All settings of a list; none where it does not exist."""
    from converge.host.fs.dirfd import read_safely

    try:
        with open(read_safely(path), "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        return List({})
    try:
        return List(_parsed(raw), raw.startswith(b"bplist00"))
    except ValueError as error:
        raise ResourceError(f"{path} {error}, and is left as it is") from error


def write(setting: Plist) -> None:
    """Change the setting in the file that is named by its path."""
    import plistlib

    from converge.host.fs.atomic import replace_text

    with _WRITING:
        settings, binary = read(setting.domain)
        if setting.is_removal():
            settings.pop(setting.key, None)
        else:
            settings[setting.key] = plain(setting.value)
        format_ = plistlib.FMT_BINARY if binary else plistlib.FMT_XML
        new = plistlib.dumps(settings, fmt=format_, sort_keys=False)
        replace_text(setting.domain, new.decode("utf-8", "surrogateescape"))


def tell(setting: Plist) -> None:
    """Have the setting of a domain changed."""
    verb = "delete" if setting.is_removal() else "write"
    value = [] if setting.is_removal() else [as_xml(setting.value)]
    done = _defaults(setting, verb, [setting.key, *value])
    if done.timed_out:
        raise ResourceError(f"defaults {verb} did not end within {_ANSWER_WITHIN:g} s")
    if done.returncode != 0:
        raise ResourceError(f"defaults {verb} ended with {done.ending()}: {done.output.strip()}")


def ask(setting: Plist) -> dict[str, Any] | None:  # Any: whatever the list holds
    """All settings of its domain as cfprefsd has them, which writes them to the disk later; None where it is silent."""
    try:
        done = _defaults(setting, "export", ["-"], errors=False)
        return _parsed(done.output.encode("utf-8", "surrogateescape")) if done.returncode == 0 else None
    except (ResourceError, OSError, ValueError):
        return None


def _defaults(setting: Plist, verb: str, rest: list[str], *, errors: bool = True) -> process.Result:
    from converge.host import process

    host = [] if setting.host is None else ["-currentHost"]
    return process.run(
        [DEFAULTS, *host, verb, places.domain(setting), *rest],
        user=setting.user, timeout=_ANSWER_WITHIN, limit=_LONGEST_LIST, errors=errors,
    )  # fmt: skip


def _parsed(raw: bytes) -> dict[str, Any]:  # Any: whatever the list holds
    """Raises ValueError, whose text goes on after the name of a file."""
    import plistlib

    try:
        settings = plistlib.loads(raw)
    except Exception as error:  # the parser lets out whatever its XML reader raises
        raise ValueError(f"is no property list that can be read ({error})") from error
    if not isinstance(settings, dict):
        raise ValueError("is a property list without keys")
    return settings
