"""Timers on the loop's clock, here one that we move ourselves."""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable

import pytest

from converge.core.trigger import Every, PathChanged
from converge.sources.timer import TimerSource
from converge.sources.wake import WakeSource


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, lets the clock go on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class Clock(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


@pytest.fixture
def clock() -> Callable[[], asyncio.Runner]:
    return lambda: asyncio.Runner(loop_factory=Clock)


def test_each_key_comes_once_in_its_period_and_they_are_spread(clock: Callable[[], asyncio.Runner]) -> None:
    marks: list[tuple[float, str]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        timers = TimerSource(lambda key: marks.append((loop.time(), key)))
        for number in range(1000):
            timers.watch(f"exec:{number}", [Every(30), PathChanged("/x"), Every(60)])
        timers.watch("none", [PathChanged("/x")])
        await asyncio.sleep(300)
        timers.close()
        await asyncio.sleep(300)

    with clock() as runner:
        runner.run(main())
    times = Counter(key for _, key in marks)
    assert set(times) == {f"exec:{number}" for number in range(1000)}
    assert set(times.values()) <= {9, 10, 11}
    seconds = Counter(int(when) for when, _ in marks if when < 30)
    assert max(seconds.values()) < 80  # 33 in each second, were they spread evenly


def test_a_period_that_stays_keeps_its_beat_and_another_replaces_it(clock: Callable[[], asyncio.Runner]) -> None:
    marks: list[str] = []

    async def main() -> None:
        timers = TimerSource(marks.append)
        for _ in range(100):  # watched anew more often than it fires
            timers.watch("key", [Every(10)])
            await asyncio.sleep(1)
        assert 9 <= len(marks) <= 11
        timers.watch("key", [Every(1)])
        marks.clear()
        await asyncio.sleep(100)
        assert 99 <= len(marks) <= 101
        timers.watch("key", [])
        marks.clear()
        await asyncio.sleep(100)
        assert marks == []

    with clock() as runner:
        runner.run(main())


def test_polling_comes_on_top_and_ends(clock: Callable[[], asyncio.Runner]) -> None:
    marks: list[str] = []

    async def main() -> None:
        timers = TimerSource(marks.append)
        timers.watch("key", [Every(1000)])
        timers.poll("key", 30)
        timers.poll("key", 30)
        timers.poll("other", 30)
        timers.watch("key", [])
        await asyncio.sleep(300)
        assert 9 <= marks.count("key") <= 11
        timers.poll("key", 0)
        timers.poll("never", 0)
        marks.clear()
        await asyncio.sleep(300)
        assert set(marks) == {"other"}
        timers.close()

    with clock() as runner:
        runner.run(main())


def test_beats_that_were_missed_are_not_made_up_for(clock: Callable[[], asyncio.Runner]) -> None:
    marks: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Clock)
        timers = TimerSource(marks.append)
        timers.watch("key", [Every(1)])
        await asyncio.sleep(10)
        marks.clear()
        loop.jumping.now += 1000  # the loop was held up
        await asyncio.sleep(10)
        assert 10 <= len(marks) <= 12
        timers.close()

    with clock() as runner:
        runner.run(main())


def test_sleep_is_noticed_and_time_that_merely_passes_is_not(clock: Callable[[], asyncio.Runner]) -> None:
    slept: list[float] = []
    offset = [5000.0]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        source = WakeSource(slept.append, boottime=lambda: loop.time() + offset[0], monotonic=loop.time)
        await asyncio.sleep(1000)
        assert slept == []
        offset[0] += 0.5
        await asyncio.sleep(1000)
        assert slept == []
        offset[0] += 3600
        await asyncio.sleep(31)
        assert slept == [pytest.approx(3600)]
        await asyncio.sleep(1000)
        assert len(slept) == 1
        offset[0] += 3600
        source.close()
        await asyncio.sleep(1000)
        assert len(slept) == 1

    with clock() as runner:
        runner.run(main())


def test_the_machines_own_clocks_can_be_read() -> None:
    async def main() -> None:
        WakeSource(lambda seconds: pytest.fail(f"slept {seconds}"), every=0.01).close()

    asyncio.run(main())
