"""Plain text: every fact, in ASCII, and nothing that could drive a terminal."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.change import Change
from converge.core.errors import ResourceError
from converge.engine.events import Began, Ended, Event, Notice, Outcome, Running, Summary, Watching, Working
from converge.observers.format import cells, cropped
from converge.observers.serial import Serial

RUN_TOLD = r"""
Converging web: 9 resources
~      file:/etc/x  12 ms
         mode: 0600 -> 0644
         content: 12 bytes -> 14 bytes
           --- now
           +++ wanted
           @@ -1,2 +1,2 @@
            kept
           -old<TAB>one\r
           +new \x1b[31m\xe9
+      file:/new
         content: 3 bytes
warning: file:/a: the limit of watches is reached
-      file:/old
         state: file -> (none)
FAILED exec:t\xe9st  1.2 s
         run: nginx -t
         command nginx -t ended with exit status 1; the end of its output:
           bad\x07 line
           <TAB>more
         declared at site.py:12
skip   service:nginx (exec:t\xe9st failed)
?      file:/root/x
         content: unknown
~      file:/y (after user:deploy)
         owner: root -> deploy
         why: a\x07
~      user:guest (noop)
         shell: /bin/sh -> /bin/false
WATCHING 9 resources (3 changed, 2 pending, 1 failed, 1 skipped, 1 ok in 100 ms)
2025-11-24 12:00:05 FAILED exec:t\xe9st
         command nginx -t ended
         noncompliant: no more retries until something changes
         declared at site.py:12
2025-11-24 12:00:05 ok     exec:t\xe9st
2025-11-24 12:00:05 ~      file:/etc/motd  3.0 ms
         mode: 0600 -> 0644
2025-11-24 12:00:05 note: the blueprint was read again
3 changed, 2 pending, 1 skipped, 3 ok in 120 ms
"""


def test_a_run_is_told(tell: Any, noon: Callable[[], datetime]) -> None:
    told = tell(lambda stream: Serial(stream, now=noon))
    assert told.replace("\t", "<TAB>") == RUN_TOLD.lstrip()


def test_verbose_adds_places_and_short_durations(tell: Any) -> None:
    events = (
        Outcome("file:/a", "file", "ok", duration=0.0002, where="site.py:1"),
        Outcome("file:/b", "file", "ok", where="site.py:2"),
    )
    assert tell(lambda stream: Serial(stream, verbose=True), events) == (
        "ok     file:/a  0.2 ms\n"
        "         declared at site.py:1\n"
        "ok     file:/b\n"
        "         declared at site.py:2\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change("mode", "0600", "0644"), "mode: 0600 -> 0644"),
        (Change("content", None, "3 bytes", "create"), "content: 3 bytes"),
        (Change("content", "", "x"), 'content: "" -> x'),
        (Change("owner", "root", None, "remove"), "owner: root -> (none)"),
        (Change("entry", None, None, "remove"), "entry"),
        (Change("owner", None, "root", "unknown"), "owner: unknown -> root"),
        (Change("owner", None, None, "unknown"), "owner: unknown"),
        (Change("run", None, "a\nb", "run"), r"run: a\nb"),
        (Change("run", None, "x" * 300, "run"), f"run: {'x' * 200}..."),
    ],
)
def test_changes_are_told_in_a_line_each(tell: Any, change: Change, told: str) -> None:
    lines = tell(Serial, [Outcome("it", "kind", "changed", (change,))]).splitlines()
    assert lines[1:] == [f"         {told}"]


@pytest.mark.parametrize(
    ("actions", "mark"),
    [
        (["create"], "+"),
        (["update"], "~"),
        (["remove"], "-"),
        (["run"], "~"),
        (["refresh"], "~"),
        (["unknown"], "?"),
        (["unknown", "remove"], "-"),
        ([], "~"),
    ],
)
@pytest.mark.parametrize("status", ["pending", "changed"])
def test_plan_and_serve_show_the_same_marks(tell: Any, actions: list[Any], mark: str, status: Any) -> None:
    changes = tuple(Change("x", "a", "b", action) for action in actions)
    assert tell(Serial, [Outcome("it", "kind", status, changes)]).startswith(f"{mark:<7}it\n")


def test_a_diff_that_cannot_be_made_says_why(tell: Any) -> None:
    def gone() -> str:
        raise ResourceError("/etc/x went away")

    told = tell(Serial, [Outcome("it", "kind", "changed", (Change("content", "a", "b", diff=gone),))])
    assert told.endswith("           (no diff: /etc/x went away)\n")


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (Ended(Summary(Counter(), 0.001)), "nothing to do in 1.0 ms\n"),
        (Ended(Summary(Counter(ok=2, failed=1), 61)), "1 failed, 2 ok in 1 m 1 s\n"),
        (Ended(Summary(Counter(ok=1), 0.1), interrupted=True), "interrupted: 1 ok in 100 ms\n"),
    ],
)
def test_the_summary_has_only_counts_that_are_not_zero(tell: Any, ended: Event, told: str) -> None:
    assert tell(Serial, [ended]) == told


def test_one_resource_is_no_plural(tell: Any) -> None:
    told = tell(Serial, [Began("x", "plan", 1), Watching(1, Summary(Counter(ok=1), 0.002))])
    assert told == "Planning x: 1 resource\nWATCHING 1 resource (1 ok in 2.0 ms)\n"


def test_what_is_right_is_only_counted() -> None:
    stream = io.StringIO()
    serial = Serial(stream)
    for number in range(500):
        serial.see(Outcome(f"file:/{number}", "file", "pending" if number == 250 else "ok", duration=0.5))
    serial.see(Ended(Summary(Counter(ok=499, pending=1), 0.033)))
    serial.close()
    assert stream.getvalue() == "~      file:/250  500 ms\n1 pending, 499 ok in 33 ms\n"


def test_what_was_wrong_and_is_right_now_is_told(tell: Any) -> None:
    events = [Outcome("a", "kind", "failed", error="no"), Outcome("a", "kind", "ok"), Outcome("a", "kind", "ok")]
    assert tell(Serial, events) == "FAILED a\n         no\nok     a\n"


def test_a_call_that_takes_very_long_is_told_once(tell: Any) -> None:
    short, long = Running("checking a", 95.0), Running("apt-get install é", 90.0)
    told = tell(lambda stream: Serial(stream, clock=lambda: 100.5), [Working((long, short)), Working((long,))])
    assert told == "running: apt-get install \\xe9  10 s\n"


def test_long_lines_of_a_diff_are_cropped_unless_all_is_wanted(tell: Any) -> None:
    changed = [Outcome("a", "kind", "changed", (Change("content", "1", "2", diff=lambda: "+" + "x" * 500),))]
    assert tell(Serial, changed).splitlines()[-1] == f"           +{'x' * 185}..."
    assert tell(lambda stream: Serial(stream, verbose=True), changed).splitlines()[-1] == f"           +{'x' * 500}"


@given(st.text(st.sampled_from("a\t日é\u0301…"), max_size=60), st.integers(8, 60), st.integers(0, 4))
def test_what_is_cropped_fits_and_is_a_beginning(line: str, columns: int, begin: int) -> None:
    shown = cropped(line, columns, "…", begin=begin)
    at = begin
    for char in shown:
        at += 8 - at % 8 if char == "\t" else cells(char)
    assert at <= columns
    assert shown == line or line.startswith(shown.removesuffix("…"))


def test_after_watching_only_news_is_told(tell: Any, noon: Callable[[], datetime]) -> None:
    skipped = Outcome("b", "kind", "skipped", reason="a failed")
    told = tell(
        lambda stream: Serial(stream, now=noon),
        [
            Outcome("a", "kind", "failed", error="no"),
            Watching(2),
            Outcome("a", "kind", "failed", error="no", duration=0.5),
            skipped,
            skipped,
            Outcome("a", "kind", "failed", error="neither"),
            Outcome("a", "kind", "ok"),
            Outcome("a", "kind", "ok"),
            Outcome("b", "kind", "changed"),
            Outcome("b", "kind", "changed"),
            Outcome("b", "kind", "ok"),
        ],
    )
    assert [re.sub(r"^\S+ \S+ ", "", line) for line in told.splitlines() if line.startswith("2025")] == [
        "skip   b (a failed)",
        "FAILED a",
        "ok     a",
        "~      b",
        "~      b",
    ]


class Pipe(io.StringIO):
    """A stream that counts what reaches it, and whose reader may be gone."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.closed_by_reader = False

    def write(self, text: str) -> int:
        if self.closed_by_reader:
            raise BrokenPipeError
        self.writes += 1
        return super().write(text)


def test_a_burst_is_one_write() -> None:
    pipe = Pipe()
    serial = Serial(pipe)
    for number in range(100):
        serial.see(Outcome(f"file:/{number}", "file", "changed"))
    assert pipe.writes == 0
    serial.flush()
    serial.flush()
    assert pipe.writes == 1


def test_a_reader_that_has_gone_is_told_once_and_to_the_caller() -> None:
    pipe = Pipe()
    pipe.closed_by_reader = True
    serial = Serial(pipe)
    serial.see(Watching(1))
    with pytest.raises(BrokenPipeError):
        serial.flush()
    serial.close()


any_text = st.text(st.characters(exclude_categories=()), max_size=20)


@given(any_text, any_text, any_text)
def test_whatever_the_names_are_all_is_printable_ascii(name: str, value: str, error: str) -> None:
    stream = io.StringIO()
    serial = Serial(stream)
    change = Change(name, value, error, diff=lambda: value)
    for event in (
        Began(name, "plan", 1),
        Outcome(name, value, "failed", (change,), error=error, reason=value, where=name),
        Outcome(name, value, "ok"),
        Notice("error", error, name),
    ):
        serial.see(event)
    serial.close()
    assert re.fullmatch(r"[\x20-\x7e\t\n]*", stream.getvalue())
