"""The base class of all resource kinds: a frozen declaration that can be compared with the machine.

A kind is one subclass of :class:`Resource` in one file. It says what it wants (its fields), what differs
(:meth:`Resource.check`), how to put that right (:meth:`Resource.apply`) and what would tell that it may no
longer hold (:meth:`Resource.triggers`). It never retries, waits, logs or prints: the engine does that for
all kinds alike.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

from converge.core.change import Changes, Verb
from converge.core.duration import parse_duration
from converge.core.errors import NOWHERE, Location, ResourceError
from converge.core.platform import Os, this_os
from converge.core.provider import apply_each, check_each, load
from converge.core.trigger import Trigger

if TYPE_CHECKING:
    from typing import Self

    from converge.core.condition import Condition
    from converge.core.ownership import Ownership
    from converge.core.provider import Provider


# --- needs: what automatic edges are made of --------------------------------------------------------------


class Inside(NamedTuple):
    """Needs the nearest managed ancestor directory of this path."""

    path: str


class Uses(NamedTuple):
    """Needs the resource with this id, where the blueprint has it."""

    id: str


class Named(NamedTuple):
    """Needs the files that go by this name: a part of their path is called so, or their last part is the name with
    ``.conf``, ``.cfg``, ``.yaml`` or ``.yml``.
    """

    name: str


Need: TypeAlias = Inside | Uses | Named


# --- owned paths: what purge, recurse and removal by other resources leave alone --------------------------


class OwnsPath(NamedTuple):
    """A path, and the directories that lead to it; what lies below it may still be purged.

    ``owner`` and ``group`` say that the resource decides those of the path itself, ``below`` also those of
    everything below it: a ``recurse`` further up leaves them alone. ``user`` is whom it is given to, where that is
    known: a new file has this owner just before it takes its name.
    """

    path: str
    owner: bool = False
    group: bool = False
    below: bool = False
    user: str | int | None = None


class OwnsTree(NamedTuple):
    """A path with everything below it; ``owner`` and ``group`` as for :class:`OwnsPath`, of the whole tree.

    ``open`` trees may be purged by a directory that is declared at the path or below it, such as a directory in a
    user's home or on a mount; purges from further up leave them alone all the same. A tree that is ``remade`` has
    nothing in it that its resource would not make again; only such a tree goes when an archive replaces it.
    """

    path: str
    owner: bool = False
    group: bool = False
    open: bool = False
    remade: bool = False


class OwnsHome(NamedTuple):
    """The home of a user, wherever the machine says that it is, or one path in it.

    Without ``path``, the whole home as an open :class:`OwnsTree`. Owner and group are the user's.
    """

    user: str
    path: str = ""


class OwnsLinks(NamedTuple):
    """The links in a folder, or in one directly below it, that have this name or lead to a file of this name."""

    folder: str
    name: str


Owned: TypeAlias = OwnsPath | OwnsTree | OwnsHome | OwnsLinks


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """The options that every kind takes, and the verbs that every kind has.

    Fields are what the owner wrote. ``where`` and ``id`` are filled in when it is declared.
    """

    kind: ClassVar[str]
    shared_source: ClassVar[bool] = False
    """Whether all of this kind are told by the same news, so that our work on one sounds like news of the others."""
    batch_check: ClassVar[bool] = False
    """Whether :meth:`check_many` asks for all in one go, so that a slow one gains nothing from more threads."""
    providers: ClassVar[Mapping[Os, str] | str] = MappingProxyType({})
    """What touches the machine for it on each system, as ``module:Class``, loaded when first needed; a single text
    where one class of declarations serves one system. A kind that has none does so itself."""
    platforms: ClassVar[tuple[Os, ...]] = ("linux", "darwin")
    """Where this kind can be had. A blueprint that declares it elsewhere is mistaken."""
    options_only_on: ClassVar[Mapping[str, tuple[Os, ...]]] = MappingProxyType({})
    """Options that can only be had on some of these."""
    adoption: ClassVar[Literal["", "by name", "the only one"]] = ""
    """Whether :meth:`adopt` is offered, and whether it has to be told which one."""
    adopter: ClassVar[str] = ""
    """What :meth:`adopt` calls, as ``module:function``: it makes a declaration, so the declaration cannot import it."""
    keeps_secret: ClassVar[frozenset[str]] = frozenset()
    """Options that may have a secret in them: what they hold is shown nowhere, and is no argument of any command."""

    left_as_is: ClassVar[frozenset[str]] = frozenset()
    """Options that are left as they are where unset: of two declarations of one resource, one that sets it counts."""
    either: ClassVar[frozenset[str]] = frozenset()
    """Switches that are on where either of two declarations of one resource sets them."""
    beside_blueprint: ClassVar[frozenset[str]] = frozenset()
    """Options with paths that may be relative to the blueprint's own folder."""

    depends_on: Resource | str | Sequence[Resource | str] = ()
    """Ids or resources that must be in their desired state first."""
    critical: bool = False
    """A failure stops the whole first convergence."""
    noop: bool = False
    """Check and report, never apply."""
    retry: int | None = None
    """Retries before it is noncompliant. Unset: ``--max-retries``."""
    limit: float | None = None
    """Repairs per second at most, after a burst of three. Unset: one in ten seconds."""
    timeout: float | str | None = None
    """Longest check or apply, in seconds or as ``30s``. Unset: ``--resource-timeout``."""
    auto_edge: bool = True
    """Take part in automatic edges."""
    auto_group: bool = True
    """May be checked and applied together with others of its kind."""
    condition: Condition | None = None
    """Leave it alone until this first holds."""
    why: str | None = field(default=None, compare=False)
    """Why it is wanted, for whoever reads that it differs. Unset: what ``r.because`` says."""

    id: str = field(init=False, compare=False, default="")
    where: Location = field(init=False, compare=False, repr=False, default=NOWHERE)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{self.kind}:{self.identity()}")

    # --- what it is ---------------------------------------------------------------------------------------

    @classmethod
    def for_system(cls, system: Os) -> type[Resource]:
        """The class that declares this kind on a system out of :attr:`platforms`: a subclass where they differ."""
        return cls

    @classmethod
    def provider(cls) -> type[Provider[Any]]:  # Any: this kind, which a type cannot say here
        """What touches this machine for it. Raises ResourceError where there is none."""
        place = cls.providers if isinstance(cls.providers, str) else cls.providers.get(this_os())
        if place is None:
            raise ResourceError(f"there is no {cls.kind} on this system")
        provider: type[Provider[Any]] = load(place)
        return provider

    def identity(self) -> str:
        """The part of the id after the kind."""
        raise NotImplementedError

    def doubts(self) -> Iterable[str]:
        """What may mean more than its author thinks, a sentence each: warnings of ``check``, and no mistakes."""
        return ()

    def mistakes(self) -> Iterator[str]:
        """Whatever is wrong with this kind's own options, a sentence each. Types are checked already.

        Must not read the machine: blueprints for other machines are validated too.
        """
        return iter(())

    def common_mistakes(self) -> Iterator[str]:
        """Whatever is wrong with the options that every kind takes."""
        if self.retry is self.limit is self.timeout is None:
            return
        if self.retry is not None and self.retry < 0:
            yield f"retry must be 0 or more, not {self.retry}"
        if self.limit is not None and not 0 < self.limit < math.inf:
            yield f"limit must be a number of repairs per second above 0, not {self.limit}"
        if self.timeout is not None:
            try:
                seconds = parse_duration(self.timeout)
            except ValueError as error:
                yield f"timeout: {error}"
            else:
                if seconds == 0:
                    yield "timeout must be more than 0"

    def is_removal(self) -> bool:
        """Whether this resource takes something away; such resources run in the reverse order."""
        return False

    def stops_before_removal(self) -> bool:
        """Whether it has its turn before what it needs is taken away; a service is stopped before its package goes."""
        return self.is_removal()

    def needs(self) -> Sequence[Need]:
        """What automatic edges may be drawn to."""
        return ()

    def forbids(self, path: str) -> str | None:
        """Why nothing can be at this path, which is inside of what this resource declares; None where it can."""
        return "is to be absent" if self.is_removal() else None

    def adds_up(self) -> frozenset[str]:
        """The options with lists that are united where two blueprints declare one resource."""
        return frozenset()

    def claims(self) -> Iterable[str]:
        """What only one resource of a blueprint can have, such as a uid; two that claim the same are a mistake."""
        return ()

    def check_beside(self) -> None:
        """Look for what ``converge check`` can see beside the blueprint, such as a template; never at the target.

        Raises ResourceError, or NotYet for what another resource may bring.
        """

    def with_declared_ids(self, ids: Mapping[str, Resource]) -> Self:
        """This resource, knowing all in the blueprint, by their ids; a copy where that makes a difference to it."""
        return self

    def owns(self) -> Iterable[Owned]:
        """The paths that no purge, ``recurse`` or removal of another resource touches. Must not read the machine."""
        return ()

    def with_ownership(self, ownership: Ownership) -> Self:
        """This resource, knowing what all in the blueprint own; a copy where that makes a difference to it."""
        return self

    def refreshed_by(self) -> Sequence[Resource | str]:
        """The resources whose change calls for :meth:`refresh`."""
        return ()

    def triggers(self) -> Sequence[Trigger]:
        """What would tell that it may no longer hold."""
        return ()

    def triggers_vary(self) -> bool:
        """Whether the machine has a say in :meth:`triggers`; they are then asked for again after each check."""
        return False

    def runs_once(self) -> bool:
        """True where no check can tell whether it holds: it is applied once in a daemon's life, and on refresh."""
        return False

    def needs_root(self) -> str | None:
        """Why this very declaration needs root on this machine; None where it does not."""
        return None

    def seconds(self) -> float | None:
        """``timeout`` as a number of seconds; None where it is unset."""
        return None if self.timeout is None else parse_duration(self.timeout)

    def retry_delay_seconds(self) -> float | None:
        """Its own first delay between retries; None for the engine's."""
        return None

    # --- what it does, or its provider --------------------------------------------------------------------

    def check(self) -> Changes:
        """Compare with the live machine. Never changes anything. Implement this or :meth:`check_many`.

        Raises ResourceError (or OSError, which the engine words) where that cannot be told.
        """
        (found,) = self.check_many([self])
        if isinstance(found, Exception):
            raise found
        return found

    def apply(self, state: Changes) -> None:
        """Put right what ``state`` says, and only that. Implement this or :meth:`apply_many`.

        Raises ResourceError or OSError.
        """
        (error,) = self.apply_many([(self, state)])
        if error is not None:
            raise error

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        """Declare what is on this machine by this name; the name is empty for a kind of which a machine has one.

        Only reads. Called where :attr:`adoption` says that it can be. Raises ResourceError or OSError where there is
        no such thing.
        """
        if cls.adopter:
            adopted: Adopted = load(cls.adopter)(name)
            return adopted
        return cls.provider().adopt(name)

    def apply_refreshes(self, state: Changes) -> bool:
        """Whether applying this state already does what a refresh that is due would do."""
        return True

    def refresh(self, causes: Sequence[str]) -> None:
        """React to the change of what :meth:`refreshed_by` names; ``causes`` are the ids that changed."""
        self.provider().refresh(self, causes)

    # --- together with others of its kind -----------------------------------------------------------------

    def group_key(self, verb: Verb) -> Hashable | None:
        """Ready resources of one kind with the same key may go into one call; None means alone."""
        return None

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[Changes | Exception]:
        """Check several. Yields one result for each, in their order, as soon as it is known."""
        return cls.provider().check_many(resources) if cls.providers else check_each(cls.check, resources)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Self, Changes]]) -> Iterator[Exception | None]:
        """Apply several. Yields one result for each, in their order."""
        return cls.provider().apply_many(work) if cls.providers else apply_each(cls.apply, work)

    @classmethod
    def call_in_words(cls, verb: Verb, work: Sequence[tuple[Self, Changes]]) -> str | None:
        """What such a call does, for a person who waits for it; None where the ids of the resources say it well."""
        return None

    @classmethod
    def tidy_many(cls, resources: Sequence[Self]) -> None:
        """Remove what an interrupted run of ours may have left behind. Called once, before a daemon's first check."""
        if cls.providers:
            cls.provider().tidy_many(resources)


class Adopted(NamedTuple):
    """What is on a machine, as a declaration of it."""

    resource: Resource
    remarks: Sequence[str] = ()
    """What the owner should know of it, a sentence each."""
    unread: Sequence[str] = ()
    """What could not be read, a sentence each."""
    instead: Resource | None = None
    """Another way to declare the same, which would write it anew in a form of its own."""
