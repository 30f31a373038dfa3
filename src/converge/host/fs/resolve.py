"""Resolves symbolic links without touching file systems that may hang."""

from __future__ import annotations

import os
from typing import Final

from converge.host.fs.descriptors import MARKS_PLACES
from converge.host.mountinfo import read_mounts

_MOST_LINKS: Final = 40


class Resolver:
    """Follows links for a question about the directory ``real``; remembers the directories that it has resolved.

    A file system that may block is left untouched, unless ``real`` is on it or below: what is behind its mount point
    stays as it is written.
    """

    def __init__(self, real: str) -> None:
        mounts = read_mounts().values() if MARKS_PLACES else ()
        self._far = frozenset(
            mount.point for mount in mounts if mount.remote and not f"{real}/".startswith(f"{mount.point}/")
        )
        self._known: dict[str, str] = {}

    def path(self, path: str) -> str:
        """The path free of links, as far as it exists; empty for the root directory."""
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = self._resolve(path)
        return known

    def may_hang(self, path: str) -> bool:
        """Whether touching what this path, free of links, stands for may block."""
        return any(f"{path}/".startswith(f"{point}/") for point in self._far)

    def _resolve(self, path: str) -> str:
        at, rest, links = "", _parts(path), 0
        while rest:
            name = rest.pop()
            if name == "..":
                at = at.rpartition("/")[0]
                continue
            here = f"{at}/{name}"
            if here in self._far or links > _MOST_LINKS:
                return os.path.normpath("/".join([here, *reversed(rest)]))
            try:
                target = os.readlink(here)
            except OSError:
                at = here  # no link, or nothing at all
                continue
            links += 1
            rest += _parts(target)
            if target.startswith("/"):
                at = ""
        return at


def _parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
