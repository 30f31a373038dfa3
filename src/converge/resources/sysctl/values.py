"""Whether two ways to write a value mean the same to the kernel, which tells it in a way of its own."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
"""What strtol(3) takes with base 0, as proc_dointvec of the kernel does: hexadecimal, octal, decimal."""
_PART = r"(0|[1-9][0-9]*)(-(0|[1-9][0-9]*))?"
_RANGES = re.compile(f"{_PART}(,{_PART})*")
"""A list of ports or processors, as proc_do_large_bitmap of the kernel takes and tells it."""
_MOST = 1 << 20


def same(now: str, wanted: str) -> bool:
    """Whether the kernel means by ``now`` what ``wanted`` says; both with one blank between their parts."""
    if now == wanted:
        return True
    ours, theirs = wanted.split(" "), now.split(" ")
    return len(ours) == len(theirs) and all(map(_is_same, ours, theirs))


def _is_same(one: str, other: str) -> bool:
    if one == other:
        return True
    numbers = _number(one), _number(other)
    if None not in numbers:
        return numbers[0] == numbers[1]
    covered = _covered(one)
    return covered is not None and covered == _covered(other)


def _number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    digits = found[2].lower()
    base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10
    return int(digits, base) * (-1 if found[1] == "-" else 1)


def _covered(text: str) -> frozenset[int] | None:
    """The numbers in a list of ranges; None where it is none, or too long to be one."""
    if not _RANGES.fullmatch(text):
        return None
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        some = range(int(first), int(last or first) + 1)
        if len(some) + len(numbers) > _MOST:
            return None
        numbers.update(some)
    return frozenset(numbers)
