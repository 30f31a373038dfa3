"""How much is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Rounds are how often each is run, by turns with its floor; of whole runs the best counts."""

    starts: int
    rounds: int
    sizes: Sequence[int]
    threads: Sequence[int]
    guarded: int
    idle: float
    tampers: int
    beside_flapping: int
    bursts: int
    others: Sequence[int]


FULL = Effort(
    starts=20, rounds=4, sizes=(100, 1_000, 10_000), threads=(1, 2, 4, 8, 16), guarded=2_000, idle=10.0,
    tampers=200, beside_flapping=50, bursts=3, others=(1, 100, 1_000),
)  # fmt: skip
QUICK = Effort(
    starts=4, rounds=2, sizes=(100, 1_000), threads=(2, 8), guarded=2_000, idle=3.0,
    tampers=40, beside_flapping=20, bursts=1, others=(1,),
)  # fmt: skip
