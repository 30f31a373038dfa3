"""Automatic edges: matches what resources need with what the blueprint declares.

A kind says what it needs as data (``Resource.needs()``); the rules here find the resources that bring it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from converge.core.errors import Mistake
from converge.core.resource import Inside, Named, Resource

GROUNDS = ("mount", "archive", "git")
"""Kinds whose name is a path, and that bring what is at it and below."""
BY_NAME = "file of its name"
_PARENT = "parent directory"
IN_PACKAGE = "directory of its package"
_USES = "uses "
_CONFIGURATION = frozenset(("conf", "cfg", "yaml", "yml"))
"""What the names of files end with that are called after the program which reads them."""


def only_orders(rule: str) -> bool:
    """Whether an edge by this rule says no more than who comes first.

    The others hold: what lies on a mount, in an archive or in a checkout would come to lie under it, and what is to be
    done before a removal could not be done after it.
    """
    return rule in (BY_NAME, _PARENT, IN_PACKAGE) or rule.startswith(_USES)


def automatic_edges(
    resources: Sequence[Resource], index: dict[str, int], mistakes: list[Mistake]
) -> Iterator[tuple[int, int, str]]:
    """(before, after, rule) for each; may hold edges that would close a cycle.

    Appends to ``mistakes`` where two cannot both hold: something inside a file, or inside what is to be absent.

    Taking away runs in the reverse order: where both ends are absent, what stands on the other goes first.
    """
    absent = [resource.is_removal() for resource in resources]
    nearest_directory = _NearestDirectory(index)
    named: dict[str, list[int]] = {}
    for after, resource in enumerate(resources):
        if not resource.auto_edge:
            continue
        for need in resource.needs():
            if isinstance(need, Named):
                named.setdefault(need.name, []).append(after)
                continue
            if isinstance(need, Inside):
                before, rule = nearest_directory.of(need.path), _PARENT
            else:
                before, rule = index.get(need.id), _USES + need.id.partition(":")[0]
            if before is None or before == after:
                continue
            if isinstance(need, Inside) and not absent[after]:
                mistakes += _impossible(resource, need.path, resources[before])
            if not resources[before].auto_edge:
                continue
            if absent[before] and resource.stops_before_removal():
                yield after, before, f"removed before its {rule}"
            elif not absent[after] or isinstance(need, Inside):
                yield before, after, rule
    yield from _on_ground(resources, index, absent)
    yield from _by_name(resources, index, named)
    yield from _in_packages(resources, index, absent)


def _impossible(resource: Resource, path: str, above: Resource) -> Iterator[Mistake]:
    if why := above.forbids(path):
        text = f"needs {path}, but {above.id} ({above.where}) {why}"
        yield Mistake(resource.where, resource.id, text)


def _on_ground(
    resources: Sequence[Resource], index: dict[str, int], absent: Sequence[bool]
) -> Iterator[tuple[int, int, str]]:
    """Edges to the nearest declared mount, archive or checkout that what a resource needs lies in.

    A directory comes before what is mounted on it, or unpacked into it; all else that names that path comes after.
    """
    kinds = [kind for kind in GROUNDS if any(resource.kind == kind for resource in resources)]
    if not kinds:
        return
    grounds = _Grounds(kinds, index)
    for after, resource in enumerate(resources):
        for need in resource.needs() if resource.auto_edge else ():
            if not isinstance(need, Inside):
                continue
            path = need.path if resource.id != f"file:{need.path}" else os.path.dirname(need.path)
            for before in grounds.of(path, but=after):
                if not resources[before].auto_edge:
                    continue
                if absent[before] and resource.stops_before_removal():
                    yield after, before, f"removed before its {resources[before].kind}"
                else:
                    yield before, after, f"on its {resources[before].kind}"


class _Grounds:
    """Finds the nearest mount, archive or checkout at or above a path; remembers the answer for each folder."""

    def __init__(self, kinds: Sequence[str], index: dict[str, int]) -> None:
        self._kinds = kinds
        self._index = index
        self._known: dict[str, list[int]] = {}

    def of(self, path: str, but: int) -> list[int]:
        """Those at the path, or else those at the nearest one above it; ``but`` does not count."""
        there = (self._index.get(f"{kind}:{path}") for kind in self._kinds)
        found = [before for before in there if before is not None and before != but]
        folder = os.path.dirname(path)
        if found or folder == path:
            return found
        if folder not in self._known:
            self._known[folder] = self.of(folder, but=-1)
        return self._known[folder]


def _by_name(
    resources: Sequence[Resource], index: dict[str, int], named: dict[str, list[int]]
) -> Iterator[tuple[int, int, str]]:
    """Edges from files to those that go by their name. Passes over the files once, however many names there are."""
    if not named:
        return
    for id, before in index.items():
        if not id.startswith("file:/") or not resources[before].auto_edge:
            continue
        parts = id.split("/")[1:]
        stem, _, ending = parts[-1].rpartition(".")
        if ending in _CONFIGURATION:
            parts.append(stem)
        found = [after for part in parts if part in named for after in named[part]]
        goes = resources[before].is_removal()
        for after in dict.fromkeys(found):
            if goes and resources[after].stops_before_removal():
                yield after, before, "ended before its file goes"
            else:
                yield before, after, BY_NAME


_OF_PACKAGES = re.compile(r"/(?:etc|opt|usr/(?:lib|libexec|share)|var/(?:cache|lib|log|spool))/([^/]+)/")
"""Where packages have directories of their own, mostly called after them; see hier(7)."""
_SHARED = frozenset(("apt", "dpkg", "systemd", "default", "ssl", "doc", "python3"))
"""Directories there that many packages use, whatever they are called after."""
_VARIANT = re.compile(r"(?:[\d.-]+(?:-[a-z]+)?|-(?:core|daemon|extras|full|light|server))?")
"""What follows the name of a program in that of its package: a version, a part of that, or how much of it there is."""


def _in_packages(
    resources: Sequence[Resource], index: dict[str, int], absent: Sequence[bool]
) -> Iterator[tuple[int, int, str]]:
    """Edges from packages to what lies in directories of their name, such as ``/etc/nginx`` of ``nginx-full``."""
    packages = [place for id, place in index.items() if id.startswith("package:") and resources[place].auto_edge]
    if not packages:
        return
    known: dict[str, list[int]] = {}
    for after, resource in enumerate(resources):
        for need in resource.needs() if resource.auto_edge else ():
            if not isinstance(need, Inside) or not (found := _OF_PACKAGES.match(need.path)):
                continue
            name = found[1]
            if name in _SHARED:
                continue
            if name not in known:
                ids = ((place, resources[place].id.partition(":")[2]) for place in packages)
                known[name] = [place for place, package in ids if _is_called_after(package, name)]
            for before in known[name]:
                if not absent[before]:
                    yield before, after, IN_PACKAGE
                elif resource.stops_before_removal():
                    yield after, before, "removed before its package"


def _is_called_after(package: str, folder: str) -> bool:
    """``nginx`` is the folder of nginx, nginx-full and nginx:amd64; ``php`` is that of php8.2-fpm."""
    base = package.partition(":")[0]
    return base.startswith(folder) and _VARIANT.fullmatch(base, len(folder)) is not None


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
