"""What a user and a group have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from converge.core.change import Changes, Verb
from converge.core.errors import ResourceError
from converge.core.resource import Resource
from converge.core.trigger import PathChanged, Trigger

if TYPE_CHECKING:
    from typing import Self

    from converge.resources.accounts.linux.database import Database

Presence: TypeAlias = Literal["present", "absent"]

ETC = "/etc"
"""Where the account files are."""


@dataclass(frozen=True, slots=True)
class Account(Resource):
    """An entry of the account files."""

    name: str
    """What it is called."""
    _: KW_ONLY
    state: Presence = "present"
    """Whether it is to be there, or to be taken away."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.name

    def is_removal(self) -> bool:
        return self.state == "absent"

    def files(self) -> Sequence[str]:
        """The account files that it is judged by."""
        raise NotImplementedError

    def triggers(self) -> Sequence[Trigger]:
        return [PathChanged(f"{ETC}/{file}") for file in self.files()]

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "only root can change users and groups"

    def group_key(self, verb: Verb) -> str | None:
        # Applied in one row: all of them need the one lock that there is.
        return verb

    # --- what it does -------------------------------------------------------------------------------------

    def compare(self, database: Database) -> Changes:
        """All that differs."""
        raise NotImplementedError

    def converge(self, state: Changes) -> None:
        """Put right what ``state`` says."""
        raise NotImplementedError

    def apply(self, state: Changes) -> None:
        if unknown := [change for change in state if change.action == "unknown"]:
            raise ResourceError(f"{self.name}: {unknown[0].property} is {unknown[0].from_}")
        self.converge(state)

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[Changes | Exception]:
        from converge.resources.accounts.linux.database import Database
        from converge.resources.accounts.linux.lock import settled

        database = Database(ETC)
        for resource in resources:
            found: Changes | Exception
            try:
                found = resource.compare(database)
            except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
                found = error
            yield settled(found, database)
