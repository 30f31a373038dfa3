"""Rows of figures, and how they are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

HEADS = ("what", "converge", "the floor", "beside it", "target", "", "CPU", "peak")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of converge's, what it is compared with, and what was to be reached."""

    what: str
    ours: str
    floor: str = ""
    beside: str = ""
    target: str = ""
    met: bool | None = None
    cpu: float | None = None
    peak: int | None = None

    def cells(self) -> tuple[str, ...]:
        met = "" if self.met is None else "met" if self.met else "missed"
        cpu = "" if self.cpu is None else f"{self.cpu:.2f} s"
        peak = "" if self.peak is None else megabytes(self.peak)
        return (self.what, self.ours, self.floor, self.beside, self.target, met, cpu, peak)


@dataclass(slots=True)
class Table:
    """``notes`` say below it how it was measured."""

    title: str
    heads: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: Sequence[str] = ()

    def text(self) -> str:
        lines = [self.heads, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.heads))]
        shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        rule = "  ".join("-" * width for width in widths)
        body = [shown[0], rule, *shown[1:]]
        return "\n".join([self.title, "", *(line.rstrip() for line in body), "", *self.notes, ""])

    def markdown(self) -> str:
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        body = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
        return "\n".join([f"**{self.title}**", "", *body, "", *self.notes, ""])


def timed(
    what: str, ours: float, floor: float, called: str, *, target: float | None = None,
    cpu: float | None = None, peak: int | None = None,
) -> Row:  # fmt: skip
    """Seconds of ours as a multiple of the floor's. Differences of times may come out below 0, and then say nothing."""
    ratio = ours / floor
    return Row(
        what, seconds(ours), f"{seconds(floor)} {called}", f"{ratio:.1f}×" if ours > 0 else "",
        "" if target is None else f"≤ {target:g}×", None if target is None else ratio <= target, cpu, peak,
    )  # fmt: skip


def within(
    what: str, ours: float, target: float | None, floor: float | None = None, called: str = "", *, lost: int = 0
) -> Row:
    """Seconds that must not be more than so many, with the floor's beside them; nothing may be lost."""
    return Row(
        what,
        seconds(ours) + (f", {lost} lost" if lost else ""),
        "" if floor is None else f"{seconds(floor)} {called}",
        "" if not floor or math.isinf(ours) else f"{ours / floor:.1f}×",
        "" if target is None else f"≤ {_limit(target)}",
        None if target is None else ours <= target and not lost,
    )


def over(what: str, ours: float, floor: float, *, target: float | None = None, cpu: float, peak: int) -> Row:
    """Seconds of a whole program, and how many more than an empty one's."""
    more = ours - floor
    return Row(
        what, seconds(ours), f"{seconds(floor)} empty program", f"+{seconds(more)}",
        "" if target is None else f"≤ +{_limit(target)}", None if target is None else more <= target, cpu, peak,
    )  # fmt: skip


def seconds(value: float) -> str:
    """With as many digits as say something."""
    if math.isinf(value):
        return "never"
    if value <= 0:
        return "too little to tell"
    if value < 0.01:
        return f"{value * 1000:.2g} ms"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def _limit(value: float) -> str:
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"


def megabytes(value: int) -> str:
    return f"{value / 1e6:.0f} MB"
