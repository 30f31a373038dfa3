"""Reasons (``why=``) that name recommendations by number: ``CIS 5.2.3: Title. Explanation``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

WHYS = "; also: "
"""Between the reasons of a resource that several blueprints declare."""

_EACH = r"\d+(?:\.\d+)+(?: for [^:,]+)?"
_NUMBERED = re.compile(rf"(?P<label>[A-Z][\w-]*) (?P<numbers>{_EACH}(?:, {_EACH})*)")
_SENTENCE = re.compile(r"(?<=[\w)\"'])[.;](?:\s|$)")


class Recommendation(NamedTuple):
    """One that a resource follows."""

    label: str
    """Whose numbers these are, such as ``CIS``."""
    number: str
    title: str
    """Empty where one reason names several without their titles."""

    def place(self) -> tuple[str, list[int]]:
        """For sorting: 5.2.10 comes after 5.2.9."""
        return self.label, [int(part) for part in self.number.split(".")]


def title_of(why: str) -> str:
    """The first sentence."""
    return _SENTENCE.split(" ".join(why.split()), maxsplit=1)[0]


def recommendations(why: str) -> Iterator[Recommendation]:
    """Those that a reason begins with; none where it is of another form."""
    for each in why.split(WHYS):
        head, _, title = title_of(each).partition(": ")
        if found := _NUMBERED.fullmatch(head):
            for number in found["numbers"].split(", "):
                yield Recommendation(found["label"], number.partition(" ")[0], title)
