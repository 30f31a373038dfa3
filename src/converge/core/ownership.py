"""Path ownership within a blueprint, and removals that contradict it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from converge.core.errors import NOWHERE, Location, Mistake
from converge.core.resource import Owned, OwnsHome, OwnsLinks, OwnsTree, Resource


class Claim(NamedTuple):
    """One path or tree, and whose it is."""

    owned: Owned
    id: str
    absent: bool
    """Whether that resource takes away what it names."""
    where: Location = NOWHERE


class Ownership:
    """All that the resources of a blueprint own. Computed when first needed; two are equal if they say the same."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._resources = tuple(resources)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """What each of them owns, in the order of the blueprint."""
        return tuple(
            Claim(owned, resource.id, resource.is_removal(), resource.where)
            for resource in self._resources
            for owned in resource.owns()
        )

    @cached_property
    def _digest(self) -> bytes:
        said = repr([(type(claim.owned).__name__, *claim[:3]) for claim in self.claims])
        return hashlib.sha256(said.encode("utf-8", "backslashreplace")).digest()

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Ownership) and self._digest == other._digest)

    def __hash__(self) -> int:
        return hash(self._digest)


NOTHING = Ownership(())


def removed_but_owned(resources: Iterable[Resource]) -> Iterator[Mistake]:
    """Mistakes where one resource removes a path that holds what another one owns."""
    resources = tuple(resources)
    removed = {
        path: resource
        for resource in resources
        if resource.is_removal()
        for owned in resource.owns()
        if (path := declared_path(owned)) is not None
    }
    if not removed:
        return
    for resource in resources:
        if resource.is_removal():
            continue
        for owned in resource.owns():
            path = declared_path(owned)
            above = None if path is None else _at_or_above(path, removed)
            if above is not None and above is not resource:
                text = f"owns {path}, but {above.id} ({above.where}) is to be absent"
                yield Mistake(resource.where, resource.id, text)


def declared_path(owned: Owned) -> str | None:
    """Its path, where it is known without asking the machine."""
    return None if isinstance(owned, OwnsHome | OwnsLinks) else owned.path.rstrip("/")


def is_closed(owned: Owned) -> bool:
    """Whether nothing in it is purged, wherever the purging directory is declared."""
    return isinstance(owned, OwnsTree) and not owned.open


def is_irreplaceable(owned: Owned) -> bool:
    """Whether it is a tree with things in it that its resource would not make again."""
    return (isinstance(owned, OwnsTree) and not owned.remade) or (isinstance(owned, OwnsHome) and not owned.path)


def _at_or_above(path: str, removed: dict[str, Resource]) -> Resource | None:
    while path not in removed:
        path, slash, _ = path.rpartition("/")
        if not slash:
            return None
    return removed[path]
