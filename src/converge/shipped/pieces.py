"""The pieces that a blueprint is made of, so that its owner can leave some of them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from converge.blueprints.run import Run
from converge.shipped import common


class Piece(NamedTuple):
    """One blueprint function with its arguments, under a name that ``skip`` takes."""

    section: str
    name: str
    function: Callable[..., None]
    arguments: tuple[object, ...] = ()

    def all_numbers(self) -> Sequence[str]:
        return (self.name,)


def declare(r: Run, blueprint: str, pieces: Sequence[Piece], skip: Sequence[str]) -> None:
    """Declare all pieces but those in ``skip``: sections, names, or beginnings of names, such as ``fs``.

    Each goes through ``r.include``, so that two blueprints may share a piece. What ``sysctls`` sets replaces a default.
    """
    asked_for = {each.name for each in pieces if each.section == "sysctls"}
    pieces = [each for each in pieces if each.section != "kernel" or each.name not in asked_for]
    if skip:
        from converge.shipped.cis.selection import without

        pieces = without(pieces, skip, blueprint)
    for each in pieces:
        r.include(each.function, *each.arguments)


def settings(wanted: Mapping[str, str], section: str = "kernel") -> list[Piece]:
    """Settings of the kernel, each by its own name."""
    return [Piece(section, key, common.setting, (key, value, False)) for key, value in wanted.items()]
