"""How many modules one overwritten file passes through, and calls between them, from the kernel's event to the outcome.

Runs the real loop on a file in a temporary directory, overwrites that file, and notes each call from one module of ours
into another. ``python tools/walk.py`` prints the walk and its two numbers.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

import converge
from converge.blueprints.load import load
from converge.core.change import Change
from converge.engine.events import Event, Outcome, Watching
from converge.engine.loop import Loop
from converge.engine.settings import Settings

OURS = os.path.dirname(converge.__file__) + os.sep
DEADLINE = 20.0


class Walk:
    """Notes the modules that calls lead to, on every thread."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.on = False

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        file = frame.f_code.co_filename
        if self.on and event == "call" and file.startswith(OURS) and file != _caller_of_ours(frame):
            self.steps.append(file)


def _caller_of_ours(frame: FrameType) -> str:
    outer = frame.f_back
    while outer is not None and not outer.f_code.co_filename.startswith(OURS):
        outer = outer.f_back
    return outer.f_code.co_filename if outer is not None else ""


class Watcher:
    """Overwrites the file once the daemon watches, and ends it once that is put right."""

    def __init__(self, path: Path, walk: Walk) -> None:
        self.path = path
        self.walk = walk
        self.loop: Loop | None = None
        self.repaired: tuple[Change, ...] = ()

    def see(self, event: Event) -> None:
        match event:
            case Watching():
                threading.Timer(1.0, self._overwrite).start()
            case Outcome(status="changed", changes=changes) if self.walk.on:
                self.walk.on = False
                self.repaired = changes

    def _overwrite(self) -> None:
        self.walk.on = True
        self.path.write_text("somebody else's")
        deadline = time.monotonic() + DEADLINE
        while not self.repaired and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.loop is not None:
            self.loop._loop.call_soon_threadsafe(self.loop.stop)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Nothing is open."""


def main() -> None:
    """Print the walk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        site = Path(folder) / "site.py"
        site.write_text(
            "from converge import Run, blueprint\n\n\n@blueprint('walk')\ndef walk(r: Run) -> None:\n"
            f"    r.file({str(path)!r}, content='ours')\n"
        )
        walk = Walk()
        watcher = Watcher(path, walk)
        threading.setprofile(walk)
        sys.setprofile(walk)
        watcher.loop = loop = Loop("walk", load(str(site)).graph, Settings(), [watcher])
        loop.run()
        sys.setprofile(None)
    rooms = [step.removeprefix(OURS) for step in walk.steps]
    sys.stdout.write("\n".join([*rooms, f"{len(set(rooms))} modules, {len(rooms)} calls from one into another\n"]))


if __name__ == "__main__":
    main()
