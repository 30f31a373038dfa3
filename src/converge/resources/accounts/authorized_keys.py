"""``authorized_keys``: the SSH keys that let a user in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from converge.resources.accounts.base import ETC
from converge.resources.accounts.homes import likely_homes, usual_home
from converge.resources.accounts.names import reference_mistakes
from converge.resources.base import (
    IN_SYNC,
    Change,
    Need,
    NotYet,
    Owned,
    OwnsHome,
    PathChanged,
    Resource,
    ResourceError,
    State,
    Trigger,
    Uses,
    Verb,
)

if TYPE_CHECKING:
    import pwd

    from converge.resources.accounts.keys import Key

FOLDER = ".ssh"
FILE = "authorized_keys"


@dataclass(frozen=True, slots=True)
class AuthorizedKeys(Resource):
    """The SSH keys that let a user in."""

    kind: ClassVar[str] = "authorized_keys"
    platforms = ("linux",)

    user: str
    """Whose ``~/.ssh/authorized_keys``."""
    keys: Sequence[str] = ()
    """Public keys that are in it, each a line: ``[options] type key [comment]``."""
    _: KW_ONLY
    revoked: Sequence[str] = ()
    """Public keys that are not in it."""
    exact: bool = False
    """No other keys are in it."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.user

    def mistakes(self) -> Iterator[str]:
        from converge.resources.accounts.keys import parse

        yield from reference_mistakes("user", self.user)
        seen: dict[tuple[str, str], str] = {}
        for option, lines in (("keys", self.keys), ("revoked", self.revoked)):
            for number, line in enumerate(lines, 1):
                key = None if "\n" in line or not line.isprintable() else parse(line)
                if key is None:
                    yield (
                        f"the {number}. of {option} is no public key; give the one line of a .pub file, "
                        "such as 'ssh-ed25519 AAAA… ann@laptop'"
                    )
                elif key.same() in seen:
                    both = "twice" if seen[key.same()] == option else "both as one to have and as one that is revoked"
                    yield f"the key {key.shown()} is given {both}; keep one"
                else:
                    seen[key.same()] = option
        if not self.keys and not self.revoked and not self.exact:
            yield "there is nothing to do; give keys=, revoked= or exact=True"
        if self.exact and self.revoked:
            yield "with exact=True no other keys are let in anyway; leave out revoked"

    def absent(self) -> bool:
        return not self.keys

    def needs(self) -> Sequence[Need]:
        home = usual_home(self.user)
        return [Uses(f"user:{self.user}"), Uses(f"file:{home}"), Uses(f"file:{home}/{FOLDER}")]

    def owns(self) -> Iterable[Owned]:
        return (OwnsHome(self.user, FOLDER), OwnsHome(self.user, f"{FOLDER}/{FILE}"))

    def triggers(self) -> Sequence[Trigger]:
        folders = [f"{home.rstrip('/')}/{FOLDER}" for home in likely_homes(self.user)]
        paths = [path for folder in folders for path in (folder, f"{folder}/{FILE}")]
        return [PathChanged(path) for path in (f"{ETC}/passwd", *paths)]

    def moves(self) -> bool:
        return True  # with the home, which may not be known before the user is made

    def why_root(self) -> str | None:
        if os.geteuid() == 0:
            return None
        account = self._account()
        mine = account is not None and account.pw_uid == os.geteuid()
        return None if mine else f"only root can say who logs in as {self.user}"

    def group_key(self, verb: Verb) -> str | None:
        return "authorized_keys" if verb == "check" else None

    # --- what it does -------------------------------------------------------------------------------------

    def check(self) -> State:
        account = self._account()
        if account is None:
            if self.absent():
                return IN_SYNC
            new = tuple(Change("keys", None, key.shown(), "create") for key in self._parsed(self.keys))
            raise NotYet(f"user {self.user} does not exist", f"user:{self.user}", new)
        from converge.resources.accounts.ssh_folder import SshFolder

        with SshFolder(account) as folder:
            try:
                lines = folder.lines()
            except PermissionError:
                unknown = f"unknown (not readable by uid {os.geteuid()})"
                return (Change("keys", unknown, f"{len(self.keys)} keys", "unknown"),)
            return (*self._changes(lines), *folder.metadata_changes(must_exist=bool(self.keys)))

    def apply(self, state: State) -> None:
        account = self._account()
        if account is None:
            raise NotYet(f"user {self.user} does not exist", f"user:{self.user}")
        if any(change.action == "unknown" for change in state):
            raise ResourceError(f"{account.pw_dir}/{FOLDER} cannot be read by uid {os.geteuid()}")
        from converge.resources.accounts.ssh_folder import SshFolder

        with SshFolder(account) as folder:
            folder.make()
            lines = folder.lines()
            new = self._merged(lines)
            if new != lines:
                folder.write(new)
            elif folder.is_there():
                folder.own()

    def _changes(self, lines: list[str]) -> Iterator[Change]:
        """What becomes of each key, by comparing what is with what is to be."""
        from converge.resources.accounts.keys import is_entry, parse

        new = self._merged(lines)
        before = {key.same(): key for key in map(parse, reversed(lines)) if key}
        after = {key.same(): key for key in map(parse, reversed(new)) if key}
        for same, key in after.items():
            if same not in before:
                yield Change("keys", None, key.shown(), "create")
            elif before[same].options != key.options:
                yield Change("options", before[same].options or None, key.options or None)
        for same, key in before.items():
            if same not in after:
                yield Change("keys", key.shown(), None, "remove")
        rest = len([line for line in lines if is_entry(line)]) - len(before)
        left = len([line for line in new if is_entry(line)]) - len(after)
        if rest > left:
            yield Change("keys", f"{rest - left} lines that repeat a key or hold none", None, "remove")

    def _merged(self, lines: list[str]) -> list[str]:
        from converge.resources.accounts.keys import merged

        return merged(lines, self._parsed(self.keys), self._parsed(self.revoked), exact=self.exact)

    @staticmethod
    def _parsed(lines: Sequence[str]) -> list[Key]:
        from converge.resources.accounts.keys import parse

        return [key for key in map(parse, lines) if key is not None]

    def _account(self) -> pwd.struct_passwd | None:
        import pwd

        try:
            return pwd.getpwnam(self.user)
        except KeyError:
            return None
