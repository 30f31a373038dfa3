"""Dispatches tasks to worker threads, batching those that gain from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Final

from converge.engine.events import Running
from converge.engine.job import Job, Result
from converge.engine.messages import call_in_words
from converge.engine.scheduler import Task
from converge.engine.settings import Settings
from converge.engine.thread_pool import Workers
from converge.sources.base import Report

TICK = 0.025
"""How often, in seconds, running jobs are looked at. Only while there are any."""
_SLOW = 32
"""Checks in a tick below which a job waits for a disk rather than computes; then more threads help."""
_APPLY_CHUNK = 64
"""Applies in one job: their folder is made durable once, but nobody waits for more than this."""
_STUCK = 1.0
"""Seconds without progress after which a job's thread is not counted any more, so that others get one in its place."""
_MOST_STUCK = 256
CHANGING: Final = ("apply", "refresh")
"""What is not broken off half-way."""
LONG: Final = (1.0, 10.0)
"""Seconds after which a call is worth a word, and another."""
_SMALLEST = 8
"""Halvings of a batch after which it has one member, whatever it was."""
_RECOVERS = 15.0
"""Seconds without want after which batches may be twice as large again."""
_CHECK_CHUNK = 1 << _SMALLEST
"""Checks in one job while descriptors or memory are wanting; otherwise there is no limit."""
_GRACE = 5.0
"""A kind that keeps its own time limit (a process) gets so many seconds to end and say so."""


