"""Errors that end a command, with what a person needs to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from converge.resources.base import Location


class ConvergeError(Exception):
    """Something that a person can put right. The text is for them."""

    files: frozenset[str] = frozenset()
    """Where a blueprint could not be loaded: the files that may mend it when they change."""


class BadValue(ConvergeError):
    """A blueprint cannot do with the value of one of its parameters. Told where the value comes from."""

    def __init__(self, parameter: str, text: str) -> None:
        super().__init__(text)
        self.parameter = parameter


class Mistake(NamedTuple):
    """One thing that is wrong with a blueprint."""

    where: Location
    id: str | None
    text: str

    def __str__(self) -> str:
        subject = f"{self.id}: " if self.id else ""
        place = f"{self.where}: " if self.where.file else ""
        return f"{place}{subject}{self.text}"


class Mistakes(ConvergeError):
    """All that is wrong with a blueprint. Nothing was touched."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = sorted(mistakes, key=lambda mistake: mistake.where)
        super().__init__("\n".join(map(str, self.mistakes)))


class BlueprintNotFound(ConvergeError):
    """No blueprint has this name or path."""


class NotRoot(ConvergeError):
    """Some resources need root and we are not."""


class AlreadyRunning(ConvergeError):
    """Another daemon holds this blueprint on this machine."""


def nearest(
    word: str, known: Iterable[str], shown: Callable[[str], str] = str, *, most: int = 3, cutoff: float = 0.6
) -> str:
    """`` (did you mean …?)`` or nothing."""
    from difflib import get_close_matches

    close = map(shown, get_close_matches(word, list(known), n=most, cutoff=cutoff))
    text = " or ".join(close)
    return f" (did you mean {text}?)" if text else ""
