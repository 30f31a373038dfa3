"""``python -m benchmarks``: measures, and prints the tables."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeAlias, TypeVar

from benchmarks.effort import FULL, QUICK, Effort
from benchmarks.guarding import burst, drift, flapping, idle
from benchmarks.others import heads, others
from benchmarks.runs import BenchmarkError
from benchmarks.scratch import Scratch, scratch_folder
from benchmarks.table import HEADS, Row, Table
from benchmarks.whole import first_convergences, graph, plans, start_up
from converge import __version__

T = TypeVar("T")
Group: TypeAlias = Callable[[Scratch, Effort], Iterator[Row]]

GROUPS: dict[str, Group] = {
    "start-up": start_up,
    "plan": plans,
    "first": first_convergences,
    "graph": graph,
    "idle": idle,
    "drift": drift,
    "burst": burst,
    "flapping": flapping,
}
OTHERS = "others"
NOTES = (
    "Files of a dozen bytes in four directories. Of runs and bursts the best of several, in turn with the floor.",
    "Read loop: open, fstat, read, close. Write loop: write, fsync, rename, on 1 to 16 threads, whichever is best.",
    "Bare watcher: inotify and nothing else; a file is written anew (write, fsync, rename) as soon as it was closed.",
    "Right again: from the beginning of the change until a reader who looks every 0.1 ms sees it undone.",
    "plan and first convergence of many files: less the same command on one file, so that start-up is in neither.",
    "Checking: the duration_ms that the run tells. First convergence: until WATCHING, when all is durable and told.",
    "CPU (user and system) and peak memory are of the whole process, start-up included.",
)
NOTES_ON_OTHERS = (
    "Whole runs on the same files, start-up included; in brackets, how many times as long as converge.",
    "Of converge the best of three runs, to WATCHING where it stays; of the others one.",
)


def main() -> int:
    """Returns 1 where a figure could not be had; a target that was missed is a figure."""
    arguments = _parse()
    effort = QUICK if arguments.quick else FULL
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    tables: list[Table] = []
    troubles: list[str] = []
    with scratch_folder() as scratch:
        where, notes = _where(scratch), _warnings()
        if names := [name for name in GROUPS if name in arguments.only]:
            rows = [row for name in names for row in _told(name, GROUPS[name](scratch, effort), troubles)]
            title = f"converge {__version__} beside the floor: {where}"
            tables.append(Table(title, HEADS, [row.cells() for row in rows], [*NOTES, *notes]))
        if OTHERS in arguments.only:
            lines = list(_told(OTHERS, others(scratch, effort), troubles))
            title = f"converge {__version__} beside other tools: {where}"
            tables.append(Table(title, heads(scratch), lines, [*NOTES_ON_OTHERS, *notes]))
    print("\n".join(table.text() for table in tables))
    if arguments.markdown:
        with open(arguments.markdown, "w", encoding="utf-8") as file:
            file.write("\n".join(table.markdown() for table in tables))
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition(": ")[2])
    parser.add_argument("--quick", action="store_true", help="less of everything, in about a minute")
    parser.add_argument("--only", type=_names, metavar="NAME,...", default=[*GROUPS, OTHERS],
                        help=f"some of {', '.join([*GROUPS, OTHERS])}")  # fmt: skip
    parser.add_argument("--markdown", metavar="FILE", help="write the tables to a file, too")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        parser.error("this needs Linux")
    return arguments


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in GROUPS and name != OTHERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join([*GROUPS, OTHERS])}")
    return names


def _told(name: str, figures: Iterator[T], troubles: list[str]) -> Iterator[T]:
    """The figures; says what is measured at the moment, and keeps a trouble with one group from ending the others."""
    print(f"measuring {name} ...", file=sys.stderr, flush=True)
    try:
        yield from figures
    except BenchmarkError as error:
        troubles.append(f"{name}: {error}")


def _where(scratch: Scratch) -> str:
    return (
        f"{os.cpu_count()} CPUs, Linux {platform.release()}, {scratch.filesystem or 'unknown file system'}, "
        f"Python {platform.python_version()}"
    )


def _warnings() -> list[str]:
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    if load < cpus / 2:
        return []
    return [f"The machine was busy with other work when this began (load {load:.1f}), so these figures are rough."]


def _stop(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)  # unwinds, so that daemons are ended and the folder is removed


if __name__ == "__main__":
    sys.exit(main())
