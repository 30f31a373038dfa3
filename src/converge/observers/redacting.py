"""Removes secrets and credentials from events before any observer sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from converge.core.change import Change
from converge.engine.events import Began, Event, Notice, Observer, Outcome, Recommended, Working
from converge.secrets.redaction import Redactor


class Redacted:
    """Passes events on to another observer, without secrets."""

    def __init__(self, observer: Observer, redactor: Redactor) -> None:
        self._observer = observer
        self._redactor = redactor

    def see(self, event: Event) -> None:
        self._observer.see(self._redacted(event))

    def flush(self) -> None:
        self._observer.flush()

    def close(self) -> None:
        self._observer.close()

    def _redacted(self, event: Event) -> Event:
        text, some = self._redactor.redact, self._some
        match event:
            case Outcome():
                return event._replace(
                    id=text(event.id),
                    changes=tuple(map(self._change, event.changes)),
                    error=some(event.error),
                    reason=some(event.reason),
                    where=text(event.where),
                    why=text(event.why),
                    also_at=tuple(map(text, event.also_at)),
                )
            case Notice():
                return replace(event, text=text(event.text), id=some(event.id))
            case Began():
                return replace(event, blueprint=text(event.blueprint))
            case Recommended():
                return Recommended(tuple(each._replace(title=text(each.title)) for each in event.tallies))
            case Working():
                return Working(tuple(call._replace(text=text(call.text)) for call in event.calls))
            case _:
                return event

    def _some(self, text: str | None) -> str | None:
        return None if text is None else self._redactor.redact(text)

    def _change(self, change: Change) -> Change:
        return replace(
            change,
            property=self._redactor.redact(change.property),
            from_=self._some(change.from_),
            to=self._some(change.to),
            diff=None if change.diff is None else self._diff(change.diff),
        )

    def _diff(self, make: Callable[[], str]) -> Callable[[], str]:
        return lambda: self._redactor.redact(make())


def redacted(observers: Iterable[Observer], redactor: Redactor) -> list[Observer]:
    """The same observers, each behind one that hides secrets from it."""
    return [Redacted(observer, redactor) for observer in observers]
