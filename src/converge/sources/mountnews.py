"""News of mounts, for those who declare them or wait for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from converge.resources.base import MountsChanged
from converge.sources.base import Mark
from converge.sources.mounts import MountSource


class MountNews:
    """Serves :class:`MountsChanged`: the kernel tells when its list of mounts changes, and two lists tell what did."""

    def __init__(self, mark: Mark, failed: Callable[[BaseException], None]) -> None:
        self._mark = mark
        self._watched: dict[str, frozenset[str]] = {}
        self._mounts = MountSource(self._changed, failed)

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Mark the key on changes at these paths, and no others."""
        paths = frozenset(os.path.normpath(each.path) for each in triggers if isinstance(each, MountsChanged))
        if paths:
            self._watched[key] = paths
        else:
            self._watched.pop(key, None)

    def close(self) -> None:
        """Stop. May be called more than once."""
        self._mounts.close()

    def _changed(self, points: list[str]) -> None:
        changed = set(points)
        for key, paths in list(self._watched.items()):
            if any(not changed.isdisjoint(_with_ancestors(path)) for path in paths):
                self._mark(key)


def _with_ancestors(path: str) -> Iterable[str]:
    """The path, and all that it is below: what is mounted there hides it."""
    while path != "/":
        yield path
        path = os.path.dirname(path)
    yield "/"
