"""``user``: a user account."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import Changes
from converge.core.ownership import NOTHING, Ownership
from converge.core.resource import Inside, Need, Owned, OwnsHome, OwnsTree, Uses
from converge.core.trigger import PathChanged, Trigger
from converge.resources.accounts.account import Account
from converge.resources.accounts.validation import (
    NEVER,
    days,
    field_mistakes,
    name_mistakes,
    number_mistakes,
    path_mistakes,
    reference_mistakes,
)

if TYPE_CHECKING:
    from converge.resources.accounts.linux.database import Database
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_CRYPT = re.compile(r"\$[A-Za-z0-9,-]+\$[!-9;-~]+|[!*]+")
"""crypt(5): ``$id$…``, or what no password fits. The old forms without a ``$`` look like a password themselves."""
_PLAIN_SHELLS = ("sh", "false", "nologin", "true", "sync")
"""Shells that no package of their own name brings."""


@dataclass(frozen=True, slots=True)
class User(Account):
    """A user account."""

    kind: ClassVar[str] = "user"
    left_as_is = frozenset({"uid", "group", "shell", "home", "comment", "password_hash", "locked", "expires"})
    platforms = ("linux",)
    shared_source: ClassVar[bool] = True
    adoption = "by name"
    adopter: ClassVar[str] = "converge.resources.accounts.linux.adopt:adopt_user"
    keeps_secret = frozenset({"password_hash"})

    _: KW_ONLY
    uid: int | None = None
    """The number. Unset: left as it is, and chosen by the system for a new user."""
    group: str | int | None = None
    """The primary group, which must exist. Unset: left as it is; a new user gets the group of the same name."""
    groups: Sequence[str] = ()
    """Supplementary groups, which must exist."""
    groups_exact: bool = False
    """The user is taken out of all other supplementary groups."""
    shell: str | None = None
    """The login shell. Unset: unchanged."""
    home: str | None = None
    """The home directory. Unset: left as it is; ``/home/NAME`` for a new user. What is in the old one stays there."""
    create_home: bool | None = None
    """Make the home directory, filled from ``/etc/skel``. True: whenever it is missing. Unset: together with a new
    user, unless it is a system account."""
    comment: str | None = None
    """The full name (GECOS field). Unset: unchanged."""
    system: bool = False
    """A new user gets a number from the range of the system's own, and no home directory."""
    password_hash: str | None = field(default=None, repr=False)
    """The password as a crypt(5) string, such as ``mkpasswd`` makes. Never shown. Unset: unchanged."""
    locked: bool | None = None
    """Whether the password is locked, as ``passwd --status`` has it: an account without one is. Keys still let the user
    in: ``expires`` shuts every way. Unset: unchanged."""
    expires: str | None = None
    """The day from which nobody can log in, as ``2027-01-31``, or ``never``. Unset: unchanged."""
    remove_home: bool = False
    """With ``state="absent"``: remove the home directory and the mail too, where all of it is that user's alone."""

    ownership: Ownership = field(init=False, compare=False, repr=False, default=NOTHING)
    """What all resources own, as :meth:`with_ownership` told."""

    # --- what it is ---------------------------------------------------------------------------------------

    def adds_up(self) -> frozenset[str]:
        return frozenset() if self.groups_exact else frozenset(("groups",))

    def mistakes(self) -> Iterator[str]:
        yield from name_mistakes("user", self.name)
        if self.state == "absent":
            yield from self._mistakes_when_absent()
        elif self.remove_home:
            yield 'remove_home=True only has a meaning with state="absent"'
        yield from number_mistakes("uid", self.uid)
        if isinstance(self.group, int):
            yield from number_mistakes("group", self.group)
        for group in ([self.group] if isinstance(self.group, str) else []) + list(self.groups):
            yield from reference_mistakes("group", group)
        yield from field_mistakes("comment", self.comment)
        yield from path_mistakes("shell", self.shell)
        yield from path_mistakes("home", self.home)
        if self.password_hash is not None and not _CRYPT.fullmatch(self.password_hash):
            yield "password_hash is no crypt string such as $y$…; make one of the password with mkpasswd"
        if self.expires is not None:
            yield from self._mistakes_in_date(self.expires)

    def _mistakes_when_absent(self) -> Iterator[str]:
        given = {
            "uid": self.uid, "groups_exact": self.groups_exact or None, "shell": self.shell, "home": self.home,
            "create_home": self.create_home, "comment": self.comment, "system": self.system or None,
            "password_hash": self.password_hash, "locked": self.locked, "expires": self.expires,
        }  # fmt: skip
        unfit = [name for name, value in given.items() if value is not None]
        if unfit:
            yield f'with state="absent" the user goes away; leave out {", ".join(unfit)}'

    @staticmethod
    def _mistakes_in_date(text: str) -> Iterator[str]:
        if text == NEVER:
            return
        try:
            if _DATE.fullmatch(text) and (days(text) or 0) > 0:
                return
        except ValueError:
            pass  # such as the 30th of February
        yield f"expires={text!r} is no day; write it as 2027-01-31, or never"

    def needs(self) -> Sequence[Need]:
        groups = [*self.groups, self.group if isinstance(self.group, str) else self.name]
        needs: list[Need] = [Uses(f"group:{group}") for group in dict.fromkeys(groups)]
        if self.home is not None:
            needs.append(Inside(self.home))
        if self.shell is not None:
            needs += [Uses(f"file:{self.shell}"), Inside(self.shell)]
            program = self.shell.rpartition("/")[2]
            if program not in _PLAIN_SHELLS:
                needs.append(Uses(f"package:{program}"))
        return needs

    def claims(self) -> Iterable[str]:
        return () if self.uid is None else (f"uid {self.uid}",)

    def judges_shadow(self) -> bool:
        """Whether something of it is only root's to read."""
        return not (self.password_hash is None and self.locked is None and self.expires is None)

    def files(self) -> Sequence[str]:
        return ("passwd", "group", "shadow") if self.judges_shadow() else ("passwd", "group")

    def with_ownership(self, ownership: Ownership) -> User:
        """The same user, knowing what others own in the home that is to go."""
        if not self.remove_home:
            return self
        known = copy.copy(self)
        object.__setattr__(known, "ownership", ownership)
        return known

    def owns(self) -> Iterable[Owned]:
        if self.is_removal():
            return
        yield OwnsHome(self.name)
        if self.home is not None and self.home != "/":
            yield OwnsTree(self.home, owner=True, group=True, open=True)

    def triggers(self) -> Sequence[Trigger]:
        paths = [] if self.shell is None else [self.shell]
        if self.create_home:
            from converge.resources.accounts.homes import likely_homes

            paths += likely_homes(self.name) if self.home is None else [self.home]
        return [*Account.triggers(self), *map(PathChanged, paths)]

    def triggers_vary(self) -> bool:
        return bool(self.create_home) and self.home is None

    # --- what it does -------------------------------------------------------------------------------------

    def compare(self, database: Database) -> Changes:
        from converge.resources.accounts.linux.check import user_changes

        return user_changes(self, database)

    def converge(self, state: Changes) -> None:
        from converge.resources.accounts.linux.apply import change_user

        change_user(self, state)
