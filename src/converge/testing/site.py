"""What a blueprint declares for a machine that is only pretended: the resources, their order, the mistakes."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from converge.blueprints.load import Given, load
from converge.blueprints.registry import BlueprintFunction
from converge.blueprints.run import Shards
from converge.core.errors import Mistake, Mistakes, nearest
from converge.core.platform import Os, Platform, pretended_platform
from converge.core.resource import Resource
from converge.graph.graph import Graph

if TYPE_CHECKING:
    from converge.testing.simulation import Start, Trial

R = TypeVar("R", bound=Resource)


class MistakenBlueprint(AssertionError):
    """A test asks what a blueprint declares that has mistakes."""


def declare(
    blueprint: BlueprintFunction | str | os.PathLike[str],
    *,
    platform: Os | Platform = "linux",
    distro: str = "",
    in_shards: bool = True,
    config: Sequence[str | os.PathLike[str]] = (),
    parameters: Mapping[str, object] | None = None,
    **more: object,
) -> Site:
    """Run a blueprint for a pretended machine. This one is not looked at, and nothing is changed.

    ``blueprint`` is a function, a registered name, or a path such as ``site.py`` or ``site.py:web``. ``platform`` and
    ``distro`` are what ``r.platform`` tells; a :class:`~converge.core.platform.Platform` says all. ``in_shards`` is
    what ``r.in_shard`` answers. ``config`` names files of values for ``r.secret``. Further options are the blueprint's
    parameters; those that are called like one of these options go into ``parameters``.

    Mistakes are not raised, but kept in ``mistakes``. Raises BlueprintNotFound, and ValueError for an unknown platform.
    """
    if not isinstance(platform, Platform):
        platform = pretended_platform(platform, distro)
    elif distro:
        raise ValueError("the distribution is part of the platform; give one of them")
    given = Given(
        platform=platform,
        shards=Shards(answer=in_shards),
        config=tuple(os.path.abspath(path) for path in config),
        passed={**(parameters or {}), **more},
    )
    wanted = os.fspath(blueprint) if isinstance(blueprint, str | os.PathLike) else blueprint
    try:
        loaded = load(wanted, given=given)
    except Mistakes as error:
        return Site(wanted if isinstance(wanted, str) else wanted.__name__, platform, error.mistakes, None)
    return Site(loaded.name, platform, (), loaded.graph)


class Site:
    """A blueprint that was run for a pretended machine.

    All but ``mistakes`` raises MistakenBlueprint, with the mistakes, where there are any; an unknown id raises KeyError
    with near matches.
    """

    def __init__(self, name: str, platform: Platform, mistakes: Sequence[Mistake], graph: Graph | None) -> None:
        self.name = name
        self.platform = platform
        self.mistakes: tuple[Mistake, ...] = tuple(mistakes)
        """All that is wrong with the blueprint; ``str()`` of one is the line that ``converge check`` prints."""
        self._graph = graph
        self._positions = {each.id: place for place, each in enumerate(graph.resources)} if graph else {}

    def __repr__(self) -> str:
        return f"<{self.name} for {self.platform.distro or self.platform.os}: {len(self._positions)} resources>"

    @property
    def graph(self) -> Graph:
        """Resources and the edges between them, each with the rule that made it."""
        if self._graph is None:
            listed = "\n".join(f"  {mistake}" for mistake in self.mistakes)
            raise MistakenBlueprint(f"the blueprint {self.name} has mistakes:\n{listed}")
        return self._graph

    @property
    def resources(self) -> Sequence[Resource]:
        """In the order in which they are declared."""
        return self.graph.resources

    @property
    def ids(self) -> list[str]:
        """In the order in which they are declared."""
        return [resource.id for resource in self.resources]

    @property
    def warnings(self) -> Sequence[str]:
        """Automatic edges that were left out, since they would close a cycle."""
        return self.graph.warnings

    def has(self, id: str) -> bool:
        """Whether a resource with this id, such as ``file:/etc/motd``, is declared."""
        return bool(self.graph) and id in self._positions

    def __contains__(self, id: str) -> bool:
        return self.has(id)

    def __getitem__(self, id: str) -> Any:  # Any: the id does not tell a type checker the kind; get() does
        return self.resources[self._position(id)]

    def get(self, kind: type[R], id: str) -> R:
        """The same as ``site[id]``, for type checkers and with a look at the kind. Raises TypeError for another one."""
        found = self.resources[self._position(id)]
        if not isinstance(found, kind):
            raise TypeError(f"{id} is a {type(found).__name__}, no {kind.__name__}")
        return found

    def all(self, kind: type[R]) -> list[R]:
        """All resources of one kind, in the order in which they are declared."""
        return [resource for resource in self.resources if isinstance(resource, kind)]

    def needs(self, id: str) -> dict[str, str]:
        """What this resource waits for itself: ids, and the rule for each."""
        place = self._position(id)
        return {self.resources[edge.before].id: edge.rule for edge in self.graph.edges if edge.after == place}

    def comes_before(self, first: str, then: str) -> bool:
        """Whether ``then`` waits for ``first``, itself or by way of others."""
        import rustworkx

        before, after = self._position(first), self._position(then)
        return before != after and rustworkx.has_path(self.graph.digraph, before, after)

    def simulate(
        self,
        start: Mapping[str, Start] | None = None,
        *,
        rest: Start = "right",
        failing: Collection[str] = (),
    ) -> Trial:
        """What ``converge serve`` would do, and in which order, from a starting state. Nothing is really done.

        ``start`` has the state of single resources by id: ``"right"``, ``"wrong"`` or ``"missing"``; ``rest`` is that
        of all others. What is to be absent is wrong while it is there. Applying what is in ``failing`` fails.
        """
        from converge.testing.simulation import simulate

        for id in {*(start or {}), *failing}:
            self._position(id)
        return simulate(self.graph, start or {}, rest, failing)

    def _position(self, id: str) -> int:
        if self.graph and id not in self._positions:
            raise KeyError(f"{self.name} declares no {id}{nearest(id, self._positions)}")
        return self._positions[id]
