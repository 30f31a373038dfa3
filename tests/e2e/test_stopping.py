"""Being told to stop, by a service manager and by a person; and one daemon for each blueprint."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_daemon_that_is_told_to_stop_exits_0(place: Place, number: signal.Signals) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    daemon = place.serve()
    daemon.signal(number)
    assert daemon.ended() == 0
    assert daemon.errors == []
    assert daemon.events[-1]["event"] == "ended"


def test_what_is_being_applied_may_finish_and_nothing_more_is_begun(place: Place) -> None:
    place.declare(
        """
        slow = r.exec("slow", f"touch {HERE}/begun; sleep 1; touch {HERE}/done", shell=True, creates=f"{HERE}/done")
        r.file(HERE / "after", content="x", depends_on=slow)
        """
    )
    daemon = place.start("--out", "json")
    daemon.until((place.managed / "begun").exists)
    assert daemon.stop() == 0
    assert (place.managed / "done").exists()
    assert not (place.managed / "after").exists()
    assert [e["status"] for e in daemon.events if e["event"] == "outcome"] == ["changed"]
    assert place.once("--out", "json").statuses() == {"exec:slow": "ok", f"file:{place.managed}/after": "changed"}


def test_a_check_that_hangs_does_not_hold_up_the_stop_and_leaves_nothing_behind(place: Place) -> None:
    place.declare('r.exec("hangs", "true", unless=["/bin/sh", "-c", f"echo $$ > {HERE}/pid; exec sleep 100"])')
    daemon = place.start()
    pid = place.managed / "pid"
    daemon.until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    assert daemon.stop() == 0
    place.until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists(), "the guard is gone")


def test_a_second_signal_ends_it_at_once(place: Place) -> None:
    place.declare('r.exec("hangs", ["/bin/sh", "-c", f"echo $$ > {HERE}/pid; exec sleep 100"])')
    daemon = place.start()
    pid = place.managed / "pid"
    daemon.until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    daemon.signal(signal.SIGINT)
    while daemon.process.poll() is None:  # how far the first one has come cannot be seen from outside
        daemon.signal(signal.SIGINT)
        time.sleep(0.05)
    assert daemon.ended() == 0
    place.until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists(), "the command is gone")


def test_a_signal_right_at_the_start_is_no_traceback(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x")', before='(HERE / "loading").touch()')
    for number in (signal.SIGINT, signal.SIGTERM):
        (place.managed / "loading").unlink(missing_ok=True)
        daemon = place.start()
        daemon.until((place.managed / "loading").exists)
        daemon.signal(number)
        assert daemon.ended() in (0, 1, -signal.SIGTERM)
        assert "Traceback" not in daemon.said()


def test_an_interrupt_while_classes_are_made_exits_1_as_well(place: Place) -> None:
    # Dataclasses and named tuples are made by exec of a text, and CPython notes an interrupt that passes through one.
    place.declare('r.file(HERE / "a")', before='exec("raise KeyboardInterrupt")')
    said = place.run("plan", place.site)
    assert (said.code, said.err) == (1, "converge: interrupted\n")


def test_plan_that_is_interrupted_says_so_and_exits_1(place: Place) -> None:
    place.declare('r.exec("hangs", "true", unless=["/bin/sh", "-c", f"echo $$ > {HERE}/pid; exec sleep 100"])')
    pid = place.managed / "pid"
    daemon = place.start(command="plan")
    daemon.until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    daemon.signal(signal.SIGINT)
    assert daemon.ended() == 1
    assert "interrupted" in daemon.said()
    assert "Traceback" not in daemon.said()
    place.until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists(), "the guard is gone")


def test_a_second_daemon_names_the_one_that_holds_the_lock_and_exits_1(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x", limit=1000)')
    first = place.serve()
    for command in (["--timeout", "1s"], []):
        said = place.run("serve", place.site, *command)
        assert said.code == 1
        assert said.err.startswith(f"converge: the blueprint site is served already, by process {first.pid}: ")
        assert "stop that one first" in said.err
    assert place.plan().code == 0
    (place.managed / "a").write_text("tampered")
    first.until_reads(place.managed / "a", "x")
    assert first.stop() == 0
    assert place.once().code == 0


def test_a_signal_that_another_thread_is_handed_ends_it_too(place: Place) -> None:
    """As the kernel may do at any time; the main thread must not sleep through it."""
    place.declare('r.file(HERE / "a", content="x", limit=1000)')
    daemon = place.serve()
    others = [int(tid) for tid in os.listdir(f"/proc/{daemon.pid}/task") if int(tid) != daemon.pid]
    assert others
    tgkill = ctypes.CDLL(None).tgkill
    assert tgkill(daemon.pid, others[-1], int(signal.SIGTERM)) == 0
    assert daemon.ended() == 0


def test_another_blueprint_of_the_same_name_is_told_how_to_be_named(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    first = place.serve()
    other = place.write(place.blueprints / "other.py", place.site.read_text())
    said = place.run("serve", other, "--timeout", "1s")
    assert said.code == 1
    assert f"converge serve {place.site} " in said.err
    assert 'call one of them otherwise: @blueprint("…")' in said.err
    assert first.stop() == 0


def test_of_several_that_start_at_once_just_one_serves(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x", limit=1000)')
    daemons = [place.start("--out", "json") for _ in range(4)]
    place.until(lambda: sum(daemon.process.poll() is not None for daemon in daemons) == 3, "all but one ended")
    (served,) = (daemon for daemon in daemons if daemon.process.poll() is None)
    assert [daemon.ended() for daemon in daemons if daemon is not served] == [1, 1, 1]
    served.watching()
    (place.managed / "a").write_text("tampered")
    served.until_reads(place.managed / "a", "x")


def test_an_idle_daemon_uses_no_processor_time(place: Place) -> None:
    place.declare('for n in range(500):\n    r.file(HERE / str(n), content="x")\nr.exec("g", "true", unless="true")')
    daemon = place.serve()

    def used() -> int:
        fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    time.sleep(1)  # whatever is left to do after the first convergence
    before = used()
    time.sleep(3)
    assert used() - before <= 3  # hundredths of a second


def test_another_blueprint_may_be_served_beside_it(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    other = place.blueprints / "other.py"
    other.write_text(place.site.read_text().replace('blueprint("site"', 'blueprint("other"').replace('"a"', '"b"'))
    place.serve()
    assert place.run("serve", other, "--timeout", "200ms").code == 0
    assert (place.managed / "b").exists()


def test_the_lock_of_one_that_was_killed_is_no_obstacle(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    place.serve().kill()
    assert any((place.root / "run").iterdir())
    assert place.serve().stop() == 0


def test_two_with_one_name_but_different_state_folders_do_not_meet(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    place.serve()
    env = {"CONVERGE_STATE_DIR": str(place.root / "state2"), "CONVERGE_RUNTIME_DIR": str(place.root / "run2")}
    assert place.once(**env).code == 0


def test_state_and_run_time_folders_are_for_their_owner_only(place: Place) -> None:
    place.declare(
        """
        r.file(HERE / "a", content="x", backup=True)
        r.exec("restart", "false", only_on=f"file:{HERE}/a", retries=0)
        """
    )
    (place.managed / "a").write_text("old")
    before = os.umask(0)
    try:
        assert place.once().code == 1
    finally:
        os.umask(before)
    for name in ("state", "run", "state/backups"):
        assert (place.root / name).stat().st_mode & 0o7777 == 0o700
    files = [path for name in ("state", "run") for path in (place.root / name).rglob("*") if path.is_file()]
    assert len(files) == 3
    assert all(path.stat().st_mode & 0o7777 == 0o600 for path in files)


def test_a_reader_that_does_not_read_holds_up_neither_repairs_nor_the_stop(place: Place) -> None:
    place.declare('for n in range(300):\n    r.file(HERE / str(n), content="x" * 300, limit=1000)')
    process = subprocess.Popen(
        [*place.python, "serve", str(place.site), "--out", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=place.env,
    )  # fmt: skip
    try:
        place.until(lambda: all((place.managed / str(n)).exists() for n in range(300)))
        (place.managed / "1").unlink()
        place.until((place.managed / "1").exists, deadline=5)
        process.terminate()
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.communicate()
