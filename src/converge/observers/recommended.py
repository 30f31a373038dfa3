"""Counts outcomes by the recommendations that resources follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from converge.core.recommendation import Recommendation, recommendations
from converge.core.resource import Resource
from converge.engine.events import Ended, Event, Observer, Outcome, Recommended, Status, Tally

_MANY = 10
"""Recommendations from which on a summary reads better than a list of resources."""


def followed(resources: Iterable[Resource]) -> dict[str, tuple[Recommendation, ...]]:
    """By id, the recommendations of those that follow any."""
    found = {each.id: tuple(recommendations(each.why)) for each in resources if each.why}
    return {id: some for id, some in found.items() if some}


def are_many(known: Mapping[str, tuple[Recommendation, ...]]) -> bool:
    """Whether to show these by recommendation."""
    return len({(each.label, each.number) for some in known.values() for each in some}) >= _MANY


class ByRecommendation:
    """Passes events on to another observer, and the counts before the end."""

    def __init__(self, observer: Observer, known: Mapping[str, tuple[Recommendation, ...]]) -> None:
        self._observer = observer
        self._known = known
        self._last: dict[str, Status] = {}

    def see(self, event: Event) -> None:
        if isinstance(event, Outcome) and event.id in self._known:
            self._last[event.id] = event.status
        elif isinstance(event, Ended) and self._last:
            self._observer.see(Recommended(self._tallies()))
        self._observer.see(event)

    def flush(self) -> None:
        self._observer.flush()

    def close(self) -> None:
        self._observer.close()

    def _tallies(self) -> tuple[Tally, ...]:
        titles: dict[tuple[str, str], str] = {}
        counts: dict[tuple[str, str], Counter[Status]] = {}
        every = sorted((each for id in self._last for each in self._known[id]), key=Recommendation.place)
        for each in every:
            key = each.label, each.number
            titles[key] = titles.get(key) or each.title
            counts.setdefault(key, Counter())
        for id, status in self._last.items():
            for key in {(each.label, each.number) for each in self._known[id]}:
                counts[key][status] += 1
        return tuple(Tally(label, number, titles[label, number], count) for (label, number), count in counts.items())