class Dispatcher:
    """Runs tasks; calls ``done`` on the loop with results, ``timed_out`` and ``returned`` for those that hang."""

    def __init__(
        self,
        settings: Settings,
        done: Callable[[Sequence[Result]], None],
        timed_out: Callable[[Task, float], None],
        returned: Callable[[Task], None],
        report: Report,
        working: Callable[[Sequence[Running]], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._done = done
        self._timed_out = timed_out
        self._returned = returned
        self._working = working
        self._long: list[tuple[float, int]] = []
        """Of each call that takes long: since when, and how many of LONG it has reached."""
        self._workers = Workers(settings.parallel)
        self._loop = asyncio.get_running_loop()
        self._jobs: dict[Job, int] = {}
        """With the position of each at the last tick."""
        self._stuck: set[Job] = set()
        self._ticker: asyncio.TimerHandle | None = None
        self._report = report
        self._halved = 0
        """How often batches were halved, as the system had none left of something."""
        self._short_at = 0.0
        self._told: str | None = None

    def start(self, tasks: Iterable[Task]) -> None:
        """Begin all of them, or queue them where every thread is busy."""
        if self._halved and self._loop.time() - self._short_at > _RECOVERS:
            self._short_at = self._loop.time()
            self._halved -= 1
        self._tell_recovery()
        for group in _groups(tasks, self._halved):
            self._submit(group)

    def ran_short(self, of: str) -> None:
        """The system has none left of these: make do with smaller batches for a while."""
        now = self._loop.time()
        if now - self._short_at > 1.0 or not self._halved:  # those that ran side by side are told one after the other
            self._short_at = now
            self._halved = min(self._halved + 2, _SMALLEST)
        self._tell_want(of)

    def _tell_want(self, of: str) -> None:
        if self._told is None:
            self._told = of
            self._report(
                "warning", f"the system has no more {of} for us; going on with what there is, in smaller steps"
            )

    def _tell_recovery(self) -> None:
        if self._told is not None and not self._halved and not self._workers.short:
            self._report("info", f"there are enough {self._told} again")
            self._told = None

    def applying(self) -> bool:
        """Whether something is being changed at this moment."""
        return any(job.verb in CHANGING for job in self._jobs)

    def running(
        self, *, at_least: float = 0.0, verbs: Collection[str] = ("condition", "check", "apply", "refresh")
    ) -> list[Running]:
        """The calls that last for so many seconds by now, the longest first."""
        latest = self._loop.time() - at_least
        calls = [
            Running(call_in_words(job.verb, [(task.node.resource, task.state) for task in under_way]), job.progress_at)
            for job in self._jobs
            if job.begun and job.progress_at <= latest and job.verb in verbs and (under_way := _under_way(job))
        ]
        return sorted(calls, key=lambda call: call.since)

    def close(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        self._workers.close()

    def _submit(self, tasks: Sequence[Task]) -> None:
        job = Job(tasks, self._notify)
        self._jobs[job] = 0
        self._workers.submit(job)
        if self._ticker is None:
            self._ticker = self._loop.call_later(TICK, self._tick)

    def _notify(self, job: Job, last: bool) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived, job, last)
        except RuntimeError:
            # The loop has ended without waiting for this one; nobody wants to know any more.
            return

    def _arrived(self, job: Job, last: bool) -> None:
        self._count_again(job)
        if job.given_up:
            if last:
                for task in job.given_up:
                    self._returned(task)
            return
        if last:
            del self._jobs[job]
        self._done(job.take_results())

    def _tick(self) -> None:
        self._ticker = None
        own = self._workers.press_on()
        if self._workers.short:
            self._short_at = self._loop.time()
            self._tell_want("threads")
        if own is not None:
            own()
        now = self._loop.time()
        for job, before in list(self._jobs.items()):
            if not job.begun:
                continue
            if job.verb == "check" and not job.tasks[0].node.resource.batch_check:
                self._help(job, job.position - before)
            if results := job.take_results():
                self._count_again(job)
                self._done(results)
            self._jobs[job] = job.position
            self._watch_time(job, now)
        self._tell_long(now)
        if self._jobs:
            self._ticker = self._loop.call_later(TICK if own is None else 0.0, self._tick)

    def _tell_long(self, now: float) -> None:
        long = [
            (job.progress_at, sum(now - job.progress_at >= each for each in LONG))
            for job in self._jobs
            if job.begun and job.position < job.end and now - job.progress_at >= LONG[0]
        ]
        if long != self._long:
            self._long = long
            self._working(self.running(at_least=LONG[0]))

    def _help(self, job: Job, progress: int) -> None:
        """Give what a slow job has not begun to other threads: half of it, or all where it does not move."""
        # The one after the running one may begin at any moment; a check that is done twice does no harm.
        first = job.position + 1
        left = job.end - first
        if left <= 0 or progress >= _SLOW or not self._workers.idle():
            return
        rest = job.cut(first if progress == 0 else first + left // 2)
        if rest:
            self._submit(rest)

    def _watch_time(self, job: Job, now: float) -> None:
        still = now - job.progress_at
        if still > _STUCK and len(self._stuck) < _MOST_STUCK:
            self._count_out(job)
        if still <= _GRACE or job.position >= job.end:
            return
        running = _under_way(job)
        limit = max(_time_limit(task, self._settings) for task in running)
        if still <= limit + _GRACE:
            return
        job.given_up = running
        del self._jobs[job]
        self._count_out(job)
        if rest := job.cut(job.position + len(running)):
            self._submit(rest)
        for task in running:
            self._timed_out(task, limit)

    def _count_out(self, job: Job) -> None:
        if job not in self._stuck:
            self._stuck.add(job)
            self._workers.abandon_thread()

    def _count_again(self, job: Job) -> None:
        """A job that was stuck goes on, or has ended."""
        if job in self._stuck:
            self._stuck.discard(job)
            self._workers.got_back_one()


def _under_way(job: Job) -> Sequence[Task]:
    """The task that it is at, or all that it does in one go."""
    return job.tasks[job.position : job.position + 1 if job.verb == "check" else job.end]


def _time_limit(task: Task, settings: Settings) -> float:
    own = task.node.resource.seconds()
    return settings.resource_timeout if own is None else own


def _groups(tasks: Iterable[Task], halved: int = 0) -> Iterable[list[Task]]:
    """Tasks that go well together, in the order in which they came."""
    groups: dict[Hashable, list[Task]] = {}
    for task in tasks:
        key = _group_key(task)
        group = groups.setdefault(key, [])
        group.append(task)
        if task.verb == "apply" or halved:
            limit = max(1, (_APPLY_CHUNK if task.verb == "apply" else _CHECK_CHUNK) >> halved)
            if len(group) < limit:
                continue
            yield groups.pop(key)
    yield from groups.values()


def _group_key(task: Task) -> Hashable:
    resource = task.node.resource
    if task.verb in ("check", "apply"):
        together = resource.group_key(task.verb) if resource.auto_group else None
        if together is not None:
            return (task.verb, type(resource), together)
    return id(task)
