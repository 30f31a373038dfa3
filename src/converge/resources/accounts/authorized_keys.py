"""``authorized_keys``: the SSH keys that let a user in."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import IN_SYNC, Change, Changes, Verb
from converge.core.errors import NotYet, ResourceError
from converge.core.resource import Need, Owned, OwnsHome, Resource, Uses
from converge.core.trigger import PathChanged, Trigger
from converge.resources.accounts.account import ETC
from converge.resources.accounts.homes import likely_homes, usual_home
from converge.resources.accounts.ssh_folder import FILE, FOLDER
from converge.resources.accounts.validation import reference_mistakes

if TYPE_CHECKING:
    import pwd

    from converge.resources.accounts.key_lines import Key


@dataclass(frozen=True, slots=True)
class AuthorizedKeys(Resource):
    """The SSH keys that let a user in."""

    kind: ClassVar[str] = "authorized_keys"
    platforms = ("linux",)

    user: str
    """Whose ``~/.ssh/authorized_keys``."""
    keys: Sequence[str] = ()
    """Public keys that are in it, each a line: ``[options] type key [comment]``. One key may have several lines, with
    different options."""
    _: KW_ONLY
    revoked: Sequence[str] = ()
    """Public keys that are not in it, but for lines of ``keys``. With options, only that line is not in it."""
    exact: bool = False
    """No other lines are in it."""

    # --- what it is ---------------------------------------------------------------------------------------

    def adds_up(self) -> frozenset[str]:
        return frozenset() if self.exact else frozenset(("keys", "revoked"))

    def identity(self) -> str:
        return self.user

    def mistakes(self) -> Iterator[str]:
        from converge.resources.accounts.key_lines import parse

        yield from reference_mistakes("user", self.user)
        seen: dict[tuple[str, str, str], str] = {}
        for option, lines in (("keys", self.keys), ("revoked", self.revoked)):
            for number, line in enumerate(lines, 1):
                key = None if "\n" in line or not line.isprintable() else parse(line)
                if key is None:
                    yield (
                        f"the {number}. of {option} is no public key; give the one line of a .pub file, "
                        "such as 'ssh-ed25519 AAAA… ann@laptop'"
                    )
                elif key.entry() in seen:
                    both = "twice" if seen[key.entry()] == option else "both as one to have and as one that is revoked"
                    yield f"the key {key.shown()} is given {both}; keep one"
                else:
                    seen[key.entry()] = option
        if not self.keys and not self.revoked and not self.exact:
            yield "there is nothing to do; give keys=, revoked= or exact=True"
        if self.exact and self.revoked:
            yield "with exact=True no other keys are let in anyway; leave out revoked"

    def is_removal(self) -> bool:
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

    def triggers_vary(self) -> bool:
        return True  # with the home, which may not be known before the user is made

    def needs_root(self) -> str | None:
        if os.geteuid() == 0:
            return None
        account = self._account()
        mine = account is not None and account.pw_uid == os.geteuid()
        return None if mine else f"only root can say who logs in as {self.user}"

    def group_key(self, verb: Verb) -> str | None:
        return "authorized_keys" if verb == "check" else None

    # --- what it does -------------------------------------------------------------------------------------

    def check(self) -> Changes:
        account = self._account()
        if account is None:
            if self.is_removal():
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

    def apply(self, state: Changes) -> None:
        account = self._account()
        if account is None:
            raise NotYet(f"user {self.user} does not exist", f"user:{self.user}")
        if any(change.action == "unknown" for change in state):
            raise ResourceError(f"{account.pw_dir}/{FOLDER} cannot be read by uid {os.geteuid()}")
        from converge.resources.accounts.ssh_folder import SshFolder

        with SshFolder(account) as folder:
            lines = folder.lines()
            new = self._merged(lines)
            if new != lines:
                folder.write(new)
            elif folder.is_there():
                folder.own()
            folder.make()  # last, since to whom it belongs can move other files into it

    def _changes(self, lines: list[str]) -> Iterator[Change]:
        """What becomes of each key, by comparing what is with what is to be."""
        from converge.resources.accounts.key_lines import Key, is_entry, parse

        new = self._merged(lines)
        if new == lines:
            return
        before, after = (Counter(key.entry() for key in map(parse, some) if key) for some in (lines, new))
        come, gone = list((after - before).elements()), list((before - after).elements())
        for entry in come:
            key = Key(*entry, comment=self._comment(entry))
            plain = (key.type, key.blob, "")
            if plain in gone:
                gone.remove(plain)
                yield Change("options", None, key.options)
            else:
                yield Change("keys", None, key.described(), "create")
        comments = {key.entry(): key.comment for key in map(parse, reversed(lines)) if key}
        for entry in gone:
            yield Change("keys", Key(*entry, comment=comments[entry]).described(), None, "remove")
        broken = sum(is_entry(line) and parse(line) is None for line in lines)
        if broken > sum(is_entry(line) and parse(line) is None for line in new):
            yield Change("keys", f"{broken} lines that hold no key", None, "remove")
        if not come and before == after:
            yield Change("keys", "after others with the same key", "before them")

    def _comment(self, entry: tuple[str, str, str]) -> str:
        return next((key.comment for key in self._parsed(self.keys) if key.entry() == entry), "")

    def _merged(self, lines: list[str]) -> list[str]:
        from converge.resources.accounts.key_lines import merged

        return merged(lines, self._parsed(self.keys), self._parsed(self.revoked), exact=self.exact)

    @staticmethod
    def _parsed(lines: Sequence[str]) -> list[Key]:
        from converge.resources.accounts.key_lines import parse

        return [key for key in map(parse, lines) if key is not None]

    def _account(self) -> pwd.struct_passwd | None:
        import pwd

        try:
            return pwd.getpwnam(self.user)
        except KeyError:
            return None
