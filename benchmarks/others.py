"""Other tools on the same files, where they are installed. Start-up counts here: every run of theirs has it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from benchmarks.effort import Effort
from benchmarks.runs import BenchmarkError, Slow, run
from benchmarks.scratch import Scratch, Site
from benchmarks.table import seconds
from benchmarks.tools import OTHERS, OURS, Tool
from benchmarks.whole import site_is_right

_LIMIT = 90.0
"""Seconds that one run may take; what would take longer is not begun."""
_STEPS = ("first convergence", "nothing to do", "plan, in sync")
_MISSING = "not installed"
_SURE = 100
"""Files from which on the time of a run tells that of a larger one."""


def heads(scratch: Scratch) -> list[str]:
    """The heads of the columns."""
    return ["what", "converge", *(tool.title(scratch) for tool in OTHERS)]


def others(scratch: Scratch, effort: Effort) -> Iterator[Sequence[str]]:
    """A line for each size and step: what, converge, then each tool with how many times as long it takes."""
    known: dict[tuple[str, str], float] = {}
    for count in effort.others:
        site = scratch.site(count, "others")
        ours = _least([_measure(OURS, site, scratch, {}) for _ in range(3)])
        theirs = [_measure(tool, site, scratch, known) for tool in OTHERS]
        for step in _STEPS:
            cells = [_shown(each[step], ours[step]) for each in theirs]
            yield [f"{step}, {count:,} file{'s' * (count != 1)}", _shown(ours[step]), *cells]


def _measure(tool: Tool, site: Site, scratch: Scratch, known: dict[tuple[str, str], float]) -> dict[str, float | str]:
    """Seconds of each step, or why there are none. ``known`` are those of a file, from what was measured before."""
    if not tool.installed():
        return dict.fromkeys(_STEPS, _MISSING)
    site.empty()
    tool.prepare(site)
    times: dict[str, float | str] = {}
    for step in _STEPS:
        expected = known.get((tool.program, step), 0.0) * site.count
        if expected > _LIMIT or any(isinstance(time, str) for time in times.values()):
            times[step] = f"not run (about {expected / 60:.0f} min)" if expected else "not run"
            continue
        command = tool.plan if step == _STEPS[-1] else tool.apply
        until = tool.until if command is tool.apply else None
        try:
            took = run([word.format(at=site.folder) for word in command], scratch, until=until, limit=_LIMIT).wall
            site_is_right(site)
        except Slow:
            times[step] = f"more than {seconds(_LIMIT)}"
            continue
        except BenchmarkError as error:
            times[step] = "failed"
            print(error, file=sys.stderr)
            continue
        times[step] = took
        if site.count >= _SURE:
            known[tool.program, step] = took / site.count
    return times


def _least(runs: Sequence[dict[str, float | str]]) -> dict[str, float | str]:
    return {step: min(times[step] for times in runs) for step in _STEPS}


def _shown(time: float | str, ours: float | str | None = None) -> str:
    if isinstance(time, str):
        return time
    return f"{seconds(time)} ({time / ours:.0f}×)" if isinstance(ours, float) else seconds(time)
