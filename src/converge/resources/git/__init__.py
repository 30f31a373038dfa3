"""``git``: a checkout of a repository at one revision."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import Busy, NotYet, ResourceError
from converge.core.resource import Inside, Need, Owned, OwnsTree, Resource, Uses
from converge.core.trigger import PathChanged, Trigger
from converge.core.urls import hide_credentials
from converge.host.fs.busy import refuse_to_lose
from converge.host.fs.paths import path_mistakes, tidy_path

if TYPE_CHECKING:
    from typing import Self

_NO_REVISION = re.compile(r"^[-/.]|\.\.|//|@\{|[\x00-\x20\x7f~^:?*\[\\]|(/|\.|\.lock)$")
"""What no branch and no tag can be called; see git-check-ref-format(1)."""
_SETTLED = 1.0
"""Seconds after the last change of a checkout in which it may still be half changed."""


@dataclass(frozen=True, slots=True)
class Git(Resource):
    """A checkout of a git repository at one revision.

    The revision is a branch, a tag, a commit with all of its digits, or ``HEAD``, the remote repository's own choice.
    What a branch stands for is asked when the checkout is looked at: at the start of the daemon, and when the checkout
    or its declaration changes; a push elsewhere is no news here. The checkout has a *detached* HEAD. Submodules are
    left out.
    """

    kind: ClassVar[str] = "git"
    platforms = ("linux",)

    dest: str
    """The directory: absolute, without ``..``. The one that it is in must exist."""
    repo: str = field(repr=False)
    """The repository: a URL, ``user@server:path``, or a full path."""
    _: KW_ONLY
    revision: str = "HEAD"
    """A branch, a tag, a commit (all of its digits), or ``HEAD``."""
    user: str | None = None
    """As whom git runs, and whose the checkout is.

    Unset: as converge itself; in a directory that belongs to another user, as that user.
    """
    depth: int | None = None
    """How many commits of history to fetch. Unset: all."""
    force: bool = False
    """Discard local changes of files that belong to the repository. Unset: they are an error."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dest", tidy_path(self.dest))
        Resource.__post_init__(self)  # super() does not work in a dataclass with slots

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.dest

    def mistakes(self) -> Iterator[str]:
        yield from path_mistakes(self.dest)
        if self.dest == "/":
            yield "the root directory is no place for a checkout"
        if not self.repo or not self.repo.isprintable() or self.repo.startswith("-"):
            yield "repo is no address of a repository"
        elif not self.repo.startswith("/") and ":" not in self.repo:
            yield "repo is a relative path; give a URL, user@server:path, or a full path"
        elif "::" in self.repo.partition("/")[0]:
            yield "repo names a program to run; give a URL, user@server:path, or a full path"
        if not self.revision or _NO_REVISION.search(self.revision):
            yield f"{self.revision!r} is no revision; give a branch, a tag, or a commit with all of its digits"
        if self.user is not None and not (self.user and self.user.isprintable()):
            yield f"{self.user!r} is no name for a user"
        if self.depth is not None and self.depth < 1:
            yield f"depth takes 1 or more, not {self.depth}"

    def needs(self) -> Sequence[Need]:
        needs: list[Need] = [Uses(f"file:{self.dest}"), Inside(self.dest), Uses("package:git")]
        needs += [Inside(self.repo)] if self.repo.startswith("/") else []
        needs += [Uses(f"user:{self.user}")] if self.user is not None else []
        return needs

    def owns(self) -> Iterable[Owned]:
        return (OwnsTree(self.dest, owner=True, group=True),)

    def triggers(self) -> Sequence[Trigger]:
        if self.force:  # what is edited there is to be undone
            return (PathChanged(self.dest, deep=True),)
        own = ("", "/.git/HEAD", "/.git/config", "/.git/index")
        return tuple(PathChanged(self.dest + name) for name in own)

    def needs_root(self) -> str | None:
        from converge.host import process

        if os.geteuid() == 0:
            return None
        if self.user is not None:
            try:
                if process.find_user(self.user).pw_uid != os.geteuid():
                    return f"it runs as user {self.user}"
            except NotYet:
                return f"it runs as user {self.user}"
        folder = self.dest
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        return None if os.access(folder, os.W_OK | os.X_OK) else f"{folder} cannot be written by uid {os.geteuid()}"

    # --- what it does -------------------------------------------------------------------------------------

    def check(self) -> Changes:
        from converge.resources.staging import look_at

        created = (Change("checkout", None, self._shown(), "create"),)
        try:
            status = look_at(self.dest)
            self._account()
            if status is None or not os.listdir(self.dest):
                return created
            if self.needs_root():
                return (Change("checkout", "unknown (only root can tell)", self._shown(), "unknown"),)
            self._require_checkout(status)
            return self._settled()
        except NotYet as error:
            raise NotYet(str(error), error.needs, created) from error
        except PermissionError:
            return (Change("checkout", f"unknown (not readable by uid {os.geteuid()})", self._shown(), "unknown"),)

    def apply(self, state: Changes) -> None:
        from converge.resources.git import commands

        properties = {change.property for change in state}
        if "checkout" in properties:
            self._create()
            return
        if "repo" in properties:
            commands.point_to(self, self.dest)
        if not properties.isdisjoint(("revision", "files")):
            commands.check_out(self, self.dest)

    @classmethod
    def tidy_many(cls, resources: Sequence[Self]) -> None:
        from converge.resources.staging import tidy_staged

        tidy_staged(resource.dest for resource in resources)

    def _settled(self) -> Changes:
        from converge.resources.git.program import Unreadable

        try:
            return self._compare()
        except Unreadable as error:
            if self._stirred():
                raise Busy(str(error), again=0.2, at_most=10.0) from error
            raise

    def _stirred(self) -> bool:
        """Whether somebody is making it another one, or removing it, at this moment."""
        try:
            changed = max(os.stat(self.dest + name).st_ctime for name in ("", "/.git", "/.git/objects"))
        except FileNotFoundError:
            return True
        return abs(time.time() - changed) < _SETTLED

    def _compare(self) -> Changes:
        from converge.resources.git import commands

        if os.path.lexists(lock := f"{self.dest}/.git/index.lock"):
            raise Busy(f"somebody's git is at work in {self.dest}, or was interrupted and left {lock}", at_most=60.0)
        changes: list[Change] = []
        address = commands.address(self, self.dest)
        if address != self.repo:
            changes.append(Change("repo", hide_credentials(address) or None, hide_credentials(self.repo)))
        head, wanted = commands.head(self, self.dest), commands.resolve(self, self.dest).commit
        if head != wanted:
            changes.append(Change("revision", head and head[:12], self._shown(wanted)))
        if files := commands.modified(self, self.dest):
            if not self.force:
                refuse_to_lose(
                    self.dest,
                    f"{self.dest} has local changes ({files}); put them into the repository, or set force=True to "
                    "discard them",
                )
            changes.append(Change("files", f"{files} changed", "as in the repository"))
        return tuple(changes) or IN_SYNC

    def _create(self) -> None:
        from converge.resources.git import commands
        from converge.resources.staging import Staging

        with Staging(self.dest) as staging:
            staging.own(*self._account())
            commands.create(self, staging.path)
            staging.publish()

    def _require_checkout(self, status: os.stat_result) -> None:
        from converge.host.fs.owners import owner_name

        if not os.path.lexists(f"{self.dest}/.git"):
            refuse_to_lose(self.dest, f"{self.dest} holds other things and is no checkout; move them away")
        uid = self._account()[0]
        if status.st_uid != (os.geteuid() if uid is None else uid):
            # What is in it could make git run programs, so it is left to its owner.
            owner = owner_name(status.st_uid)
            raise ResourceError(f'{self.dest} belongs to {owner}; say user="{owner}", or give it to whom it is to have')

    def _account(self) -> tuple[int | None, int | None]:
        """The user and group that the checkout is to have; NotYet where there is no such user."""
        from converge.host import process

        user = self.runs_as()
        if user is None:
            return None, None
        account = process.find_user(user)
        return account.pw_uid, account.pw_gid

    def runs_as(self) -> str | None:
        """The user that git runs as; None for converge itself.

        Where others could exchange a checkout while git is at work in it, git is not run as root, but as the owner of
        the place: its paths could lead it anywhere.
        """
        from converge.host.fs.owners import owner_name
        from converge.resources.staging import place_at

        if os.geteuid() != 0 or self.user not in (None, "root"):
            return self.user
        try:
            place = place_at(self.dest)
        except FileNotFoundError:
            return self.user
        if place.safe:
            return self.user
        folder = os.path.dirname(self.dest)
        if self.user is None and place.holder is not None and not (name := owner_name(place.holder)).startswith("uid "):
            return name
        whose = "others" if place.holder is None else owner_name(place.holder)
        raise ResourceError(
            f'{folder} can be written by {whose}, who could lead git to other places; say user="…" with a user that is '
            "not root, or choose a directory that only root can write"
        )

    def _shown(self, commit: str = "") -> str:
        revision = self.revision
        if commit in ("", revision):
            return revision[:12] if len(revision) >= 40 else revision
        return f"{revision} ({commit[:12]})"
