"""Work on real threads: batches, slow and hung calls, errors."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import pytest

from converge.core.change import IN_SYNC, Change, Changes, Verb
from converge.core.resource import Resource
from converge.engine import dispatch
from converge.engine.dispatch import Dispatcher
from converge.engine.job import Result
from converge.engine.messages import call_in_words
from converge.engine.node import Node
from converge.engine.scheduler import Task
from converge.engine.settings import Settings
from converge.resources.package import Package

WRONG: Changes = (Change("value", "wrong", "right"),)
DEADLINE = 20.0


@dataclass(frozen=True, slots=True)
class Together(Resource):
    """Is checked and applied in batches; some of its kind hang until a test lets them go."""

    kind: ClassVar[str] = "together"
    hang: ClassVar[threading.Event] = threading.Event()
    calls: ClassVar[list[tuple[str, int]]] = []

    name: str

    def identity(self) -> str:
        return self.name

    def group_key(self, verb: Verb) -> Hashable:
        return "all"

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[Changes | Exception]:
        cls.calls.append(("check", len(resources)))
        for resource in resources:
            if resource.name.startswith("hangs"):
                cls.hang.wait(DEADLINE)
            if resource.name == "bursts":
                raise ValueError("burst")
            if resource.name == "slow":
                time.sleep(0.002)
            yield IN_SYNC

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Self, Changes]]) -> Iterator[Exception | None]:
        cls.calls.append(("apply", len(work)))
        for resource, _ in work:
            yield OSError(28, "No space left on device") if resource.name == "full" else None


class Harness:
    """A dispatcher on a running loop, and what it reported."""

    def __init__(self, **numbers: float) -> None:
        self.results: list[Result] = []
        self.timed_out: list[str] = []
        self.returned: list[str] = []
        self.working: list[list[str]] = []
        self.said: list[str] = []
        Together.hang.clear()
        Together.calls.clear()
        self.dispatcher = Dispatcher(
            Settings(**{"parallel": 8, **numbers}),  # type: ignore[arg-type]  # numbers by name
            self.results.extend,
            lambda task, _: self.timed_out.append(task.node.resource.identity()),
            lambda task: self.returned.append(task.node.resource.identity()),
            lambda severity, text: self.said.append(text),
            lambda calls: self.working.append([call.text for call in calls]),
        )

    def names(self) -> list[str]:
        return [result.task.node.resource.identity() for result in self.results]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(self.results) < count:
                await asyncio.sleep(0.005)


def tasks(*names: str, verb: str = "check") -> list[Task]:
    return [Task(verb, Node(Together(name), 3.0, 0.0), WRONG if verb == "apply" else ()) for name in names]  # type: ignore[arg-type]  # a verb


def test_what_is_ready_together_is_one_call_and_each_has_its_result() -> None:
    async def scene() -> None:
        harness = Harness()
        harness.dispatcher.start(tasks(*(f"r{place}" for place in range(1000))))
        await harness.until(1000)
        assert harness.names() == [f"r{place}" for place in range(1000)]
        assert Together.calls == [("check", 1000)]
        harness.dispatcher.close()

    asyncio.run(scene())


def test_a_check_that_hangs_holds_up_nobody_else_of_its_batch() -> None:
    async def scene() -> None:
        harness = Harness()
        names = [f"r{place}" for place in range(50)]
        harness.dispatcher.start(tasks(*names[:20], "hangs", *names[20:], "hangs too"))
        await harness.until(50)
        assert sorted(harness.names()) == sorted(names)
        Together.hang.set()
        await harness.until(52)
        assert len(harness.names()) == len(set(harness.names()))
        harness.dispatcher.close()

    asyncio.run(scene())


def test_a_slow_batch_is_shared_out_and_nothing_comes_twice() -> None:
    async def scene() -> None:
        harness = Harness()
        harness.dispatcher.start(tasks(*["slow"] * 500))
        await harness.until(500)
        await asyncio.sleep(0.1)
        assert len(harness.results) == 500
        assert len({id(result.task) for result in harness.results}) == 500
        assert len(Together.calls) > 1
        harness.dispatcher.close()

    asyncio.run(scene())


def test_more_hung_checks_than_threads_are_timed_out_and_the_rest_goes_on() -> None:
    async def scene() -> None:
        harness = Harness(parallel=2, resource_timeout=0.05)
        names = [f"r{place}" for place in range(20)]
        hanging = [f"hangs{place}" for place in range(5)]
        harness.dispatcher.start(tasks(*hanging, *names))
        await harness.until(20)
        async with asyncio.timeout(DEADLINE):
            while len(harness.timed_out) < 5:
                await asyncio.sleep(0.005)
        assert sorted(harness.names()) == sorted(names)
        assert sorted(harness.timed_out) == hanging
        Together.hang.set()
        async with asyncio.timeout(DEADLINE):
            while len(harness.returned) < 5:
                await asyncio.sleep(0.005)
        assert len(harness.results) == 20, "what came too late is of no consequence"
        harness.dispatcher.close()

    grace, dispatch._GRACE = dispatch._GRACE, 0.05  # type: ignore[misc]  # a shorter grace only makes the test short
    try:
        asyncio.run(scene())
    finally:
        dispatch._GRACE = grace  # type: ignore[misc]


def test_many_hung_checks_do_not_use_up_the_threads() -> None:
    async def scene() -> None:
        harness = Harness(parallel=2)
        names = [f"r{place}" for place in range(20)]
        harness.dispatcher.start(tasks(*(f"hangs{place}" for place in range(5)), *names))
        await harness.until(20)
        assert sorted(harness.names()) == sorted(names)
        assert harness.timed_out == [], "long before their own time is up"
        Together.hang.set()
        await harness.until(25)
        harness.dispatcher.close()

    stuck, dispatch._STUCK = dispatch._STUCK, 0.05  # type: ignore[misc]  # sooner only makes the test short
    try:
        asyncio.run(scene())
    finally:
        dispatch._STUCK = stuck  # type: ignore[misc]


def test_an_error_of_one_apply_is_its_own_and_a_burst_is_reported_for_all_that_are_left() -> None:
    async def scene() -> None:
        harness = Harness()
        harness.dispatcher.start(tasks("a", "full", "b", verb="apply"))
        await harness.until(3)
        found = {result.task.node.resource.identity(): result.found for result in harness.results}
        assert isinstance(found["full"], OSError)
        assert found["a"] == found["b"] == IN_SYNC
        harness.results.clear()
        harness.dispatcher.start(tasks("a", "bursts", "b"))
        await harness.until(3)
        assert [isinstance(result.found, ValueError) for result in harness.results] == [False, True, True]
        harness.dispatcher.close()

    asyncio.run(scene())


def test_what_takes_long_is_told_when_it_does_and_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "LONG", (0.1, 0.3))

    async def scene() -> None:
        harness = Harness()
        harness.dispatcher.start(tasks("a", "hangs", "b"))
        async with asyncio.timeout(DEADLINE):
            while len(harness.working) < 2:
                await asyncio.sleep(0.005)
        assert harness.working == [["checking together:hangs"]] * 2
        assert [call.text for call in harness.dispatcher.running()] == ["checking together:hangs"]
        assert harness.dispatcher.running(verbs=dispatch.CHANGING) == []
        Together.hang.set()
        async with asyncio.timeout(DEADLINE):
            while len(harness.working) < 3:
                await asyncio.sleep(0.005)
        assert harness.working[2] == []
        harness.dispatcher.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("verb", "work", "told"),
    [
        ("apply", [Package("nginx", manager="apt"), Package("curl", manager="apt")], "apt-get install nginx, curl"),
        ("apply", [Package("nginx", manager="dnf", state="absent")], "dnf remove nginx"),
        ("check", [Package("nginx", manager="apt")], "checking package:nginx"),
        ("apply", [Together("a"), Together("b")], "together:a, together:b"),
        ("refresh", [Together("a")], "refreshing together:a"),
        ("condition", [Together("a")], "asking for the condition of together:a"),
        (
            "apply",
            [Together(str(n)) for n in range(30)],
            ", ".join(f"together:{n}" for n in range(20)) + " and 10 more",
        ),
    ],
)
def test_a_call_in_words(verb: str, work: list[Resource], told: str) -> None:
    assert call_in_words(verb, [(resource, WRONG) for resource in work]) == told
