"""Selects the outcomes worth reporting: failures and changes first, later only what is new."""

from __future__ import annotations

from collections.abc import Collection

from converge.engine.events import Outcome


class ChangesOnly:
    """Remembers what was last told of each resource that is not as it should be.

    *ok* is told of a resource that was not right before, and with ``all_ok`` of all in the first convergence.
    Once :meth:`only_news` was called, a failure, or what is skipped or pending, is only told where it differs from what
    was told last. A change is always told. Of those that are ``counted`` in another way, by id, only failures are told.
    """

    def __init__(self, *, all_ok: bool, counted: Collection[str] = ()) -> None:
        self._all_ok = all_ok
        self._counted = counted
        self._only_news = False
        self._wrong: dict[str, Outcome] = {}

    def only_news(self) -> None:
        """The first convergence has been told; from now on only news."""
        self._only_news = True
        self._all_ok = False

    def tells(self, outcome: Outcome) -> bool:
        """Whether to tell this outcome."""
        if outcome.status == "ok" and not self._wrong:
            return self._all_ok
        if outcome.status in ("pending", "skipped") and outcome.id in self._counted:
            return False
        before = self._wrong.pop(outcome.id, None)
        if outcome.status == "changed":
            return True
        if outcome.status == "ok":
            return self._all_ok or before is not None
        self._wrong[outcome.id] = outcome
        return not (self._only_news and before is not None and _same(before, outcome))


def _same(one: Outcome, other: Outcome) -> bool:
    """Equal but for how long it took."""
    return all(
        getattr(one, name) == getattr(other, name) for name in ("status", "changes", "error", "reason", "noncompliant")
    )
