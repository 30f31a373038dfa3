"""``plist``: one setting of a macOS property list."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar, Literal

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import NotYet, ResourceError
from converge.core.platform import may_do_all
from converge.core.resource import Adopted, Inside, Need, Owned, OwnsPath, Resource, Uses
from converge.core.trigger import Every, PathChanged, Trigger
from converge.resources.file.entry import Presence
from converge.resources.plist.values import same, shown, type_name, unfit

_GLOBAL = "NSGlobalDomain"
_DOMAIN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NO_ACCOUNT = 60.0
"""Seconds between looks at the preferences of an account that does not exist."""


@dataclass(frozen=True, slots=True)
class Plist(Resource):
    """One setting of a property list, such as the preferences of a program."""

    kind: ClassVar[str] = "plist"
    platforms = ("darwin",)
    adoption = "by name"

    domain: str
    """A domain such as ``com.apple.dock``, ``NSGlobalDomain``, or an absolute path that ends in ``.plist``."""
    key: str
    """The name of the setting, at the top level of the list."""
    _: KW_ONLY
    value: object = field(default=None, hash=False)
    """What it is to be: text, a number, True or False, bytes, a datetime in UTC without a zone, a list or a dict."""
    type: Literal["string", "int", "float", "bool", "date", "data", "array", "dict"] | None = None
    """Its type, where the blueprint is to insist on one. Unset: that of the value."""
    host: Literal["current"] | None = None
    """``current``: a person's preferences for this Mac alone, as ``defaults -currentHost`` has them (``ByHost``)."""
    user: str | None = None
    """Whose preferences. Unset: for root those of the machine, for others their own."""
    state: Presence = "present"
    """Whether it is to be there."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        """Others than the machine's or one's own begin as their path does: ``~ada/ByHost/com.apple.dock:autohide``."""
        owner = "" if self.user is None else f"~{self.user}/"
        return f"{owner}{'' if self.host is None else 'ByHost/'}{self.domain}:{self.key}"

    def mistakes(self) -> Iterator[str]:
        yield from self._mistakes_in_place()
        if not self.key or not self.key.isprintable() or self.key.startswith("-"):
            yield f"{self.key!r} is no name for a key"
        if self.is_removal():
            if self.value is not None or self.type is not None:
                yield 'with state="absent" there is no value; leave out value and type'
        elif self.value is None:
            yield 'value is missing; to take the key away, say state="absent"'
        elif wrong := unfit(self.value):
            yield f"value has {wrong}"
        elif self.type not in (None, type_name(self.value)):
            yield f"value is of the type {type_name(self.value)}, not {self.type}"

    def _mistakes_in_place(self) -> Iterator[str]:
        if "/" in self.domain:
            if not self.domain.startswith("/") or not self.domain.endswith(".plist"):
                yield f"the path {self.domain!r} must be absolute and end in .plist"
            elif posixpath.normpath(self.domain) != self.domain or not self.domain.isprintable():
                yield f"the path {self.domain!r} is not plain; write it without .., // and the like"
            if self.host is not None or self.user is not None:
                yield "host and user belong to domains; a path says itself whose list it is"
        elif self.domain != _GLOBAL and not _DOMAIN.fullmatch(self.domain):
            yield f"{self.domain!r} is no domain; write it as com.apple.dock, {_GLOBAL} or /a/path.plist"
        if self.user is not None and not _USER.fullmatch(self.user):
            yield f"{self.user!r} is no name of a user"

    def is_removal(self) -> bool:
        return self.state == "absent"

    def forbids(self, path: str) -> str | None:
        del path  # it is a setting that is to be absent, never the file
        return None

    def needs(self) -> Sequence[Need]:
        from converge.resources.plist import places

        if self.user is not None:
            return (Uses(f"user:{self.user}"),)
        return (Inside(self.domain if self.is_path() else places.anywhere(self)),)

    def owns(self) -> Iterable[Owned]:
        return (OwnsPath(self.domain),) if self.is_path() and not self.is_removal() else ()

    def triggers(self) -> Sequence[Trigger]:
        from converge.resources.plist import places

        try:
            return (PathChanged(places.path(self)),)
        except NotYet:
            return (Every(_NO_ACCOUNT),)

    def triggers_vary(self) -> bool:
        return not self.is_path()  # a home is known when there is an account, a sandbox when its program has run

    def needs_root(self) -> str | None:
        from converge.resources.plist import places

        if may_do_all():
            return None
        if self.user is not None:
            return None if places.is_ours(self.user) else "only root can change the preferences of others"
        return "only root can write into /Library" if self.domain.startswith("/Library/") else None

    def is_path(self) -> bool:
        """Whether the list is named by its path, not by its domain."""
        return self.domain.startswith("/")

    # --- what it does -------------------------------------------------------------------------------------

    def check(self) -> Changes:
        from converge.resources.plist import live, places

        state = self._judged(live.read(places.path(self)).settings)
        if state and not self.is_path() and (told := live.ask(self)) is not None:
            return self._judged(told)  # what was written a moment ago is not in the file yet
        return state

    def _judged(self, settings: dict[str, object]) -> Changes:
        now = settings.get(self.key)
        text = None if now is None else shown(now)
        if self.is_removal():
            return IN_SYNC if text is None else (Change(self.key, text, None, "remove"),)
        if text is not None and same(now, self.value):
            return IN_SYNC
        return (Change(self.key, text, shown(self.value), "create" if text is None else "update"),)

    def apply(self, state: Changes) -> None:
        from converge.resources.plist import live

        del state  # there is one thing that can differ
        if self.is_path():
            live.write(self)
        else:
            live.tell(self)

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        """The setting that is called ``DOMAIN:KEY``."""
        from converge.resources.plist import live, places

        is_path = name.startswith("/")
        domain, mark, key = name.partition(".plist:" if is_path else ":")
        if not mark or not key:
            raise ResourceError("a setting is named as DOMAIN:KEY, such as com.apple.dock:autohide")
        found = cls(f"{domain}.plist" if is_path else domain, key, value=0)
        for wrong in found.mistakes():
            raise ResourceError(wrong)
        told = None if is_path else live.ask(found)
        settings = live.read(places.path(found)).settings if told is None else told
        if key not in settings:
            raise ResourceError(f"{found.domain} has no key {key}")
        if type_name(settings[key]) == "date" or unfit(settings[key]):
            raise ResourceError(f"{key} holds what cannot be written into a blueprint just so: {shown(settings[key])}")
        return Adopted(cls(found.domain, key, value=settings[key]))
