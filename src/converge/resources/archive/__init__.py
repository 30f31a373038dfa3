"""``archive``: a directory that was unpacked from a tar or zip."""

from __future__ import annotations

import copy
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import NotYet, ResourceError
from converge.core.ownership import NOTHING, Ownership
from converge.core.resource import Inside, Need, Owned, OwnsTree, Resource, Uses
from converge.core.trigger import PathChanged, Trigger
from converge.core.urls import hide_credentials
from converge.host.fs.busy import refuse_to_lose
from converge.host.fs.paths import path_mistakes, tidy_path

if TYPE_CHECKING:
    from typing import Self

STAMP = ".converge-archive"
"""The file, in what was unpacked, that says what it was unpacked from."""
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Archive(Resource):
    """A directory that holds what is in an archive, unpacked once.

    The archive is a tar, also compressed by gzip, bzip2 or xz, or a zip. What it was unpacked from stands in a small
    file inside the directory, so that nothing needs to be remembered elsewhere. Single files are not guarded.
    """

    kind: ClassVar[str] = "archive"
    left_as_is = frozenset({"owner", "group", "checksum"})
    beside_blueprint = frozenset({"source"})
    platforms = ("linux",)

    dest: str
    """The directory: absolute, without ``..``. The one that it is in must exist."""
    source: str
    """The archive: a path (a relative one is in the blueprint's own folder), or ``https://…``."""
    _: KW_ONLY
    checksum: str | None = None
    """``sha256:…`` of the archive; for a download it must be given. Unset: that of the file as it is."""
    strip: int = 0
    """How many leading parts of each path to leave out."""
    owner: str | int | None = None
    """Whose all of it is. Unset: converge's own user."""
    group: str | int | None = None
    """Its group. Unset: converge's own."""
    replace: bool = False
    """Replace a directory that has other things in it, which are lost; not what another resource owns as a whole."""

    ownership: Ownership | None = field(init=False, repr=False, default=None)
    """What all resources own; None until :meth:`with_ownership` told."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dest", tidy_path(self.dest))
        Resource.__post_init__(self)  # super() does not work in a dataclass with slots

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.dest

    def mistakes(self) -> Iterator[str]:
        yield from path_mistakes(self.dest)
        if self.dest == "/":
            yield "nothing is unpacked in the place of the root directory"
        if not self.source or not self.source.isprintable():
            yield f"{self.source!r} is no archive; give a path, or https://…"
        elif "://" in self.source and not self._is_url():
            yield "archives are downloaded by https:// alone"
        if self._is_url() and self.checksum is None:
            yield 'a download needs a checksum, such as checksum="sha256:…", which says that it is the right one'
        if self.checksum is not None and not _CHECKSUM.fullmatch(self.checksum):
            yield "checksum takes sha256: and 64 hexadecimal digits in lower case"
        if self.strip < 0:
            yield f"strip takes 0 or more, not {self.strip}"

    def needs(self) -> Sequence[Need]:
        needs: list[Need] = [Uses(f"file:{self.dest}"), Inside(self.dest)]
        if not self._is_url():
            needs += [Uses(f"file:{self._path()}"), Inside(self._path())]
        needs += [Uses(f"user:{self.owner}")] if isinstance(self.owner, str) else []
        needs += [Uses(f"group:{self.group}")] if isinstance(self.group, str) else []
        return needs

    def owns(self) -> Iterable[Owned]:
        return (OwnsTree(self.dest, owner=self.owner is not None, group=self.group is not None, remade=True),)

    def with_ownership(self, ownership: Ownership) -> Archive:
        """The same archive, knowing what others own in the directory that it may have to replace."""
        known = copy.copy(self)
        object.__setattr__(known, "ownership", ownership)
        return known

    def triggers(self) -> Sequence[Trigger]:
        own = (PathChanged(self.dest), PathChanged(f"{self.dest}/{STAMP}"))
        return own if self._is_url() else (*own, PathChanged(self._path()))

    def needs_root(self) -> str | None:
        if os.geteuid() == 0:
            return None
        if self.owner is not None or self.group is not None:
            return "only root can give files to another owner or group"
        folder = os.path.dirname(self.dest)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        return None if os.access(folder, os.W_OK | os.X_OK) else f"{folder} cannot be written by uid {os.geteuid()}"

    # --- what it does -------------------------------------------------------------------------------------

    def check(self) -> Changes:
        from converge.resources.staging import look_at

        try:
            status = look_at(self.dest)
            wanted = self._wanted()
            if status is None:
                self._ids()  # they must exist by the time it is unpacked
                return self._creation()
            return self._compare(status, wanted)
        except NotYet as error:
            raise NotYet(str(error), error.needs, self._creation()) from error
        except PermissionError:
            return (Change("archive", f"unknown (not readable by uid {os.geteuid()})", self._shown(), "unknown"),)

    def _compare(self, status: os.stat_result, wanted: str) -> Changes:
        stamp = self._stamp()
        if stamp == {"sha256": wanted, "strip": self.strip}:
            return tuple(self._foreign(status)) or IN_SYNC
        if stamp is not None:
            self._require_replaceable()
            return (Change("archive", f"sha256:{str(stamp.get('sha256'))[:12]}…", self._shown(wanted)),)
        if not os.listdir(self.dest):
            return self._creation()
        if not self.replace:
            refuse_to_lose(
                self.dest,
                f"{self.dest} holds other things than this archive; move them away, or set replace=True to lose them",
            )
        self._require_replaceable()
        return (Change("archive", "other things", self._shown(wanted)),)

    def apply(self, state: Changes) -> None:
        if any(change.property == "archive" for change in state):
            self._unpack()
            return
        from converge.resources.staging import own_tree

        own_tree(self.dest, *self._ids())

    def _unpack(self) -> None:
        import json

        from converge.resources.archive.fetching import fetch
        from converge.resources.archive.unpacking import unpack
        from converge.resources.staging import Staging

        wanted = self._wanted()
        with Staging(self.dest) as staging:
            source = self.source if self._is_url() else self._path()
            with fetch(source, wanted, staging.inside, self.seconds()) as file:
                unpack(file, hide_credentials(self.source), staging.inside, self.strip)
            with open(f"{staging.inside}/{STAMP}", "x", encoding="utf-8") as stamp:
                json.dump({"sha256": wanted, "strip": self.strip}, stamp)
            staging.own(*self._ids())
            self._require_replaceable()  # it takes a while to get here
            staging.publish()

    @classmethod
    def tidy_many(cls, resources: Sequence[Self]) -> None:
        from converge.resources.staging import tidy_staged

        tidy_staged(resource.dest for resource in resources)

    def _require_replaceable(self) -> None:
        """Raises ResourceError where a home, a checkout or the like of another resource would be lost."""
        from converge.resources.file.kept import irreplaceable_below

        if claim := irreplaceable_below(self.dest, self.ownership or NOTHING, self.id):
            place = f" ({claim.where})" if claim.where.file else ""
            raise ResourceError(f"{self.dest} holds what {claim.id}{place} owns, so it is not replaced")

    # --- its parts ----------------------------------------------------------------------------------------

    def check_beside(self) -> None:
        if not self._is_url() and not os.path.exists(path := self._path()):
            raise NotYet(f"the archive {path} does not exist", f"file:{path}")

    def _is_url(self) -> bool:
        return self.source.startswith("https://")

    def _path(self) -> str:
        return os.path.abspath(os.path.join(os.path.dirname(self.where.file), self.source))

    def _wanted(self) -> str:
        """The checksum of what is to be unpacked."""
        from converge.resources.archive.fetching import digest_of

        return digest_of(self._path()) if self.checksum is None else self.checksum.removeprefix("sha256:")

    def _shown(self, digest: str = "") -> str:
        digest = digest or (self.checksum or "").removeprefix("sha256:")
        shown = hide_credentials(self.source)
        return f"{shown} (sha256:{digest[:12]}…)" if digest else shown

    def _stamp(self) -> dict[str, object] | None:
        """What is there was unpacked from; None where that is not known."""
        import json

        from converge.host.fs.dirfd import read_safely

        try:
            with open(read_safely(f"{self.dest}/{STAMP}"), "rb") as file:
                stamp = json.loads(file.read(1000))
        except (FileNotFoundError, ValueError):
            return None
        return stamp if isinstance(stamp, dict) else None

    def _ids(self) -> tuple[int | None, int | None]:
        from converge.host.fs.owners import Names

        names = Names()
        return (
            None if self.owner is None else names.uid(self.owner, self.dest),
            None if self.group is None else names.gid(self.group, self.dest),
        )

    def _creation(self) -> Changes:
        owners = (("owner", self.owner), ("group", self.group))
        declared = [Change(what, None, str(name), "create") for what, name in owners if name is not None]
        return (Change("archive", None, self._shown(), "create"), *declared)

    def _foreign(self, status: os.stat_result) -> Iterator[Change]:
        """Owner and group of the directory, where they are others."""
        from converge.host.fs.metadata import CARRIED, show_mode
        from converge.host.fs.owners import group_name, owner_name

        uid, gid = self._ids()
        if uid not in (None, status.st_uid):
            yield Change("owner", owner_name(status.st_uid), str(self.owner))
        if gid not in (None, status.st_gid):
            yield Change("group", group_name(status.st_gid), str(self.group))
        mode = stat.S_IMODE(status.st_mode)
        if (uid not in (None, status.st_uid) or gid not in (None, status.st_gid)) and mode & CARRIED:
            yield Change("mode", show_mode(mode), show_mode(mode & ~CARRIED))
