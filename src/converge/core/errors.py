"""Typed errors, with what a person needs to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from converge.core.change import Changes


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


Severity: TypeAlias = Literal["info", "warning", "error"]


class Location(NamedTuple):
    """A place in the owner's blueprint."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Places(Location):
    """The place of a resource that several blueprints declare: the first of them, and the others in words."""

    others: tuple[str, ...]

    @classmethod
    def of(cls, first: Location, others: tuple[str, ...]) -> Places:
        places = cls(first.file, first.line)
        places.others = others
        return places

    def __str__(self) -> str:
        return " and ".join((f"{self.file}:{self.line}", *self.others))


NOWHERE = Location("", 0)


class ResourceError(Exception):
    """A check or an apply could not be done. The message is one sentence for the owner of the machine."""


class Permanent(ResourceError):
    """Time alone does not change it: something on the machine, or in the blueprint, has to.

    A daemon looks again all the same, as after any failure. A run that ends by itself does so once another resource
    has changed, and else does not wait.
    """


class Refusal(ResourceError):
    """What is there must not be replaced, and its owner is told to move it away, or how to lose it.

    Somebody may be removing it at this moment. So the engine looks a second time, a moment later, and only says what
    both looks say.
    """


class NotYet(ResourceError):
    """Something that this resource stands on does not exist.

    ``needs`` names it as a resource id (``user:deploy``) or, for a path, ``file:/the/path``. While an
    earlier resource is still going to bring it, ``plan`` reports *pending after* that one; otherwise it is
    a failure like any other.
    """

    def __init__(self, message: str, needs: str, changes: Changes = ()) -> None:
        super().__init__(message)
        self.needs = needs
        self.changes = changes
        """What would be done once it is there, as far as that can be told."""


class Busy(ResourceError):
    """Now is not the moment to judge or to act: somebody else's work is under way, and will settle.

    It is asked again after ``again`` seconds, or earlier where news comes, and nothing of it counts as a failure until
    ``at_most`` seconds have gone by. What depends on the resource waits with it.
    """

    def __init__(self, message: str, *, again: float = 1.0, at_most: float = 600.0) -> None:
        super().__init__(message)
        self.again = again
        self.at_most = at_most
