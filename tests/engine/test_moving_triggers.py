"""Resources and conditions whose news comes from where the machine says, as the keys of users do."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from converge.conditions import Condition
from converge.core.change import IN_SYNC, Changes
from converge.core.resource import Resource
from converge.core.trigger import PathChanged, Trigger
from converge.engine.loop import Loop
from converge.engine.settings import Settings
from converge.graph.graph import build_graph

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

    def triggers_vary(self) -> bool:
        return True

    def check(self) -> Changes:
        self.checks.append(time.monotonic())
        return IN_SYNC


@dataclass(frozen=True, slots=True)
class Holds(Condition):
    """Holds once the file exists that is named in another file. Notes what it is asked, and of which file."""

    pointer: str
    asked: list[tuple[str, str]]

    def met(self) -> bool:
        named = Path(self.pointer).read_text()
        self.asked.append(("met", named))
        return Path(named).exists()

    def triggers(self) -> Sequence[Trigger]:
        named = Path(self.pointer).read_text()
        self.asked.append(("triggers", named))
        return [PathChanged(self.pointer), PathChanged(named)]


@dataclass(frozen=True, slots=True)
class Gated(Resource):
    """Notes when it is checked."""

    kind: ClassVar[str] = "gated"
    checks: list[float]

    def identity(self) -> str:
        return "it"

    def check(self) -> Changes:
        self.checks.append(time.monotonic())
        return IN_SYNC


def until(what: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < DEADLINE, "not in time"
        time.sleep(0.001)


def run_while(loop: Loop, play: Callable[[], None]) -> None:
    """Run the loop until the play is over, which is on a thread of its own."""

    def to_the_end() -> None:
        try:
            play()
        finally:
            loop._loop.call_soon_threadsafe(loop.stop)

    player = threading.Thread(target=to_the_end)
    player.start()
    loop.run()
    player.join(DEADLINE)


def test_news_from_where_it_moved_to_is_heard(tmp_path: Path) -> None:
    pointer = tmp_path / "pointer"
    pointer.write_text(f"{tmp_path}/first")
    checks: list[float] = []
    loop = Loop("test", build_graph([Follower(str(pointer), checks)]), Settings(coalesce=0.01), [])
    heard: list[bool] = []

    def play() -> None:
        until(lambda: bool(checks))
        (tmp_path / "new").write_text(f"{tmp_path}/second")
        before = len(checks)
        (tmp_path / "new").rename(pointer)
        # Its own news calls for two or three checks; many more can only come from the file that it names now.
        until(lambda: bool((tmp_path / "second").write_text("x")) and len(checks) >= before + 10)
        heard.append(True)

    run_while(loop, play)
    assert heard


def test_a_condition_whose_news_comes_from_elsewhere_after_a_look_is_heard(tmp_path: Path) -> None:
    pointer, second = tmp_path / "pointer", str(tmp_path / "far" / "second")
    pointer.write_text(f"{tmp_path}/first")
    asked: list[tuple[str, str]] = []
    checks: list[float] = []
    graph = build_graph([Gated(checks, condition=Holds(str(pointer), asked))])
    loop = Loop("test", graph, Settings(coalesce=0.01), [])

    def play() -> None:
        until(lambda: bool(asked) and asked[0][0] == "triggers" and len(asked) > 1)
        (tmp_path / "new").write_text(second)
        (tmp_path / "new").rename(pointer)
        until(lambda: ("triggers", second) in asked)
        # Once it is asked again after it was watched for anew, nothing but its own news is to come.
        until(lambda: ("met", second) in asked[asked.index(("triggers", second)) :])
        (tmp_path / "far").mkdir()
        (tmp_path / "far" / "second").touch()
        until(lambda: bool(checks))

    run_while(loop, play)
    assert checks
