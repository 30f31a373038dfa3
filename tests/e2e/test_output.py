"""What is printed: for a person, for a script, and how a run ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from converge.cli.version import _build

if TYPE_CHECKING:
    from .conftest import Place

ROOT = Path(__file__).parents[2]

MIXED = """
    r.file(HERE / "new", content="über\\n")
    r.file(HERE / "right", content="right")
    r.file(HERE / "nowhere/file", content="x")
    r.exec("after", "true", depends_on=f"file:{HERE}/nowhere/file")
"""


def test_json_is_one_object_with_exactly_the_promised_keys(place: Place) -> None:
    place.declare(MIXED)
    (place.managed / "right").write_text("right")
    said = place.once("--out", "json", "--max-retries", "0").json()
    assert said.keys() == {"blueprint", "resources", "summary"}
    assert said["blueprint"] == "site"
    by_id = {each["id"]: each for each in said["resources"]}
    new, right, nowhere = (by_id[f"file:{place.managed}/{name}"] for name in ("new", "right", "nowhere/file"))
    after = by_id["exec:after"]
    assert new.keys() == {"id", "status", "action", "changes", "duration_ms"}
    assert (new["status"], new["action"]) == ("changed", "create")
    assert new["changes"] == [
        {"property": "content", "to": "über\n", "action": "create"},
        {"property": "mode", "to": "0644", "action": "create"},
    ]
    assert right == {"id": f"file:{place.managed}/right", "status": "ok", "duration_ms": right["duration_ms"]}
    assert nowhere["status"] == "failed"
    assert f"the directory {place.managed}/nowhere does not exist" in nowhere["error"]
    assert after == {"id": "exec:after", "status": "skipped", "reason": f"needs {nowhere['id']}, which failed"}
    assert said["summary"].keys() == {"changed", "ok", "failed", "skipped", "total", "duration_ms"}
    assert said["summary"]["total"] == 4


def test_json_leaves_out_counts_that_are_zero(place: Place) -> None:
    place.declare('r.file(HERE / "new", content="x")')
    assert place.plan("--out", "json").json()["summary"].keys() == {"pending", "total", "duration_ms"}
    assert place.once("--out", "json").json()["summary"].keys() == {"changed", "total", "duration_ms"}
    assert place.once("--out", "json").json()["summary"].keys() == {"ok", "total", "duration_ms"}


def test_a_daemon_with_json_writes_an_event_a_line(place: Place) -> None:
    place.declare('r.file(HERE / "new", content="x")')
    daemon = place.serve()
    (place.managed / "new").write_text("tampered")
    daemon.outcome(place.managed / "new", "changed", since=3)
    assert daemon.stop() == 0
    assert [event["event"] for event in daemon.events] == ["began", "outcome", "watching", "outcome", "ended"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]) for event in daemon.events)
    repaired = daemon.events[3]
    assert repaired["changes"] == [{"property": "content", "from": "tampered", "to": "x", "action": "update"}]
    assert daemon.events[-1]["summary"]["changed"] == 1
    assert daemon.events[-1]["interrupted"] is True


def test_serial_output_is_ascii_without_escapes(place: Place) -> None:
    place.declare(MIXED + '    r.file(HERE / "schön\\x1b[31m", content="\\x1b[31mrot\\n")\n')
    (place.managed / "right").write_text("right")
    said = place.once("--out", "serial", "--max-retries", "0")
    assert set(said.out) <= {"\n", "\t", *map(chr, range(32, 127))}
    first, *_, last = said.out.splitlines()
    assert first == "Converging site: 5 resources"
    assert re.fullmatch(r"2 changed, 1 failed, 1 skipped, 1 ok in [\d.]+ m?s", last)


def test_one_drift_among_500_is_not_lost(place: Place) -> None:
    place.declare('for n in range(500):\n    r.file(HERE / str(n), content=f"{n}\\n")')
    assert place.once().code == 0
    (place.managed / "17").write_text("drifted\n")
    first, *lines, last = place.plan().out.splitlines()
    assert first == "Planning site: 500 resources"
    assert lines == [
        f"~      file:{place.managed}/17" + lines[0].partition("/17")[2],
        "         content: drifted\\n -> 17\\n",
    ]
    assert re.fullmatch(r"1 pending, 499 ok in [\d.]+ m?s", last)
    assert len(place.plan("-v").out.splitlines()) == 504, "each of them is listed"
    _, *lines, watching, last = place.once().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"WATCHING 500 resources \(1 changed, 499 ok in [\d.]+ m?s\)", watching)
    assert re.fullmatch(r"1 changed, 499 ok in [\d.]+ m?s", last)


def test_plan_and_serve_mark_what_is_only_checked(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="a\\nb\\n", mode=0o600, noop=True, why="ticket 1")')
    (place.managed / "a").write_text("a\nB\n")
    for said in (place.plan(), place.once("-v")):
        assert f"~      file:{place.managed}/a (noop)" in said.out
    entries = [line.partition("]: ")[2] for line in said.err.splitlines()]
    begin = entries.index(
        f"file:{place.managed}/a differs, and is only checked (noop): content, mode 0644 -> 0600 (why: ticket 1)"
    )
    assert entries[begin + 1 : begin + 7] == ["  --- now", "  +++ wanted", "  @@ -1,2 +1,2 @@", "   a", "  -B", "  +b"]
    assert place.plan("--out", "json").json()["resources"][0]["noop"] is True


@pytest.mark.parametrize("out", ["serial", "json"])
def test_a_rate_limit_is_told_once_in_every_output(place: Place, out: str) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    daemon = place.start("--out", out, "-v").watching()
    end = time.monotonic() + 12
    while time.monotonic() < end and daemon.process.poll() is None:
        (place.managed / "a").write_text("tampered")
        time.sleep(0.05)
    assert daemon.stop() == 0
    told = "drifts faster than it may be repaired, which is once in 10 s"
    assert sum(told in line for line in daemon.lines) == 1
    assert sum(told in line for line in daemon.errors) == 1


def test_a_first_interrupt_says_what_it_waits_for_and_a_second_one_ends(place: Place) -> None:
    place.declare('r.exec("build", f"touch {HERE}/begun; sleep 100", shell=True)')
    for out in ("serial", "json"):
        (place.managed / "begun").unlink(missing_ok=True)
        daemon = place.start("--out", out)
        daemon.until((place.managed / "begun").exists, "the command has begun")
        daemon.signal(signal.SIGINT)
        daemon.until(lambda: "a second Ctrl-C (or SIGTERM) ends at once" in daemon.said(), "it says how to end it")  # noqa: B023 - called at once
        assert "stopping, as soon as this is done, or in 30 s: exec:build" in daemon.said()
        daemon.signal(signal.SIGINT)
        assert daemon.ended() == 0
        assert "interrupted" in daemon.lines[-1], "nothing is told after the end"


def test_without_a_terminal_output_is_serial(place: Place) -> None:
    place.declare('r.file(HERE / "new", content="x")')
    for said in (place.plan(), place.plan("--out", "terminal"), place.plan(CONVERGE_OUT="serial")):
        assert said.out.startswith("Planning site: 1 resource\n+ ")
        assert said.out.isascii()


def test_the_environment_chooses_the_output_and_the_option_wins(place: Place) -> None:
    place.declare('r.file(HERE / "new", content="x")')
    assert json.loads(place.plan(CONVERGE_OUT="json").out)["blueprint"] == "site"
    assert place.plan("--out", "serial", CONVERGE_OUT="json").out.startswith("Planning")
    assert place.run("--out", "json", "plan", place.site).json()["blueprint"] == "site"
    said = place.plan(CONVERGE_OUT="xml")
    assert (said.code, said.out) == (1, "")
    assert said.err == "converge: CONVERGE_OUT='xml': choose one of terminal, serial, json (see converge --help)\n"


@pytest.mark.parametrize(
    ("body", "plain", "detailed"),
    [
        ('r.file(HERE / "right", content="right")', 0, 0),
        ('r.file(HERE / "new", content="x")', 0, 2),
        ('r.file(HERE / "new", content="x")\nr.exec("no", "false", retries=0)', 1, 3),
        ('r.file(HERE / "right", content="right")\nr.exec("no", "false", retries=0)', 1, 3),
        ('n = r.exec("no", "false", retries=0)\nr.file(HERE / "right", content="right", depends_on=n)', 1, 4),
    ],
    ids=["ok", "changed", "some failed", "some failed, others ok", "all failed or skipped"],
)
def test_exit_codes_of_serve_tell_more_when_asked(place: Place, body: str, plain: int, detailed: int) -> None:
    place.declare(body)
    (place.managed / "right").write_text("right")
    assert place.once("--detailed-exit-codes").code == detailed
    (place.managed / "new").unlink(missing_ok=True)
    assert place.once().code == plain


def test_plan_whose_check_fails_exits_1_and_3_in_detail(place: Place) -> None:
    place.declare('r.file(HERE / "dir", content="x")\nr.file(HERE / "right", content="right")')
    (place.managed / "dir").mkdir()
    (place.managed / "right").write_text("right")
    assert place.plan().code == 1
    assert place.plan("--detailed-exit-codes").code == 3


def test_list_shows_blueprints_and_kinds_with_a_line_each(place: Place) -> None:
    said = place.run("list")
    assert said.code == 0
    assert {"blueprints:", "kinds:"} <= set(said.out.splitlines())
    kinds = place.run("list", "--extensions")
    assert "blueprints:" not in kinds.out
    names = [line.split()[0] for line in kinds.out.splitlines()[1:]]
    assert {"directory", "exec", "file", "symlink"} <= set(names)
    assert all(len(line.split()) > 1 for line in kinds.out.splitlines() if line.startswith(" "))
    assert "kinds:" not in place.run("list", "-b").out
    told = place.run("list", "--out", "json").json()
    assert told.keys() == {"blueprints", "kinds", "helpers"}
    assert told["helpers"].keys() >= {"r.include", "r.secret", "r.in_shard", "r.platform"}
    assert not [text for group in told.values() for text in group.values() if "`" in text or "*" in text]


def test_version_tells_version_python_and_platform(place: Place) -> None:
    said = place.run("version")
    assert said.code == 0
    assert re.search(r"\d+\.\d+\.\d+", said.out)
    assert ".".join(map(str, sys.version_info[:3])) in said.out
    assert "linux" in said.out.lower()
    told = place.run("version", "--out", "json").json()
    assert told.keys() - {"commit", "date"} == {"version", "python", "os", "distro", "arch"}


def test_version_tells_the_commit_of_a_package_and_of_a_clone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ROOT / ".git"
    if git.is_dir():
        head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        assert place.run("version", "--out", "json").json()["commit"] == head.stdout[:9]
    built = ModuleType("converge._build")
    built.COMMIT, built.DATE = "abc1234", "2026-01-02"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "converge._build", built)
    assert _build() == ("abc1234", "2026-01-02")


def test_a_reader_that_goes_away_is_no_traceback(place: Place) -> None:
    place.declare('for n in range(3000):\n    r.file(HERE / f"a-rather-long-name-for-a-file-{n}", content="x" * 500)')
    for out in ("serial", "json"):
        plan = subprocess.Popen(
            [*place.python, "plan", str(place.site), "--out", out],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=place.env, text=True,
        )  # fmt: skip
        head = subprocess.run(["head", "-c", "20"], stdin=plan.stdout, capture_output=True, text=True, check=True)
        assert plan.stdout is not None and plan.stderr is not None
        plan.stdout.close()
        assert (plan.stderr.read(), plan.wait(60)) == ("", 1)
        assert head.stdout


@pytest.mark.parametrize("command", ["plan", "list", "version"])
def test_a_reader_that_was_never_there_is_no_traceback_either(place: Place, command: str) -> None:
    place.declare('r.file(HERE / "new", content="x")')
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as out:
        done = subprocess.run(
            [*place.python, command, *([str(place.site)] if command == "plan" else [])],
            stdout=out, stderr=subprocess.PIPE, text=True, env=place.env, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("out", ["serial", "json"])
def test_a_daemon_goes_on_without_its_reader(place: Place, out: str) -> None:
    place.declare('print("loading")\nr.file(HERE / "new", content="x", limit=1000)')
    process = subprocess.Popen(
        [*place.python, "serve", str(place.site), "--out", out],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=place.env, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    new = place.managed / "new"
    try:
        while "watching" not in (line := process.stdout.readline()).lower():
            assert line
        process.stdout.close()
        for _ in range(5):
            new.write_text("tampered")
            place.until(lambda: new.read_text() == "x")
        place.declare('print("loading")\nr.file(HERE / "new", content="y")')  # to a standard error that is gone, too
        place.until(lambda: new.read_text() == "y")
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()


def test_what_is_applied_ends_before_a_run_whose_reader_has_gone(place: Place) -> None:
    place.declare(
        """
        a = r.file(HERE / "a", content="x")
        slow = r.exec("slow", f"touch {HERE}/begun; sleep 1; touch {HERE}/done", shell=True, depends_on=a)
        r.file(HERE / "b", content="x")
        """
    )
    process = subprocess.Popen(
        [*place.python, "serve", str(place.site), "--timeout", "5s", "--out", "serial"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=place.env, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert (process.stderr.read(), process.wait(20)) == ("", 1)
    assert (place.managed / "begun").exists() == (place.managed / "done").exists()


def test_what_a_blueprint_prints_does_not_get_into_the_output(place: Place) -> None:
    place.declare('print("seen by its author")\nr.file(HERE / "new", content="x")')
    said = place.plan("--out", "json")
    assert said.json()["blueprint"] == "site"
    assert said.err == "seen by its author\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_standard_stream_that_is_closed_does_no_harm(place: Place, closed: str) -> None:
    place.declare(
        """
        a = r.file(HERE / "new", content="x")
        r.exec("job", "cat; echo out; echo err >&2", shell=True, only_on=a)
        """
    )
    for command in (["plan", str(place.site)], ["serve", str(place.site), "--timeout", "200ms"], ["version"]):
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *place.python, *command]
        done = subprocess.run(shell, capture_output=True, text=True, env=place.env, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    assert (place.managed / "new").read_text() == "x"
    assert [path.read_text() for path in (place.root / "run").iterdir()] == [""]


@pytest.mark.parametrize("command", ["plan", "serve", "list", "version"])
def test_a_full_disk_under_the_output_is_told_and_no_traceback(place: Place, command: str) -> None:
    place.declare('r.file(HERE / "new", content="x")')
    arguments = {"plan": [str(place.site)], "serve": [str(place.site), "--timeout", "200ms"]}.get(command, [])
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*place.python, command, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, env=place.env,
            timeout=60, check=False,
        )  # fmt: skip
    assert "Traceback" not in done.stderr
    if command == "serve":  # it is there to keep the machine right, whoever can hear of it
        assert (place.managed / "new").read_text() == "x"
    else:
        assert done.returncode == 1
        assert done.stderr == "converge: standard output: No space left on device\n"
