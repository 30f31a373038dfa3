"""Whole runs: start-up, ``plan`` of what is in sync, first convergence; and the graph of a large blueprint."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime

from benchmarks.effort import Effort
from benchmarks.runs import BARE, CONVERGE, EMPTY, PYTHON, BenchmarkError, Run, best, run
from benchmarks.scratch import Scratch, Site
from benchmarks.table import Row, over, timed, within

_NODES = 100_000
_TIME = re.compile(rb'"event": "(?:began|watching)", "time": "([^"]+)"')
_DURATION = re.compile(rb'"duration_ms": ([0-9.]+)}}\s*\Z')


def start_up(scratch: Scratch, effort: Effort) -> Iterator[Row]:
    """What everybody waits for who types a command."""
    site = scratch.site(1, "start")
    empty, version, planned, served = [], [], [], []
    converge_once(site, scratch)
    plan(site, scratch)
    for _ in range(effort.starts):
        empty.append(run(EMPTY, scratch))
        version.append(run([*CONVERGE, "version"], scratch))
        planned.append(plan(site, scratch))
        site.empty()
        served.append(converge_once(site, scratch))
        site_is_right(site)
    floor = best(empty).wall
    for what, runs, target in (
        ("converge version", version, 0.060),
        ("plan, 1 file in sync, start to end", planned, 0.150),
        ("first convergence, 1 file, start to WATCHING", served, None),
    ):
        quickest = best(runs)
        yield over(what, quickest.wall, floor, target=target, cpu=quickest.cpu, peak=quickest.peak)


def plans(scratch: Scratch, effort: Effort) -> Iterator[Row]:
    """Nothing to do: what it costs to see that."""
    one = scratch.site(1, "plan")
    converge_once(one, scratch)
    small: list[Run] = []
    for count in effort.sizes:
        site = scratch.site(count, "plan")
        converge_once(site, scratch)
        site_is_right(site)
        ours, floors = [], []
        for _ in range(_rounds(effort, count)):
            floors.append(bare(scratch, "read", site))
            ours.append(plan(site, scratch))
            small.append(plan(one, scratch))
        checking = min(map(_said_duration, ours)) - min(map(_said_duration, small))
        quickest = best(ours)
        whole = quickest.wall - best(small).wall
        target = 4.0 if count == 10_000 else None
        named = f"plan, {count:,} files in sync"
        yield timed(f"{named}: checking", checking, min(floors), "read loop", target=target)
        yield timed(
            f"{named}: blueprint evaluated, too", whole, min(floors), "read loop", cpu=quickest.cpu, peak=quickest.peak
        )


def first_convergences(scratch: Scratch, effort: Effort) -> Iterator[Row]:
    """Everything is still to be made."""
    one = scratch.site(1, "first")
    small: list[Run] = []
    for count in effort.sizes:
        site = scratch.site(count, "first")
        ours = []
        floors: list[tuple[float, int]] = []
        for _ in range(_rounds(effort, count)):
            site.empty()
            ours.append(converge_once(site, scratch))
            site_is_right(site)
            for threads in effort.threads:
                site.empty()
                floors.append((bare(scratch, "write", site, threads), threads))
            one.empty()
            small.append(converge_once(one, scratch))
        quickest = best(ours)
        floor, threads = min(floors)
        beside = f"write loop, {threads} thread{'s' * (threads != 1)}"
        target = 2.0 if count == 10_000 else None
        converging = min(map(_told_duration, ours)) - min(map(_told_duration, small))
        named = f"first convergence, {count:,} files"
        yield timed(f"{named}: converging", converging, floor, beside, target=target)
        yield timed(
            f"{named}: blueprint evaluated, too", quickest.wall - best(small).wall, floor, beside,
            cpu=quickest.cpu, peak=quickest.peak,
        )  # fmt: skip
        site.empty()


def graph(scratch: Scratch, effort: Effort) -> Iterator[Row]:
    """In a process of its own, which does both by turns."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nodes.py")
    done = run([PYTHON, script, str(_NODES), str(effort.rounds)], scratch)
    ours, floor = map(float, done.output.split())
    yield within(f"graph of {_NODES:,} nodes built and ordered", ours, 0.5, floor, "bare rustworkx")


def _rounds(effort: Effort, count: int) -> int:
    """A few files take so little beside the start that it needs more of them to tell."""
    return effort.rounds * (3 if count <= 100 else 1)


# --- the runs --------------------------------------------------------------------------------------------


def plan(site: Site, scratch: Scratch) -> Run:
    """To its end."""
    return run([*CONVERGE, "plan", site.blueprint(), "--out", "json"], scratch)


def converge_once(site: Site, scratch: Scratch) -> Run:
    """Until it says that it watches: all is right then, durable and told."""
    return run([*CONVERGE, "serve", site.blueprint(), "--out", "json"], scratch, until=b'"event": "watching"')


def bare(scratch: Scratch, verb: str, site: Site, *given: int) -> float:
    """Seconds of a bare loop over the site's files, the start of its process left out."""
    return float(run([*BARE, verb, site.index(), *map(str, given)], scratch).output)


def site_is_right(site: Site) -> None:
    """Raises BenchmarkError: quick but wrong is not quick."""
    if wrong := site.wrong():
        raise BenchmarkError(f"{wrong} of {site.count} files are not as declared in {site.name}")


def _told_duration(done: Run) -> float:
    """Seconds from the first event of a daemon to the one that says that it watches."""
    began, *_, last = _TIME.findall(done.output)
    return (datetime.fromisoformat(last.decode()) - datetime.fromisoformat(began.decode())).total_seconds()


def _said_duration(done: Run) -> float:
    found = _DURATION.search(done.output[-200:])
    if found is None:
        raise BenchmarkError(f"no duration_ms at the end of: {done.output[-200:].decode(errors='replace')}")
    return float(found[1]) / 1000
