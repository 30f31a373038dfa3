"""The comment by which we know a rule of ours again, and whose it is."""

from __future__ import annotations

import math
import os
import re
import zlib
from typing import NamedTuple, TypeAlias

Place: TypeAlias = tuple[float, ...]
"""Where a rule of ours belongs in its chain: they stand in ascending order."""

_RULE = re.compile(r"converge rule (-?\d+) ([0-9a-f]{8}) (.+)")
_POLICY = re.compile(r"converge policy (inbound|outbound) (first|last)")


class Tag(NamedTuple):
    """What a comment of ours says."""

    owner: str
    """``rule NAME`` or ``policy DIRECTION``: the resource that it belongs to."""
    order: int = 0
    file: str = ""
    """Stands for the file in which the rule is declared."""
    part: str = ""
    """``first`` or ``last``, of a policy's own rules."""

    def name(self) -> str:
        return self.owner.partition(" ")[2]

    def place(self, ranks: dict[str, int]) -> Place:
        """A policy's first rules, then the declared ones by order and rank, then its last ones.

        What this blueprint does not declare comes after what it does, within one order.
        """
        if self.part:
            return (0,) if self.part == "first" else (2,)
        return (1, self.order, ranks.get(self.name(), math.inf))


def rule_comment(name: str, order: int, file: str) -> str:
    """For a declared rule."""
    return f"converge rule {order} {file_mark(file)} {name}"


def policy_comment(direction: str, part: str) -> str:
    """For a rule that a default policy brings."""
    return f"converge policy {direction} {part}"


def file_mark(file: str) -> str:
    """A few characters that stand for a file of declarations."""
    return f"{zlib.crc32(os.fsencode(file)):08x}"


def parse(comment: str) -> Tag | None:
    """None for a rule that is not ours."""
    if found := _RULE.fullmatch(comment):
        return Tag(f"rule {found[3]}", int(found[1]), found[2])
    if found := _POLICY.fullmatch(comment):
        return Tag(f"policy {found[1]}", part=found[2])
    return None
