"""``reboot``: start the machine anew, once for each reason to do so."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.duration import parse_duration
from converge.core.errors import Busy, ResourceError
from converge.core.resource import Resource
from converge.core.trigger import PathChanged, Trigger

if TYPE_CHECKING:
    from converge.resources.reboot.record import Record

_STALE = 600.0
"""Seconds after which a reboot that was begun and has not come is begun again."""
_SOON = 600.0
_MOST_HASTY = 3
"""Reboots in a row that are each asked for within ``_SOON`` seconds of a boot. One more would be a loop."""
_CHANGES = "changes"
_DECLARED = "declared"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Reboot(Resource):
    """A reboot of the machine, made once for each reason.

    With ``only_on`` the reason is a change of one of those resources; with ``when_exists``, a file that says so. With
    neither there is one reason, the declaration: the machine is rebooted once, and again only under another name.
    What depends on it starts after the reboot.
    """

    kind: ClassVar[str] = "reboot"
    platforms = ("linux",)

    name: str
    """What it is called; its id is ``reboot:NAME``."""
    _: KW_ONLY
    reason: str = ""
    """Why, for the log."""
    message: str = ""
    """What those who are logged in are told when it is asked for. Unset: the reason."""
    delay: float | str = 0.0
    """Time between asking for it and beginning it, in seconds or as ``5m``."""
    only_on: Resource | str | Sequence[Resource | str] = ()
    """Reboot when one of these resources changed, and only then."""
    when_exists: str | None = None
    """Reboot when there is a file at this path, such as ``/run/reboot-required``."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield f"the name {self.name!r} is not made of letters, digits, '.', '_' and '-'"
        for option, text in (("reason", self.reason), ("message", self.message)):
            if not text.isprintable():
                yield f"{option} must be one line of text"
        try:
            parse_duration(self.delay)
        except (ValueError, OverflowError) as error:
            yield f"delay: {error}"
        if self.when_exists is not None and not (os.path.isabs(self.when_exists) and self.when_exists.isprintable()):
            yield f"when_exists takes a full path such as /run/reboot-required, not {self.when_exists!r}"
        if self.when_exists is not None and self.refreshed_by():
            yield "only_on and when_exists exclude each other; declare two reboots"

    def refreshed_by(self) -> Sequence[Resource | str]:
        return (self.only_on,) if isinstance(self.only_on, Resource | str) else tuple(self.only_on)

    def triggers(self) -> Sequence[Trigger]:
        return () if self.when_exists is None else (PathChanged(self.when_exists),)

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "only root can reboot the machine"

    # --- what it does -------------------------------------------------------------------------------------

    def check(self) -> Changes:
        if self.refreshed_by():
            return IN_SYNC
        cause = self._cause()
        if cause is None:
            return IN_SYNC
        why = self._words()
        if self.needs_root():
            return (Change("reboot", "unknown (only root can tell)", why, "unknown"),)
        return IN_SYNC if self._made(cause) else (Change("reboot", None, f"pending: {why}", "run"),)

    def apply(self, state: Changes) -> None:
        del state  # there is but one thing to do
        cause = self._cause()
        if cause is not None:
            self._begin(cause)

    def refresh(self, causes: Sequence[str]) -> None:
        del causes  # one reboot is for all that changed before it
        if self._made(_CHANGES):
            self._note_served()
        else:
            self._begin(_CHANGES)

    def _cause(self) -> str | None:
        """What asks for a reboot now. A file that was replaced or written since is another cause."""
        if self.when_exists is None:
            return _DECLARED
        try:
            status = os.stat(self.when_exists)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return f"file {status.st_dev}:{status.st_ino} {status.st_ctime_ns}"

    def _made(self, cause: str) -> bool:
        """Whether the machine was rebooted for this. Raises Busy while it is on its way."""
        from converge.resources.reboot import record, sentinel

        known = record.read(self.name)
        if known is None and cause == _DECLARED and sentinel.made(self.name):
            return True
        if known is None or known.cause != cause:
            return False
        if known.boot != record.this_boot():
            return True
        self._wait_for(known, record.now())
        return False

    def _wait_for(self, known: Record, now: float) -> None:
        """Raises Busy while the time has not come, or has and the system is going down."""
        if known.issued is None:
            if now < known.due:
                raise self._busy(known.due - now, known.due - now)
        elif now < known.issued + _STALE:
            raise self._busy(_STALE, 0.0)

    def _begin(self, cause: str) -> None:
        """Ask for it, or, where its time has come, begin it. Never returns: it is done when the machine is up again."""
        from converge.resources.reboot import issuing, record

        boot, now = record.this_boot(), record.now()
        known = record.read(self.name)
        if known is None or (known.boot, known.cause) != (boot, cause):
            due = now + parse_duration(self.delay)
            known = record.Record(boot, cause, due, hasty=self._hasty(known))
            record.write(self.name, known)
            issuing.announce(self.message or f"The system is going to reboot: {self._words()}")
        self._wait_for(known, now)
        # First written down, since the system may go down at once.
        record.write(self.name, replace(known, issued=now))
        try:
            issuing.reboot(self._words())
        except Exception:
            record.write(self.name, known)
            raise
        raise self._busy(_STALE, 0.0)

    def _hasty(self, known: Record | None) -> int:
        """How many in a row would be asked for soon after a boot."""
        from converge.resources.reboot import record

        if record.uptime() > _SOON:
            return 0
        hasty = 1 + (0 if known is None else known.hasty)
        if hasty > _MOST_HASTY:
            raise ResourceError(
                f"the machine was rebooted for this {_MOST_HASTY} times in a row, and each time it was asked for again "
                f"within {_SOON / 60:.0f} minutes; it is not rebooted once more: find what asks for it at every boot"
            )
        return hasty

    def _note_served(self) -> None:
        """What changes from now on asks for another reboot."""
        from converge.resources.reboot import record

        known = record.read(self.name)
        if known is not None:
            record.write(self.name, replace(known, cause="served"))

    def _busy(self, again: float, wait: float) -> Busy:
        return Busy(f"the machine is going to reboot: {self._words()}", again=again, at_most=wait + _STALE)

    def _words(self) -> str:
        return self.reason or self.name
