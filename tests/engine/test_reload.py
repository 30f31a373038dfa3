"""A blueprint that is loaded again where nothing tells of its changes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from converge.blueprints.load import load
from converge.core.trigger import PathChanged
from converge.engine.events import Event, Notice, Watching
from converge.engine.loop import Loop
from converge.engine.reload import Reloader
from converge.engine.settings import Settings
from converge.sources import supervisor
from converge.sources.base import Source

DEADLINE = 20.0
SITE = """
from converge import Run, blueprint

@blueprint("site")
def site(r: Run) -> None:
    r.file({path!r}, content="{text}")
"""


class Listener:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def see(self, event: Event) -> None:
        self.events.append(event)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def texts(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]


def until(what: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < DEADLINE, "not in time"
        time.sleep(0.001)


def lacking(*_: object) -> Source:
    raise ImportError("this system has none")


def test_a_change_is_noticed_without_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(supervisor.OPENERS, PathChanged, lacking)
    monkeypatch.setattr(supervisor, "POLL", 0.02)
    site, file = tmp_path / "site.py", tmp_path / "file"
    site.write_text(SITE.format(path=str(file), text="first"))
    loaded = load(str(site))
    listener = Listener()
    loop = Loop("site", loaded.graph, Settings(coalesce=0.01), [listener])

    def play() -> None:
        try:
            until(lambda: any(isinstance(event, Watching) for event in listener.events))
            time.sleep(0.2)  # ten polls of an unchanged blueprint
            assert not any("again" in text for text in listener.texts())
            site.write_text(SITE.format(path=str(file), text="second"))
            until(lambda: file.read_text() == "second")
            site.write_text("def broken(")
            until(lambda: any("is broken" in text for text in listener.texts()))
            site.write_text(SITE.format(path=str(file), text="third"))
            until(lambda: file.read_text() == "third")
        finally:
            loop._loop.call_soon_threadsafe(loop.stop)

    player = threading.Thread(target=play)
    player.start()
    loop.run(Reloader(loaded, 10.0))
    player.join(DEADLINE)
    assert file.read_text() == "third"
    assert len([text for text in listener.texts() if "is broken" in text]) == 1


def test_what_its_files_are_is_compared_since_before_they_were_read(tmp_path: Path) -> None:
    site = tmp_path / "site.py"
    site.write_text(SITE.format(path=str(tmp_path / "x"), text="a"))
    reloader = Reloader(load(str(site)), 10.0)
    assert not reloader.changed()
    os.utime(site, ns=(1, 1))
    assert reloader.changed()
    reloader.load()
    assert not reloader.changed()
    site.unlink()
    assert reloader.changed()
