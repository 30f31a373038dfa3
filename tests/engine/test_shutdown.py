"""What is started while the machine goes down, or may be going down: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from converge.core.errors import ResourceError
from converge.engine import shutdown as standdown
from converge.engine.shutdown import ShutdownGuard
from converge.host.systemd import shutdown


class Answers:
    """What systemd says when it is asked; asking waits until the test lets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.say: list[bool | Exception] = []
        self.asked = 0
        monkeypatch.setattr(shutdown, "going_down", self._answer)

    def _answer(self, bus: object) -> bool:
        self.asked += 1
        answer = self.say.pop(0) if len(self.say) > 1 else self.say[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    monkeypatch.setattr(standdown, "_ASK_AGAIN", 0.001)
    yield Answers(monkeypatch)


def play(scene: Callable[[ShutdownGuard, Callable[[], object]], object]) -> list[tuple[bool, bool]]:
    """Run a scene; returns what was told. The scene awaits the next answer by its second argument."""
    told: list[tuple[bool, bool]] = []

    async def run() -> None:
        news = asyncio.Event()

        def answered(before: bool, now: bool) -> None:
            told.append((before, now))
            news.set()

        async def answer() -> None:
            await asyncio.wait_for(news.wait(), 10)
            news.clear()

        await scene(ShutdownGuard(answered), answer)  # type: ignore[misc]

    asyncio.run(run())
    return told


def test_nothing_is_started_from_the_news_until_the_answer(answers: Answers) -> None:
    answers.say = [False]

    async def scene(standing: ShutdownGuard, answer: Callable[[], object]) -> None:
        assert not standing.holds()
        standing.look()
        assert standing.holds()
        await answer()  # type: ignore[misc]
        assert not standing.holds()

    assert play(scene) == [(False, False)]


def test_a_shutdown_holds_until_it_is_called_off(answers: Answers) -> None:
    answers.say = [True, False]

    async def scene(standing: ShutdownGuard, answer: Callable[[], object]) -> None:
        standing.look()
        await answer()  # type: ignore[misc]
        assert standing.holds()
        standing.look()
        await answer()  # type: ignore[misc]
        assert not standing.holds()

    assert play(scene) == [(False, True), (True, False)]


def test_while_nobody_answers_it_goes_on_asking_and_nothing_is_started(answers: Answers) -> None:
    answers.say = [ResourceError("the bus is gone"), ResourceError("the bus is gone"), True]

    async def scene(standing: ShutdownGuard, answer: Callable[[], object]) -> None:
        standing.look()
        await answer()  # type: ignore[misc]
        assert standing.holds()

    assert play(scene) == [(False, True)]
    assert answers.asked == 3


def test_nobody_is_waited_for_for_ever(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standdown, "_PATIENCE", 0.05)
    answers.say = [ResourceError("the bus is gone")]

    async def scene(standing: ShutdownGuard, answer: Callable[[], object]) -> None:
        standing.look()
        await answer()  # type: ignore[misc]
        assert not standing.holds()

    assert play(scene) == [(False, False)]


def test_a_bus_that_stays_away_holds_up_work_but_once(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standdown, "_PATIENCE", 0.05)
    answers.say = [ResourceError("the bus is gone")]

    async def scene(standing: ShutdownGuard, answer: Callable[[], object]) -> None:
        standing.look()
        await answer()  # type: ignore[misc]
        asked = answers.asked
        monkeypatch.setattr(standdown, "_PATIENCE", 1000.0)
        standing.look()
        await answer()  # type: ignore[misc]
        assert answers.asked == asked + 1
        assert not standing.holds()

    play(scene)


def test_news_that_comes_while_it_asks_is_asked_about_as_well(answers: Answers) -> None:
    answers.say = [False, True]

    async def scene(standing: ShutdownGuard, answer: Callable[[], object]) -> None:
        standing.look()
        standing.look()
        await answer()  # type: ignore[misc]
        assert standing.holds()

    assert play(scene) == [(False, True)]


def test_only_where_systemd_runs_the_machine_is_it_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    async def triggers() -> int:
        return len(ShutdownGuard(lambda before, now: None).triggers())

    monkeypatch.setattr(standdown, "_BOOTED", ("/nowhere/at/all",))
    assert asyncio.run(triggers()) == 0
    monkeypatch.setattr(standdown, "_BOOTED", ("/",))
    assert asyncio.run(triggers()) == 1
