"""``plist``: one setting of a macOS property list."""

from __future__ import annotations

import os
import posixpath
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Literal

from converge.platform import may_do_all
from converge.resources.base import IN_SYNC, Change, Inside, Need, PathChanged, Resource, ResourceError, State, Trigger
from converge.resources.file.entry import Presence

DEFAULTS = "/usr/bin/defaults"
"""Speaks to cfprefsd, which has the preferences of domains in memory and would overwrite what others write."""
GLOBAL = "NSGlobalDomain"
_DOMAIN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_INTEGERS = range(-(2**63), 2**64)
"""What a property list can hold."""
_WRITING = threading.Lock()
"""Each writes the whole file, and independent ones are applied side by side: one at a time, so that none is lost."""


@dataclass(frozen=True, slots=True)
class Plist(Resource):
    """One setting of a property list, such as the preferences of a program."""

    kind: ClassVar[str] = "plist"
    platforms = ("darwin",)

    domain: str
    """A domain such as ``com.apple.dock``, ``NSGlobalDomain``, or an absolute path that ends in ``.plist``."""
    key: str
    """The name of the setting, at the top level of the list."""
    _: KW_ONLY
    value: object = field(default=None, hash=False)
    """What it is to be: text, a number, True or False, bytes, a datetime in UTC without a zone, a list or a dict."""
    type: Literal["string", "int", "float", "bool", "date", "data", "array", "dict"] | None = None
    """Its type, where the blueprint is to insist on one. Unset: that of the value."""
    state: Presence = "present"
    """Whether it is to be there."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return f"{self.domain}:{self.key}"

    def mistakes(self) -> Iterator[str]:
        if "/" in self.domain:
            if not self.domain.startswith("/") or not self.domain.endswith(".plist"):
                yield f"the path {self.domain!r} must be absolute and end in .plist"
            elif posixpath.normpath(self.domain) != self.domain or not self.domain.isprintable():
                yield f"the path {self.domain!r} is not plain; write it without .., // and the like"
        elif self.domain != GLOBAL and not _DOMAIN.fullmatch(self.domain):
            yield f"{self.domain!r} is no domain; write it as com.apple.dock, {GLOBAL} or /a/path.plist"
        if not self.key or not self.key.isprintable() or self.key.startswith("-"):
            yield f"{self.key!r} is no name for a key"
        if self.absent():
            if self.value is not None or self.type is not None:
                yield 'with state="absent" there is no value; leave out value and type'
        elif self.value is None:
            yield 'value is missing; to take the key away, say state="absent"'
        elif wrong := _unfit(self.value):
            yield f"value has {wrong}"
        elif self.type not in (None, _type(self.value)):
            yield f"value is of the type {_type(self.value)}, not {self.type}"

    def absent(self) -> bool:
        return self.state == "absent"

    def forbids(self, path: str) -> str | None:
        del path  # it is a setting that is to be absent, never the file
        return None

    def needs(self) -> Sequence[Need]:
        return (Inside(self._path()),)

    def triggers(self) -> Sequence[Trigger]:
        return (PathChanged(self._path()),)

    def why_root(self) -> str | None:
        ours = may_do_all() or not self._path().startswith("/Library/")
        return None if ours else "only root can write into /Library"

    # --- what it does -------------------------------------------------------------------------------------

    def check(self) -> State:
        _, settings = _read(self._path())
        now = settings.get(self.key)
        shown = None if now is None else _shown(now)
        if self.absent():
            return IN_SYNC if shown is None else (Change(self.key, shown, None, "remove"),)
        if shown is not None and _same(now, self.value):
            return IN_SYNC
        return (Change(self.key, shown, _shown(self.value), "create" if shown is None else "update"),)

    def apply(self, state: State) -> None:
        del state  # there is one thing that can differ
        if self.domain.startswith("/"):
            with _WRITING:
                self._write()
        else:
            self.tell(DEFAULTS)

    def tell(self, program: str) -> None:
        """Have ``program``, which is defaults(1), change the setting of a domain."""
        from converge import process

        verb = ["delete"] if self.absent() else ["write"]
        value = [] if self.absent() else [_fragment(self.value)]
        done = process.run([program, *verb, self._domain(), self.key, *value])
        if done.returncode != 0:
            raise ResourceError(f"defaults {verb[0]} ended with {done.ending()}: {done.output.strip()}")

    def _write(self) -> None:
        import plistlib

        from converge.resources.textfile import replace_text

        binary, settings = _read(self.domain)
        if self.absent():
            settings.pop(self.key, None)
        else:
            settings[self.key] = _plain(self.value)
        format_ = plistlib.FMT_BINARY if binary else plistlib.FMT_XML
        new = plistlib.dumps(settings, fmt=format_, sort_keys=False)
        replace_text(self.domain, new.decode("utf-8", "surrogateescape"))

    def _path(self) -> str:
        if self.domain.startswith("/"):
            return self.domain
        folder = "/Library/Preferences" if may_do_all() else os.path.expanduser("~/Library/Preferences")
        return f"{folder}/{'.GlobalPreferences' if self.domain == GLOBAL else self.domain}.plist"

    def _domain(self) -> str:
        """As defaults(1) takes it: what root sets is for all users, and is named by its path."""
        return self._path().removesuffix(".plist") if may_do_all() else self.domain


def _read(path: str) -> tuple[bool, dict[str, Any]]:  # Any: whatever the list holds
    """Whether the file is binary, and its settings; none where it does not exist."""
    import plistlib

    try:
        with open(path, "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        return False, {}
    try:
        settings = plistlib.loads(raw)
    except Exception as error:  # the parser lets out whatever its XML reader raises
        raise ResourceError(f"{path} is no property list that can be read, and is left as it is: {error}") from error
    if not isinstance(settings, dict):
        raise ResourceError(f"{path} is a property list without keys, and is left as it is")
    return raw.startswith(b"bplist00"), settings


def _type(value: object) -> str:
    import datetime

    if isinstance(value, bool):  # before int, of which it is a kind
        return "bool"
    types = {str: "string", int: "int", float: "float", bytes: "data", datetime.datetime: "date"}
    types |= {list: "array", tuple: "array"}
    return next((name for type_, name in types.items() if isinstance(value, type_)), "dict")


def _unfit(value: object) -> str | None:
    """What a property list cannot hold."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            return "a dict with a key that is no text"
        return next((wrong for each in value.values() if (wrong := _unfit(each))), None)
    if isinstance(value, list | tuple):
        return next((wrong for each in value if (wrong := _unfit(each))), None)
    return _unfit_single(value)


def _unfit_single(value: object) -> str | None:
    from datetime import datetime

    if _type(value) == "dict":
        return f"a {type(value).__name__}, which a property list cannot hold"
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - that is what NaN is
        return "NaN, which equals nothing"
    if isinstance(value, int) and value not in _INTEGERS:
        return "a number that is too large for a property list"
    if isinstance(value, datetime) and (value.tzinfo is not None or value.microsecond):
        return "a date with a time zone or parts of a second; give it in UTC, without a zone, in whole seconds"
    if isinstance(value, str) and re.search(r"[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]", value):
        return "text with characters that a property list cannot hold"
    return None


def _plain(value: object) -> Any:  # Any: what plistlib takes
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _same(one: object, other: object) -> bool:
    """Alike in value and in type, all the way down: True is not 1."""
    if _type(one) != _type(other):
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _fragment(value: object) -> str:
    """The value alone, as XML."""
    import plistlib

    whole = plistlib.dumps(_plain(value), fmt=plistlib.FMT_XML, sort_keys=False).decode()
    return whole.partition('<plist version="1.0">\n')[2].rpartition("</plist>")[0].strip()
