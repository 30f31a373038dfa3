"""The daemon at work: idle, one file after another, all at once, and beside one that flaps."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks import daemon
from benchmarks.bare import spoil
from benchmarks.daemon import Daemon
from benchmarks.effort import Effort
from benchmarks.runs import BenchmarkError
from benchmarks.scratch import Scratch, Site, is_right
from benchmarks.table import Row, megabytes, within
from benchmarks.whole import bare

_PATIENCE = 30.0
"""Seconds after which what is not repaired counts as lost."""
_ENOUGH_LOST = 3
"""Of single ones; waiting for more would take all day."""
_NAP = 0.00005
"""Seconds between two looks: a tenth of a millisecond with what the kernel adds. Looking without a pause would take a
processor from those who are measured, and double their times where there are only two."""
_PAUSE = 0.06
"""Seconds between two tamperings, so that each is alone. No divisor of the half second after which converge looks again
at what it repaired."""
_SETTLED = 1.5
"""Seconds after which nothing of the first convergence is still to be done."""


def idle(scratch: Scratch, effort: Effort) -> Iterator[Row]:
    """What it costs to be there."""
    ours, floor = _sites(scratch, effort.guarded, "idle")
    with daemon.converge(scratch, ours) as guard, daemon.bare_watcher(scratch, floor) as watcher:
        time.sleep(2 * _SETTLED)
        both = (guard, watcher)
        began, before = time.monotonic(), [each.cpu() for each in both]
        time.sleep(effort.idle)
        elapsed = time.monotonic() - began
        percent = [100 * (each.cpu() - was) / elapsed for each, was in zip(both, before, strict=True)]
        memory = [each.resident() for each in both]
    named = f"daemon, {effort.guarded:,} files, idle"
    yield Row(
        f"{named}: memory", megabytes(memory[0]), f"{megabytes(memory[1])} bare watcher",
        f"{memory[0] / memory[1]:.1f}×", "≤ 60 MB", memory[0] <= 60e6,
    )  # fmt: skip
    yield Row(
        f"{named}: CPU over {effort.idle:g} s", f"{percent[0]:.1f} %", f"{percent[1]:.1f} % bare watcher", "",
        "0.0 %", percent[0] < 0.05,
    )  # fmt: skip


def drift(scratch: Scratch, effort: Effort) -> Iterator[Row]:
    """One file after another, each its own; by turns with the floor."""
    ours, floor = _sites(scratch, effort.guarded, "drift")
    times: list[float] = []
    floors: list[float] = []
    with daemon.converge(scratch, ours) as guard, daemon.bare_watcher(scratch, floor) as watcher, _no_collector():
        time.sleep(_SETTLED)
        for path, bare_path in list(zip(ours.paths(), floor.paths(), strict=True))[: effort.tampers]:
            times.append(_repair(path, guard))
            time.sleep(_PAUSE)
            floors.append(_repair(bare_path, watcher))
            time.sleep(_PAUSE)
            if _lost(times) >= _ENOUGH_LOST:
                break
    lost = _lost(times)
    for what, part, target in (("p50", 0.5, 0.003), ("p99", 0.99, 0.015), ("max", 1.0, None)):
        yield within(
            f"file changed, right again: {what} of {len(times)}", percentile(times, part), target,
            percentile(floors, part), "bare watcher", lost=lost,
        )  # fmt: skip


def burst(scratch: Scratch, effort: Effort) -> Iterator[Row]:
    """All files, as fast as they can be written."""
    ours, floor = _sites(scratch, effort.guarded, "burst")
    times: list[float] = []
    floors: list[float] = []
    lost = 0
    for _ in range(effort.bursts):
        # Anew each time: a file that is changed again and again is repaired less often, which is not measured here.
        with daemon.converge(scratch, ours) as guard, _no_collector():
            time.sleep(_SETTLED)
            took, left = _burst(ours, guard)
            times.append(took)
            lost += left
        with daemon.bare_watcher(scratch, floor) as watcher, _no_collector():
            floors.append(_burst(floor, watcher)[0])
    named = f"{effort.guarded:,} files overwritten at once, all right again"
    yield within(named, min(times), 2.0, min(floors), "bare watcher", lost=lost)
    if effort.bursts > 1:
        yield within(f"{named}: worst of {effort.bursts}", max(times), None, max(floors), "bare watcher")


def flapping(scratch: Scratch, effort: Effort) -> Iterator[Row]:
    """One file is rewritten all the time; by turns the others are tampered with meanwhile and without that."""
    site = scratch.site(effort.guarded, "flapping")
    unruly, *others = site.paths()
    times: list[float] = []
    quiet: list[float] = []
    step = effort.beside_flapping // 2
    with daemon.converge(scratch, site) as guard, _no_collector():
        time.sleep(_SETTLED)
        for start in range(0, 4 * step, 2 * step):
            quiet += _repairs(others[start : start + step], guard)
            with daemon.flapper(scratch, unruly):
                time.sleep(_SETTLED)
                times += _repairs(others[start + step : start + 2 * step], guard)
            time.sleep(_SETTLED)
    lost = _lost(times)
    for what, part, target in (("p50", 0.5, 0.003), ("p99", 0.99, 0.015)):
        yield within(
            f"the same while another file flaps: {what} of {len(times)}", percentile(times, part), target,
            percentile(quiet, part), "without flapping", lost=lost,
        )  # fmt: skip


def percentile(times: Sequence[float], part: float) -> float:
    """The least of them that so large a part does not exceed."""
    return sorted(times)[max(0, math.ceil(part * len(times)) - 1)]


def _sites(scratch: Scratch, count: int, name: str) -> tuple[Site, Site]:
    """Converge's, and that of the bare watcher, which makes nothing by itself."""
    floor = scratch.site(count, f"{name}-bare")
    bare(scratch, "write", floor, 8)
    return scratch.site(count, name), floor


def _repairs(paths: Sequence[str], guard: Daemon) -> list[float]:
    times = []
    for path in paths:
        times.append(_repair(path, guard))
        time.sleep(_PAUSE)
        if _lost(times) >= _ENOUGH_LOST:
            break
    return times


def _lost(times: Sequence[float]) -> int:
    return sum(map(math.isinf, times))


def _repair(path: str, guard: Daemon) -> float:
    """Seconds from the beginning of the tampering until it is undone; infinite where that is not so in time."""
    began = time.perf_counter()
    spoil(path)
    while not is_right(path):
        time.sleep(_NAP)
        if time.perf_counter() - began > _PATIENCE:
            guard.must_live()
            return math.inf
    return time.perf_counter() - began


def _burst(site: Site, guard: Daemon) -> tuple[float, int]:
    """Seconds from the end of the last write until all are right, and how many never were."""
    left = site.paths()
    for path in left:
        spoil(path)
    began = time.perf_counter()
    while left and time.perf_counter() - began < _PATIENCE:
        left = [path for path in left if not is_right(path)]
        time.sleep(_NAP)
    took = time.perf_counter() - began
    if left:
        guard.must_live()
        return math.inf, len(left)
    time.sleep(0.1)
    if site.wrong():
        raise BenchmarkError(f"{site.name}: what was right is wrong again")
    return took, 0


@contextmanager
def _no_collector() -> Iterator[None]:
    """Who measures must not stop to collect garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
