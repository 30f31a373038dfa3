"""A resource whose news comes from where the machine says, as the keys of a user do, in a home that may move."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from converge.engine.loop import Loop
from converge.engine.settings import Settings
from converge.graph.graph import build_graph
from converge.resources.base import IN_SYNC, PathChanged, Resource, State, Trigger

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs inotify")
DEADLINE = 20.0


@dataclass(frozen=True, slots=True)
class Follower(Resource):
    """Watches a file, and the file that is named in it."""

    kind: ClassVar[str] = "follower"
    pointer: str
    checks: list[float]

    def identity(self) -> str:
        return self.pointer

    def triggers(self) -> Sequence[Trigger]:
        return [PathChanged(path) for path in (self.pointer, Path(self.pointer).read_text())]

    def moves(self) -> bool:
        return True

    def check(self) -> State:
        self.checks.append(time.monotonic())
        return IN_SYNC


def until(what: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < DEADLINE, "not in time"
        time.sleep(0.001)


def test_news_from_where_it_moved_to_is_heard(tmp_path: Path) -> None:
    pointer = tmp_path / "pointer"
    pointer.write_text(f"{tmp_path}/first")
    checks: list[float] = []
    loop = Loop("test", build_graph([Follower(str(pointer), checks)]), Settings(coalesce=0.01), [])
    heard: list[bool] = []

    def play() -> None:
        try:
            until(lambda: bool(checks))
            (tmp_path / "new").write_text(f"{tmp_path}/second")
            before = len(checks)
            (tmp_path / "new").rename(pointer)
            # Its own news calls for two or three checks; many more can only come from the file that it names now.
            until(lambda: bool((tmp_path / "second").write_text("x")) and len(checks) >= before + 10)
            heard.append(True)
        finally:
            loop._loop.call_soon_threadsafe(loop.stop)

    player = threading.Thread(target=play)
    player.start()
    loop.run()
    player.join(DEADLINE)
    assert heard
