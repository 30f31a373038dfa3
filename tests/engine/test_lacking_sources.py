"""News that a platform does not have."""

from __future__ import annotations

import asyncio

from converge.engine.watching import Watching
from converge.resources.base import PathChanged
from converge.sources.base import Mark, Report, Source


def test_what_sends_no_news_on_this_platform_is_polled_and_that_is_said_once() -> None:
    asked: list[object] = []
    said: list[str] = []

    def opener(mark: Mark, report: Report, failed: object, poll: object) -> Source:
        asked.append(mark)
        raise ImportError("no such module")

    class Polls(Watching):
        def poll(self, key: str, seconds: float) -> None:
            polled[key] = seconds
            super().poll(key, seconds)

    polled: dict[str, float] = {}

    async def watch() -> None:
        watching = Polls(
            lambda _key: None, lambda _key: None, lambda _severity, text: said.append(text), {PathChanged: opener}
        )
        watching.watch("a", [PathChanged("/a")])
        watching.watch("b", [PathChanged("/b")])
        assert polled == {"a": 30.0, "b": 30.0}
        watching.watch("a", [])
        assert polled == {"a": 0.0, "b": 30.0}
        watching.close()

    asyncio.run(watch())
    assert len(asked) == len(said) == 1
    assert "no such module" in said[0]
