"""Killed at any moment, a run leaves every file wholly old or wholly new, and the next one tidies up."""

from __future__ import annotations

import random
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Place

FILES = 40
KILLS, IN_THE_MIDST, AT_MOST = 100, 20, 400
SITE = """
    for n in range(40):
        big = 200_000 if n % 8 == 0 else 50
        r.file(HERE / f"d{{n % 4}}" / f"f{{n}}", content=f"{word} {{n}}\\n" * big, mode={mode}, backup=n % 10 == 1)
    r.file(HERE / "edited", line=Line("{word}", match="^(old|new)$"))
    for n in range(4):
        r.directory(HERE / f"d{{n}}")
        r.symlink(HERE / f"link{{n}}", "{word}")
"""


def whole(place: Place, number: int, words: tuple[str, ...]) -> str | None:
    """Which of these contents a file has, from its first byte to its last; None where it is a mixture."""
    text = (place.managed / f"d{number % 4}" / f"f{number}").read_text()
    return next((w for w in words if text == f"{w} {number}\n" * (200_000 if number % 8 == 0 else 50)), None)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}


class Killer:
    """Runs the blueprint and kills it; knows how long it writes when it is left alone."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.dice = random.Random(7)
        self.writes = 0.0

    def start(self, word: str) -> subprocess.Popen[bytes]:
        site = str(self.place.blueprints / f"{word}.py")
        command = [*self.place.python, "serve", site, "--timeout", "1ms", "--out", "serial"]
        return subprocess.Popen(command, env=self.place.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def undisturbed(self, word: str) -> None:
        process = self.start(word)
        self.wait_for_writing(process)
        began = time.monotonic()
        while process.poll() is None and not all(whole(self.place, n, (word,)) for n in range(FILES)):
            time.sleep(0.01)
        self.writes = time.monotonic() - began
        assert process.wait(60) == 0

    def kill(self, word: str) -> None:
        process = self.start(word)
        if self.dice.random() < 0.9:
            self.wait_for_writing(process)
            time.sleep(self.dice.uniform(0, self.writes))
        else:
            time.sleep(self.dice.uniform(0, 0.5))
        process.kill()
        _, errors = process.communicate(timeout=60)
        assert b"Traceback" not in errors

    def wait_for_writing(self, process: subprocess.Popen[bytes]) -> None:
        """Until the first name in one of the folders has changed, or it ended since there is nothing to do."""
        before = self.stamps()
        while self.stamps() == before and process.poll() is None:
            time.sleep(0.001)

    def stamps(self) -> list[int]:
        return [folder.stat().st_mtime_ns for folder in (self.place.managed, *self.place.managed.glob("d?"))]


def test_sigkill_at_any_moment_leaves_each_file_wholly_old_or_wholly_new(place: Place) -> None:
    for word, mode in (("old", "0o644"), ("new", "0o600")):
        place.declare(SITE.format(word=word, mode=mode)).rename(place.blueprints / f"{word}.py")
    (place.managed / "edited").write_text("first\nold\nlast\n")
    killer = Killer(place)
    assert killer.start("old").wait(60) == 0
    good = names(place.managed)
    killer.undisturbed("new")

    wanted, outcomes = "old", {"none": 0, "some": 0, "all": 0}
    while outcomes["some"] < IN_THE_MIDST or sum(outcomes.values()) < KILLS:
        assert sum(outcomes.values()) < AT_MOST, f"too few were killed while they wrote: {outcomes}"
        killer.kill(wanted)
        found = [whole(place, number, ("old", "new")) for number in range(FILES)]
        assert None not in found, f"neither old nor new: {[n for n in range(FILES) if found[n] is None]}"
        assert (place.managed / "edited").read_text() in ("first\nold\nlast\n", "first\nnew\nlast\n")
        assert {(place.managed / f"link{n}").readlink().name for n in range(4)} <= {"old", "new"}
        done = found.count(wanted)
        outcomes["none" if done == 0 else "all" if done == FILES else "some"] += 1
        wanted = killer.dice.choice(["old", "new"])

    killer.undisturbed("new")
    assert {whole(place, number, ("new",)) for number in range(FILES)} == {"new"}
    assert names(place.managed) == good, "something was left behind"
