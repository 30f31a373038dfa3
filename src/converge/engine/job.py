"""What a worker thread does: one call of a kind for one or many resources, timed, with a result for each.

A job of many checks can be cut short while it runs: what its thread has not begun is then given to another. So one
check that hangs, or a slow disk, does not hold up the rest of its batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from converge.engine.scheduler import Task
from converge.resources.base import IN_SYNC, State

_BATCH = 256
"""Results are handed over in so many at a time: often enough to stream, seldom enough to cost little."""


@dataclass(slots=True)
class Result:
    """What came of one task. ``began`` is when the machine was last looked at, ``took`` is in seconds."""

    task: Task
    error: Exception | None
    found: State
    """What differs, after a check; what still differs, after an apply."""
    met: bool
    began: float
    took: float


Post: TypeAlias = "Callable[[Job, list[Result], bool], None]"
"""Takes results on the worker's thread; the flag says that these are the last."""


class Job:
    """Tasks of one verb and one kind, done on one thread."""

    def __init__(self, tasks: Sequence[Task], post: Post, clock: Callable[[], float] = time.monotonic) -> None:
        self.tasks = tasks
        self.verb = tasks[0].verb
        self.position = 0
        """How many have their result."""
        self.end = len(tasks)
        """Where to stop; others have the rest."""
        self.begun = 0.0
        self.progress_at = 0.0
        self.given_up = False
        self._post = post
        self._clock = clock
        self._results: list[Result] = []

    def __call__(self) -> None:
        self.begun = self.progress_at = self._clock()
        try:
            getattr(self, f"_{self.verb}")()
        except Exception as error:  # noqa: BLE001 - whatever is left has this as its result, and is reported
            for task in self.tasks[self.position : self.end]:
                self._add(task, error, IN_SYNC, self.begun)
        self._post(self, self._results, True)

    def cut(self, end: int) -> Sequence[Task]:
        """Stop before ``end``; returns the tasks that somebody else has to do."""
        rest = self.tasks[end : self.end]
        self.end = end
        return rest

    def _add(self, task: Task, error: Exception | None, found: State, began: float, met: bool = False) -> None:
        now = self._clock()
        self._results.append(Result(task, error, found, met, began, now - self.progress_at))
        self.progress_at = now
        self.position += 1

    def _check(self) -> None:
        kind = type(self.tasks[0].node.resource)
        for found in kind.check_many([task.node.resource for task in self.tasks]):
            # Read once: the loop may lower it at any moment.
            if self.position >= self.end:
                break
            task = self.tasks[self.position]
            if isinstance(found, Exception):
                self._add(task, found, IN_SYNC, self.begun)
            else:
                self._add(task, None, found, self.begun)
            if len(self._results) >= _BATCH:
                self._post(self, self._results, False)
                self._results = []

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
            found = error or left.get(task.node, IN_SYNC)
            if isinstance(found, Exception):
                self._add(task, found, task.state, began)
            else:
                self._add(task, None, found, began)

    @staticmethod
    def _left(tasks: Sequence[Task]) -> list[State | Exception]:
        if not tasks:
            return []
        kind = type(tasks[0].node.resource)
        return list(kind.check_many([task.node.resource for task in tasks]))

    def _refresh(self) -> None:
        (task,) = self.tasks
        task.node.resource.refresh(task.causes)
        self._add(task, None, IN_SYNC, self.begun)

    def _gate(self) -> None:
        (task,) = self.tasks
        gate = task.node.gate
        self._add(task, None, IN_SYNC, self.begun, met=gate is None or gate.met())
