"""One call of a kind on a worker thread, for one or many resources, with timed results.

A job of many checks can be cut short while it runs: what its thread has not begun is then given to another. So one
check that hangs, or a slow disk, does not hold up the rest of its batch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from converge.core.change import IN_SYNC, Changes
from converge.core.resource import Resource
from converge.core.trigger import Trigger
from converge.engine.scheduler import Task

_BATCH = 256
"""Results are handed over in so many at a time: often enough to stream, seldom enough to cost little."""


class Result(NamedTuple):
    """What came of one task. ``began`` is when the machine was last looked at, ``took`` is in seconds.

    ``found`` is what differs after a check, what still differs after an apply, or the error that came instead.
    """

    task: Task
    found: Changes | Exception
    met: bool
    began: float
    took: float
    triggers: Sequence[Trigger] | None = None
    """What would tell of it from now on; None where that has not changed."""


Notify: TypeAlias = "Callable[[Job, bool], None]"
"""Called on the worker's thread when there are results to take; the flag says that they are the last."""


class Job:
    """Tasks of one verb and one kind, done on one thread."""

    def __init__(self, tasks: Sequence[Task], notify: Notify, clock: Callable[[], float] = time.monotonic) -> None:
        self.tasks = tasks
        self.verb = tasks[0].verb
        self.position = 0
        """How many have their result."""
        self.end = len(tasks)
        """Where to stop; others have the rest."""
        self.begun = 0.0
        self.progress_at = 0.0
        self.given_up: Sequence[Task] = ()
        """What it hung in for too long; their results are no longer wanted."""
        self._notify = notify
        self._clock = clock
        self._results: deque[Result] = deque()
        self._taken = 0

    def __call__(self) -> None:
        self.begun = self.progress_at = self._clock()
        try:
            getattr(self, f"_{self.verb}")()
        except Exception as error:  # noqa: BLE001 - whatever is left has this as its result, and is reported
            for task in self.tasks[self.position : self.end]:
                self._add(task, error, self.begun)
        self._notify(self, True)

    def take_results(self) -> list[Result]:
        """Those that are there by now. For the loop's thread, at any time.

        One that was begun just before it was cut off has its result from somebody else, and is dropped here.
        """
        results = [self._results.popleft() for _ in range(len(self._results))]
        del results[max(0, self.end - self._taken) :]
        self._taken += len(results)
        return results

    def cut(self, end: int) -> Sequence[Task]:
        """Stop before ``end``; returns the tasks that somebody else has to do."""
        rest = self.tasks[end : self.end]
        self.end = end
        return rest

    def _add(self, task: Task, found: Changes | Exception, began: float, met: bool = False) -> None:
        now = self._clock()
        self._results.append(Result(task, found, met, began, now - self.progress_at, _triggers(task, met)))
        self.progress_at = now
        self.position += 1

    def _check(self) -> None:
        tasks, begun, clock, add = self.tasks, self.begun, self._clock, self._results.append
        kind = type(tasks[0].node.resource)
        moving = kind.triggers_vary is not Resource.triggers_vary
        # Written out, for speed: this is passed for every resource there is.
        for position, found in enumerate(kind.check_many([task.node.resource for task in tasks])):
            if position >= self.end:  # which the loop may lower at any moment
                break
            now = clock()
            triggers = _triggers(tasks[position], met=False) if moving else None
            add(Result(tasks[position], found, False, begun, now - self.progress_at, triggers))
            self.progress_at = now
            self.position = position + 1
            if self.position % _BATCH == 0:
                self._notify(self, False)

    def _apply(self) -> None:
        kind = type(self.tasks[0].node.resource)
        errors = list(kind.apply_many([(task.node.resource, task.state) for task in self.tasks]))
        again = [
            task
            for task, error in zip(self.tasks, errors, strict=True)
            if error is None and not task.node.resource.runs_once()
        ]
        began = self._clock()
        left = dict(zip((task.node for task in again), self._left(again), strict=True))
        for task, error in zip(self.tasks, errors, strict=True):
            self._add(task, error or left.get(task.node, IN_SYNC), began)

    @staticmethod
    def _left(tasks: Sequence[Task]) -> list[Changes | Exception]:
        if not tasks:
            return []
        kind = type(tasks[0].node.resource)
        return list(kind.check_many([task.node.resource for task in tasks]))

    def _refresh(self) -> None:
        (task,) = self.tasks
        task.node.resource.refresh(task.causes)
        self._add(task, IN_SYNC, self.begun)

    def _condition(self) -> None:
        (task,) = self.tasks
        condition = task.node.condition
        self._add(task, IN_SYNC, self.begun, met=condition is None or condition.met())


def _triggers(task: Task, met: bool) -> Sequence[Trigger] | None:
    """Asked here, as some look at the machine to say so."""
    resource = task.node.resource
    try:
        if task.verb != "condition":
            return tuple(resource.triggers()) if resource.triggers_vary() else None
        return () if met or resource.condition is None else tuple(resource.condition.triggers())
    except Exception:  # noqa: BLE001 - those that were asked before stay in force
        return None
