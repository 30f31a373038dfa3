"""Events of a run. Observers read them; the engine never prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

from converge.core.change import Changes
from converge.core.errors import Severity

Status: TypeAlias = Literal["ok", "pending", "changed", "failed", "skipped"]
Command: TypeAlias = Literal["plan", "serve"]


@dataclass(frozen=True, slots=True)
class Began:
    """A run begins: ``total`` resources will each have an outcome."""

    blueprint: str
    command: Command
    total: int
    daemon: bool = False
    """True where it stays until stopped (serve with no timeout)."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """How many of them are of each kind."""


class Outcome(NamedTuple):
    """What became of one resource.

    ``reason`` says why it was skipped, or after what it is pending ("after user:deploy"); ``error`` why it
    failed. ``duration`` is in seconds, of the check and apply themselves.
    """

    id: str
    kind: str
    status: Status
    changes: Changes = ()
    duration: float = 0.0
    error: str | None = None
    reason: str | None = None
    where: str = ""
    """file:line of the declaration."""
    noncompliant: bool = False
    """Retries are used up; it is watched, and the next news from outside tries again."""
    why: str = ""
    """Why the owner wants it, in their words; not told of what is right."""
    noop: bool = False
    """It differs, and is declared to be checked only."""
    also_at: tuple[str, ...] = ()
    """The other places, where several blueprints declare it."""

    @property
    def action(self) -> str | None:
        """What is or was to be done, in a word; that of the first change."""
        return self.changes[0].action if self.changes else None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know that is no resource's outcome."""

    severity: Severity
    text: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """How many resources ended in each status."""

    counts: Counter[Status] = field(default_factory=Counter)
    duration: float = 0.0

    @property
    def total(self) -> int:
        return self.counts.total()


@dataclass(frozen=True, slots=True)
class Watching:
    """The first convergence is done, with this result; from here on drift is awaited."""

    total: int
    summary: Summary = field(default_factory=Summary)


class Running(NamedTuple):
    """A call that takes long: what is done, for a person, and when it began, on the monotonic clock."""

    text: str
    since: float


@dataclass(frozen=True, slots=True)
class Working:
    """All that takes long at this moment; told whenever that changes, and once more when it has lasted very long."""

    calls: tuple[Running, ...]


class Tally(NamedTuple):
    """A recommendation, and how many of the resources that follow it ended in each status."""

    label: str
    number: str
    title: str
    counts: Counter[Status]


@dataclass(frozen=True, slots=True)
class Recommended:
    """All recommendations that the blueprint follows, by number; told just before the end of a plan."""

    tallies: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a run."""

    summary: Summary
    interrupted: bool = False


Event: TypeAlias = Began | Outcome | Notice | Watching | Working | Recommended | Ended


class Observer(Protocol):
    """Someone who is told. ``flush`` comes after each burst of events, ``close`` at the end, also after an error."""

    def see(self, event: Event) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...
