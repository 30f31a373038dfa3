"""A blueprint that is edited while its daemon serves it."""

from __future__ import annotations

import os
import signal
import textwrap
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Daemon, Place

SITE = """
    r.file(HERE / "a", content="{a}", limit=1000)
    r.exec("job", "echo ran >> " + str(HERE / "log"), shell=True)
"""


def again(daemon: Daemon) -> int:
    """How often it has loaded the blueprint again."""
    return sum("again" in text for text in daemon.notices("info"))


def test_an_edit_takes_force_and_what_did_not_change_is_not_run_again(place: Place) -> None:
    place.declare(SITE.format(a="one"))
    daemon = place.serve()
    place.declare(SITE.format(a="two") + '    r.file(HERE / "b", content="new")\n')
    daemon.outcome(place.managed / "b", "changed")
    daemon.until_reads(place.managed / "a", "two")
    assert daemon.notices("info") == ["loaded site again: 3 resources"]
    place.declare(SITE.format(a="two"))
    daemon.until(lambda: again(daemon) == 2)
    (place.managed / "b").write_text("no longer managed")
    (place.managed / "a").write_text("tampered")
    daemon.until_reads(place.managed / "a", "two")
    assert (place.managed / "b").read_text() == "no longer managed"
    assert (place.managed / "log").read_text() == "ran\n"


def test_a_declaration_that_only_moved_to_another_line_is_not_a_changed_one(place: Place) -> None:
    place.declare(SITE.format(a="one"))
    daemon = place.serve()
    same = textwrap.dedent(SITE.format(a="one"))
    place.declare('r.file(HERE / "before", content="x")\n# and a line of words\n' + same)
    daemon.outcome(place.managed / "before", "changed")
    place.declare('r.file(HERE / "no", content="x", retry="no")\n' + same)
    daemon.until(lambda: daemon.notices("error"))
    assert (place.managed / "log").read_text() == "ran\n"


def test_a_reload_while_a_command_runs_lets_it_finish_and_only_then_runs_the_changed_one(place: Place) -> None:
    body = """
        r.exec("job", f"echo begin {word} >> {{HERE}}/log; until test -e {{HERE}}/go-{word}; do sleep 0.01; done;"
                      f" echo end {word} >> {{HERE}}/log", shell=True)
        r.file(HERE / "a", content="{a}", limit=1000)
    """
    log, a = place.managed / "log", place.managed / "a"
    place.declare(body.format(word="one", a="1"))
    daemon = place.start("--out", "json")
    daemon.until(lambda: log.exists() and a.exists())
    place.declare(body.format(word="one", a="2"))
    daemon.until_reads(a, "2")
    place.declare(body.format(word="two", a="3"))
    daemon.until_reads(a, "3")
    assert log.read_text() == "begin one\n"
    (place.managed / "go-one").touch()
    daemon.until_reads(log, "begin one\nend one\nbegin two\n")
    place.declare('r.file(HERE / "a", content="4")')
    daemon.until_reads(a, "4")
    (place.managed / "go-two").touch()
    daemon.until_reads(log, "begin one\nend one\nbegin two\nend two\n")
    assert daemon.stop() == 0


@pytest.mark.parametrize("way", ["in place", "truncated first", "renamed over"])
def test_every_way_of_saving_is_noticed(place: Place, way: str) -> None:
    place.declare(SITE.format(a="<0>"))
    daemon = place.serve()
    for number in (1, 2, 3):
        text = place.site.read_text().replace(f"<{number - 1}>", f"<{number}>")
        if way == "renamed over":
            place.write(place.site, text)
        elif way == "in place":
            place.site.write_text(text)
        else:
            os.truncate(place.site, 0)
            with place.site.open("a") as file:
                file.write(text)
        daemon.until_reads(place.managed / "a", f"<{number}>")
    assert not daemon.notices("error")


def test_sighup_loads_it_again(place: Place) -> None:
    place.declare(SITE.format(a="one"))
    (place.blueprints / "value").write_text("first")
    place.declare('r.file(HERE / "a", content=Path("value").read_text())')
    daemon = place.serve()
    (place.blueprints / "value").write_text("second")
    daemon.signal(signal.SIGHUP)
    daemon.until_reads(place.managed / "a", "second")


