"""The engine's scheduler in a world of its own: virtual time, made-up resources, drift, failures and crashes on demand.

The same scheduler that serves real machines runs here, driven by a clock that jumps to the next thing that happens. A
year of trouble takes a second, and every run can be repeated from its seed.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import ResourceError
from converge.core.resource import Need, Resource, Uses
from converge.engine.ledger import Ledger
from converge.engine.node import TaskVerb
from converge.engine.scheduler import Scheduler, Task
from converge.engine.settings import Settings
from converge.graph.graph import as_ids, build_graph

DRIFTED: Changes = (Change("value", "wrong", "right"),)


@dataclass(frozen=True, slots=True)
class Pretended(Resource):
    """A resource of the simulated world; whether it is right is for the simulator to say."""

    kind: ClassVar[str] = "pretended"

    name: str
    _: KW_ONLY
    on: Sequence[str] = ()
    """Ids whose change refreshes it."""
    uses: Sequence[str] = ()
    """Ids that automatic edges lead to."""

    def needs(self) -> Sequence[Need]:
        return [Uses(id) for id in self.uses]

    def identity(self) -> str:
        return self.name

    def refreshed_by(self) -> Sequence[str]:
        return self.on


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that the engine did: at ``began`` it started, at ``ended`` it was done."""

    verb: TaskVerb
    id: str
    began: float
    ended: float
    found: Changes | Exception
    noticed: float
    """Since when the engine knew that it had to look."""
    causes: tuple[str, ...] = ()


@dataclass(slots=True)
class World:
    """What is true, whether or not the engine has heard of it."""

    wrong: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    """Ids whose apply fails."""
    undoes: dict[str, str] = field(default_factory=dict)
    """By id: what an apply of it makes wrong."""
    unmet: set[str] = field(default_factory=set)
    """Ids whose condition does not hold."""
    refreshes_owed: dict[str, set[str]] = field(default_factory=dict)
    """By subscriber: the causes that changed since its last refresh."""


class Simulator:
    """Runs a graph of :class:`Pretended` resources. ``deeds`` is all that the engine did, in the order it ended."""

    def __init__(
        self,
        resources: Sequence[Resource],
        *,
        seed: int = 0,
        settings: Settings | None = None,
        wrong: bool = True,
        included: Collection[str] = (),
        unmet: Collection[str] = (),
    ) -> None:
        """``included``: the ids that come from included blueprints; ``unmet``: those whose condition does not hold."""
        self.random = random.Random(seed)  # noqa: S311 - repeatable is what is wanted
        self.now = 0.0
        self.world = World(wrong={resource.id for resource in resources} if wrong else set(), unmet=set(unmet))
        self.deeds: list[Deed] = []
        self.ledger = Ledger()
        self.drifts: dict[str, Changes] = {}
        """What a check of a wrong one finds, where that is not simply DRIFTED."""
        self._resources = list(resources)
        self._included = included
        self._settings = settings or Settings()
        self._subscribers: dict[str, list[str]] = {}
        for resource in resources:
            for cause in as_ids(resource.refreshed_by()):
                self._subscribers.setdefault(cause, []).append(resource.id)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self._life = 0
        self.start()

    # --- what happens to the engine -----------------------------------------------------------------------

    def start(self) -> None:
        """A daemon starts, knowing only its ledger."""
        self._life += 1
        graph = build_graph(self._resources, self._included)
        self.scheduler = Scheduler(graph, self._settings, now=self.now, ledger=self.ledger)

    def crash(self) -> None:
        """The daemon is killed: what was running may or may not have had its effect, and is not heard of again."""
        self.start()

    # --- what happens to the world ------------------------------------------------------------------------

    def drift(self, id: str, *, heard_after: float = 0.0) -> None:
        """Somebody changes it; the news arrives a little later."""
        self.world.wrong.add(id)
        self.at(self.now + heard_after, lambda: self.scheduler.mark(id, self.now))

    def meet(self, id: str) -> None:
        """The condition of this one holds from now on, and news of that comes."""
        self.world.unmet.discard(id)
        self.scheduler.mark_condition(id, self.now)

    def noise(self, id: str) -> None:
        """News of something that leaves it as it should be."""
        self.scheduler.mark(id, self.now)

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something happen at a time to come."""
        heapq.heappush(self._agenda, (when, next(self._sequence), what))

    # --- time ---------------------------------------------------------------------------------------------

    def run(self, until: float = math.inf, most: int = 100_000) -> None:
        """Let time pass, until then or until nothing is left to happen. Raises RuntimeError where that never ends."""
        for _ in range(most):
            for task in self.scheduler.take(self.now):
                self._begin(task)
            self.scheduler.recorder.take()
            upcoming = self._agenda[0][0] if self._agenda else math.inf
            upcoming = min(upcoming, self.scheduler.next_due())
            if upcoming == math.inf or upcoming > until:
                self.now = max(self.now, until) if until < math.inf else self.now
                return
            self.now = max(self.now, upcoming)
            while self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
        raise RuntimeError(f"not at rest after {most} steps")

    def _begin(self, task: Task) -> None:
        life, began, noticed = self._life, self.now, task.node.since
        middle = began + self.random.random() * 0.05
        end = middle + self.random.random() * 0.05
        seen: list[Changes | Exception] = []
        self.at(middle, lambda: seen.append(self._effect(task)))
        self.at(end, lambda: self._end(task, life, began, middle, noticed, seen[0]))

    def _effect(self, task: Task) -> Changes | Exception:
        """What the call does to the world, or sees of it, at one instant between its beginning and its end."""
        id = task.node.resource.id
        if task.verb == "condition":
            return IN_SYNC
        if task.verb == "check":
            return self.drifts.get(id, DRIFTED) if id in self.world.wrong else IN_SYNC
        if id in self.world.failing:
            return ResourceError("cannot")
        if task.verb == "apply":
            self.world.wrong.discard(id)
            if id in self.world.undoes:
                self.drift(self.world.undoes[id], heard_after=self.random.random() * 0.02)
            # Our own doing is heard like anybody's.
            self.at(self.now + self.random.random() * 0.1, lambda: self.scheduler.mark(id, self.now))
        for subscriber in self._subscribers.get(id, ()):
            self.world.refreshes_owed.setdefault(subscriber, set()).add(id)
        self.world.refreshes_owed.pop(id, None)
        return IN_SYNC

    def _end(
        self, task: Task, life: int, began: float, middle: float, noticed: float, seen: Changes | Exception
    ) -> None:
        if life != self._life:
            return
        node = task.node
        self.deeds.append(Deed(task.verb, node.resource.id, began, self.now, seen, noticed, task.causes))
        took = self.now - began
        if isinstance(seen, Exception):
            self.scheduler.failed(node, seen, task.state, now=self.now, took=took)
        elif task.verb == "condition":
            self.scheduler.condition_answered(node, met=node.resource.id not in self.world.unmet, now=self.now)
        elif task.verb == "check":
            self.scheduler.checked(node, seen, began=began, now=self.now, took=took)
        elif task.verb == "apply":
            left = self.drifts.get(node.resource.id, DRIFTED) if node.resource.id in self.world.wrong else IN_SYNC
            self.scheduler.applied(node, task.state, left, began=middle, now=self.now, took=took)
        else:
            self.scheduler.refreshed(node, task.causes, now=self.now, took=took)
