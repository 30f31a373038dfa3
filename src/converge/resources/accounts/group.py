"""``group``: a group of users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import Changes
from converge.core.resource import Need, Uses
from converge.resources.accounts.account import Account
from converge.resources.accounts.validation import name_mistakes, number_mistakes, reference_mistakes

if TYPE_CHECKING:
    from converge.resources.accounts.linux.database import Database


@dataclass(frozen=True, slots=True)
class Group(Account):
    """A group of users."""

    kind: ClassVar[str] = "group"
    left_as_is = frozenset({"gid", "members"})
    platforms = ("linux",)
    shared_source: ClassVar[bool] = True
    adoption = "by name"
    adopter: ClassVar[str] = "converge.resources.accounts.linux.adopt:adopt_group"

    _: KW_ONLY
    gid: int | None = None
    """Its number. Unset: left as it is, and chosen by the system for a new group."""
    system: bool = False
    """A new group gets a number from the range of the system's own."""
    members: Sequence[str] | None = None
    """Exactly these users have it as a supplementary group. Unset: unchanged."""

    def mistakes(self) -> Iterator[str]:
        yield from name_mistakes("group", self.name)
        yield from number_mistakes("gid", self.gid)
        for member in self.members or ():
            yield from reference_mistakes("user", member)
        if self.state == "absent" and (self.gid is not None or self.system or self.members is not None):
            yield 'with state="absent" the group goes away; leave out gid, system and members'

    def needs(self) -> Sequence[Need]:
        return [Uses(f"user:{member}") for member in dict.fromkeys(self.members or ())]

    def claims(self) -> Iterable[str]:
        return () if self.gid is None else (f"gid {self.gid}",)

    def files(self) -> Sequence[str]:
        return ("group",)

    def compare(self, database: Database) -> Changes:
        from converge.resources.accounts.linux.check import group_changes

        return group_changes(self, database)

    def converge(self, state: Changes) -> None:
        from converge.resources.accounts.linux.apply import change_group

        change_group(self, state)
