"""Edges that nobody had to write: what a resource needs by its nature, matched with what the blueprint has.

A kind says what it needs as data (``Resource.needs()``); the rules here find the resources that bring it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converge.errors import Mistake
from converge.resources.base import Inside, Resource


def automatic_edges(
    resources: Sequence[Resource], index: dict[str, int], mistakes: list[Mistake]
) -> Iterator[tuple[int, int, str]]:
    """(before, after, rule) for each; may hold edges that would close a cycle.

    Appends to ``mistakes`` where two cannot both hold: something inside a file, or inside what is to be absent.

    Taking away runs in the reverse order: where both ends are absent, what stands on the other goes first.
    """
    absent = [resource.absent() for resource in resources]
    nearest_directory = _NearestDirectory(index)
    for after, resource in enumerate(resources):
        if not resource.auto_edge:
            continue
        for need in resource.needs():
            if isinstance(need, Inside):
                before, rule = nearest_directory.of(need.path), "parent directory"
            else:
                before, rule = index.get(need.id), f"uses {need.id.partition(':')[0]}"
            if before is None or before == after:
                continue
            if isinstance(need, Inside) and not absent[after] and (why := resources[before].forbids(need.path)):
                text = f"needs {need.path}, but {resources[before].id} ({resources[before].where}) {why}"
                mistakes.append(Mistake(resource.where, resource.id, text))
            if not resources[before].auto_edge:
                continue
            if absent[after] and absent[before]:
                yield after, before, f"removed before its {rule}"
            elif not absent[after] or isinstance(need, Inside):
                yield before, after, rule


class _NearestDirectory:
    """Finds the nearest managed path above a path; remembers the answer for each folder."""

    def __init__(self, index: dict[str, int]) -> None:
        self._index = index
        self._known: dict[str, int | None] = {"": None}

    def of(self, path: str) -> int | None:
        folder = path.rpartition("/")[0]
        passed = []
        while folder not in self._known:
            passed.append(folder)
            position = self._index.get(f"file:{folder}")
            if position is not None:
                self._known[folder] = position
            else:
                folder = folder.rpartition("/")[0]
        found = self._known[folder]
        self._known.update(dict.fromkeys(passed, found))
        return found