def test_a_helper_module_is_loaded_again_with_it(place: Place) -> None:
    helper = place.blueprints / "helper.py"
    helper.write_text('TEXT = "one"\n')
    (place.blueprints / "package").mkdir()
    (place.blueprints / "package/__init__.py").write_text("")
    (place.blueprints / "package/inner.py").write_text('MORE = "one"\n')
    place.declare(
        'r.file(HERE / "a", content=helper.TEXT + inner.MORE, limit=1000)',
        before="import helper\nfrom package import inner\n",
    )
    daemon = place.serve()
    assert (place.managed / "a").read_text() == "oneone"
    place.write(helper, 'TEXT = "two"\n')
    daemon.until_reads(place.managed / "a", "twoone")
    place.write(place.blueprints / "package/inner.py", 'MORE = "two"\n')
    daemon.until_reads(place.managed / "a", "twotwo")


BROKEN = {
    "syntax": "def (",
    "exception": "raise RuntimeError('on purpose')",
    "exit": "raise SystemExit(3)",
    "recursion": "def again(): again()\nagain()",
    "mistakes": 'r.file("relative")\nr.exec("x", "")',
    "cycle": 'r.file("/a", depends_on="file:/b")\nr.file("/b", depends_on="file:/a")',
    "nothing": None,
    "gone": None,
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_edit_keeps_the_one_before_in_force_and_says_so(place: Place, how: str) -> None:
    place.declare(SITE.format(a="one"))
    daemon = place.serve()
    if how == "gone":
        place.site.unlink()
    elif how == "nothing":
        place.write(place.site, "")
    else:
        place.declare(BROKEN[how] or "")
    daemon.until(lambda: daemon.notices("error"), "the mistake is told")
    assert daemon.notices("error")[-1].startswith("the blueprint is broken, so the one before stays in force:\n")
    assert str(place.site) in daemon.notices("error")[-1]
    (place.managed / "a").write_text("tampered")
    daemon.until_reads(place.managed / "a", "one")
    place.declare(SITE.format(a="mended"))
    daemon.until_reads(place.managed / "a", "mended")
    assert (place.managed / "log").read_text() == "ran\n"


@pytest.mark.parametrize("broken", [None, "def (", "X = 1"], ids=["missing", "no Python", "lacks a name"])
def test_mending_a_new_helper_module_mends_the_blueprint_that_imports_it(place: Place, broken: str | None) -> None:
    place.declare(SITE.format(a="one"))
    daemon = place.serve()
    if broken is not None:
        (place.blueprints / "extra.py").write_text(broken)
    place.declare('r.file(HERE / "a", content=TEXT)', before="from extra import TEXT")
    daemon.until(lambda: daemon.notices("error"), "the mistake is told")
    place.write(place.blueprints / "extra.py", 'TEXT = "mended"\n')
    daemon.until_reads(place.managed / "a", "mended")


def test_a_template_that_is_edited_is_no_reload_but_drift(place: Place) -> None:
    template = place.blueprints / "a.j2"
    template.write_text("{{ x }} one")
    place.declare('r.file(HERE / "a", template="a.j2", vars={"x": 1}, limit=1000)')
    daemon = place.serve()
    place.write(template, "{{ x }} two")
    daemon.until_reads(place.managed / "a", "1 two")
    template.write_text("{{ x }} three")
    daemon.until_reads(place.managed / "a", "1 three")
    assert not daemon.notices()


def loaded(daemon: Daemon, times: int) -> bool:
    return again(daemon) == times


def use(pid: int) -> tuple[int, int, int]:
    """Descriptors, threads and resident memory in KB."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]), int(status["VmRSS"].split()[0])


_IMPATIENT = """
import sys
from converge.cli import main
from converge.engine import reload
reload._STILL = 0.002
sys.exit(main())
"""


def test_hundreds_of_reloads_leave_descriptors_threads_and_memory_flat(place: Place) -> None:
    """Each a fifth of a second sooner than usual, lest it take minutes."""
    place.python = [place.python[0], "-c", _IMPATIENT]
    place.declare(
        """
        for n in range(200):
            r.file(HERE / f"file{n}", content=f"{Path('value').read_text()} {n}" if n < 5 else "x", limit=1000)
        r.directory(HERE / "dir")
        r.exec("guarded", "true", unless="true")
        """
    )
    value = place.blueprints / "value"
    value.write_text("0")
    daemon = place.serve()
    uses = []
    for number in range(1, 301):
        value.write_text(str(number))
        daemon.signal(signal.SIGHUP)
        daemon.until(partial(loaded, daemon, number))
        if number in (100, 300):
            daemon.until_reads(place.managed / "file4", f"{value.read_text()} 4")
            uses.append(use(daemon.pid))
    early = uses[0]

    def flat() -> bool:  # a check that is under way holds some descriptors for a moment
        return all(
            now <= before + more for before, now, more in zip(early, use(daemon.pid), (2, 2, 2_000), strict=True)
        )

    daemon.until(flat, f"from {early} to {uses[-1]} it is flat")
    assert daemon.stop() == 0


@pytest.mark.parametrize("how", ["the folder it was started in is gone", "the blueprint changes its own folder"])
def test_it_is_found_again_from_any_folder(place: Place, how: str) -> None:
    (place.blueprints / "value").write_text("first")
    site = Path("site.py")
    chdir = 'import os\nos.chdir("/")' if "changes" in how else ""
    place.declare(f'r.file(HERE / "a", content=Path("{place.blueprints}/value").read_text())', before=chdir)
    folder = place.blueprints
    if not chdir:
        folder, site = place.root / "gone", Path("../blueprints/site.py")
        folder.mkdir()
    daemon = place.start("--out", "json", cwd=folder, site=site).watching()
    if not chdir:
        folder.rmdir()
    (place.blueprints / "value").write_text("second")
    daemon.signal(signal.SIGHUP)
    daemon.until_reads(place.managed / "a", "second")


HOSTILE = {
    "interrupt": "raise KeyboardInterrupt",
    "generator exit": "raise GeneratorExit",
    "base exception": "raise BaseException('mine')",
    "os._exit": "import os\nos._exit(0)",
    "segmentation fault": "import ctypes\nctypes.string_at(0)",
    "kill": "import os, signal\nos.killpg(0, signal.SIGKILL)",
    "recursion limit": "import sys\nsys.setrecursionlimit(90)\nr.file('relative')",
    "closes everything": "import os\nos.closerange(0, 1000)\nraise ValueError",
}


@pytest.mark.parametrize("how", HOSTILE)
def test_whatever_a_changed_blueprint_does_the_daemon_lives_and_keeps_the_one_before(place: Place, how: str) -> None:
    place.declare(SITE.format(a="one"))
    daemon = place.serve()
    place.declare(HOSTILE[how])
    daemon.until(lambda: daemon.notices("error"), "the mistake is told")
    assert daemon.notices("error")[-1].startswith("the blueprint is broken, so the one before stays in force:\n")
    (place.managed / "a").write_text("tampered")
    daemon.until_reads(place.managed / "a", "one")
    place.declare(SITE.format(a="mended"))
    daemon.until_reads(place.managed / "a", "mended")
    assert daemon.stop() == 0


HANGING = {"sleeps": "import time\ntime.sleep(60)", "computes": "while True: pass", "reads a FIFO": ""}


@pytest.mark.parametrize("how", HANGING)
@pytest.mark.parametrize("end", ["mended", "stopped", "killed"])
def test_a_blueprint_that_takes_long_holds_up_neither_repair_nor_stop(place: Place, how: str, end: str) -> None:
    place.declare(SITE.format(a="one"))
    daemon = place.serve()
    if HANGING[how]:
        place.declare(HANGING[how])
    else:
        os.mkfifo(place.blueprints / "fifo")
        (place.blueprints / "fifo").rename(place.site)
    evaluation = daemon.until(lambda: children(daemon.pid), "it is evaluated")
    (place.managed / "a").write_text("tampered")
    daemon.until_reads(place.managed / "a", "one")
    if end == "mended":
        place.declare(SITE.format(a="mended"))
        daemon.until_reads(place.managed / "a", "mended")
        assert not daemon.notices("error")
        assert daemon.stop() == 0
    elif end == "stopped":
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 5
    else:
        daemon.kill()
    place.until(lambda: not any(map(lives, evaluation)), "its evaluation has ended with it")


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(each) for task in tasks for each in (task / "children").read_text().split()]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_evaluation_that_does_not_end_is_given_up_and_said_so(place: Place) -> None:
    place.declare(SITE.format(a="one"))
    daemon = place.serve("--resource-timeout", "2s")
    place.declare("while True: pass")
    daemon.until(lambda: "did not end within 2 s" in "".join(daemon.notices("error")), "it is given up")
    place.until(lambda: not children(daemon.pid), "its evaluation is ended")
    place.declare(SITE.format(a="two"))
    daemon.until_reads(place.managed / "a", "two")


def test_a_secret_that_only_the_broken_blueprint_has_is_not_shown(place: Place) -> None:
    place.declare(SITE.format(a="one"))
    daemon = place.serve()
    place.declare('r.config({"a": "hunter2-hunter2"})\nraise ValueError("no " + r.secret("a"))')
    daemon.until(lambda: daemon.notices("error"), "the mistake is told")
    assert "hunter2" not in daemon.said()
