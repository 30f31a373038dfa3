"""``mount``: what is mounted where, now and after the next boot."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from converge.core.change import IN_SYNC, Change, Changes, Verb
from converge.core.resource import Inside, Need, Owned, OwnsPath, OwnsTree, Resource, Uses
from converge.core.trigger import MountsChanged, PathChanged, Trigger
from converge.host.fs.paths import path_mistakes, tidy_path

if TYPE_CHECKING:
    from typing import Self

    from converge.host.mountinfo import Table
    from converge.resources.mount.fstab import Entry

MountState: TypeAlias = Literal["mounted", "unmounted", "absent"]

_HELPERS = {"nfs": ("nfs-common", "nfs-utils"), "nfs4": ("nfs-common", "nfs-utils"), "cifs": ("cifs-utils",),
            "fuse.sshfs": ("sshfs",), "xfs": ("xfsprogs",), "btrfs": ("btrfs-progs",)}  # fmt: skip
"""Packages that bring what mounts a type of file system."""
_REPLACING = frozenset(("mounted", "source", "fstype"))
"""Properties that only change by mounting it."""


@dataclass(frozen=True, slots=True)
class Mount(Resource):
    """A file system at a mount point, live and in ``/etc/fstab``.

    ``state="mounted"``: it is mounted now, and has its line in fstab. ``"unmounted"``: nothing is mounted there now;
    fstab is left alone. ``"absent"``: nothing is mounted there, and fstab has no line for it.
    """

    kind: ClassVar[str] = "mount"
    platforms = ("linux",)
    adoption = "by name"
    adopter: ClassVar[str] = "converge.resources.mount.adopt:adopt_mount"

    path: str
    """The mount point: absolute, and free of symbolic links."""
    source: str | None = None
    """What is mounted: a device, ``LABEL=…``, ``UUID=…``, ``server:/path``, an image file, or with the option ``bind``
    a directory. Unset: the word that ``fstype`` is, as for ``tmpfs``."""
    fstype: str | None = None
    """The type of file system. Unset: found out by mount."""
    options: str = field(default="defaults", repr=False)
    """Options as in fstab."""
    _: KW_ONLY
    state: MountState = "mounted"
    """Whether it is mounted, not mounted, or neither mounted nor in fstab."""
    persist: bool = True
    """Keep a line in ``/etc/fstab`` too."""
    dump: int = 0
    """The fifth field of fstab."""
    passno: int = 0
    """The sixth field of fstab: the turn in which it is checked at boot; 0 is never."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", tidy_path(self.path))
        Resource.__post_init__(self)  # super() does not work in a dataclass with slots

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.path

    def device(self) -> str:
        """What is mounted."""
        return self.source or self.fstype or ""

    def mistakes(self) -> Iterator[str]:
        yield from path_mistakes(self.path)
        if self.is_removal():
            yield from self._needless()
            return
        from converge.resources.mount.options import is_bind, split

        if self.source is None and self.fstype is None:
            yield 'source is missing: say what is mounted, or fstype="tmpfs" for memory'
        for option, text in (("source", self.source), ("fstype", self.fstype), ("options", self.options)):
            if text is not None and not (text and text.isprintable() and (option == "source" or " " not in text)):
                yield f"{option} is empty, or has characters that cannot stand in fstab"
        given = split(self.options)
        if "remount" in given:
            yield "options has remount, which is nothing to be; leave it out: what differs is remounted by itself"
        if is_bind(self.options) and not (self.source or "").startswith("/"):
            yield "a bind mount shows another directory; give its full path as source"
        if self.fstype == "swap":
            yield "swap space is not mounted; fstype takes a file system"
        if min(self.dump, self.passno) < 0:
            yield "dump and passno take 0 or more"

    def _needless(self) -> Iterator[str]:
        given = [name for name in ("source", "fstype") if getattr(self, name) is not None]
        given += [name for name in ("dump", "passno") if getattr(self, name)]
        given += [] if self.options == "defaults" else ["options"]
        given += [] if self.persist else ["persist"]
        if given:
            yield f'with state="{self.state}" there is nothing to mount; leave out {" and ".join(given)}'
        if self.path == "/":
            yield "the root file system cannot be taken away"

    def is_removal(self) -> bool:
        return self.state != "mounted"

    def forbids(self, path: str) -> str | None:
        del path  # a directory that nothing is mounted on is still a directory
        return None

    def needs(self) -> Sequence[Need]:
        needs: list[Need] = [Uses(f"file:{self.path}"), Inside(self.path)]
        source = self.device()
        if source.startswith("/") and not source.startswith("/dev/"):
            needs += [Uses(f"file:{source}"), Inside(source)]
        return [*needs, *(Uses(f"package:{name}") for name in _HELPERS.get(self.fstype or "", ()))]

    def owns(self) -> Iterable[Owned]:
        from converge.resources.mount.fstab import FSTAB

        if not self.is_removal():
            yield OwnsTree(self.path, open=True)
            if self.persist:
                yield OwnsPath(FSTAB)

    def triggers(self) -> Sequence[Trigger]:
        from converge.resources.mount.fstab import FSTAB

        news = MountsChanged(self.path)
        return (news, PathChanged(FSTAB)) if self._minds_fstab() else (news,)

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "only root can mount file systems"

    def group_key(self, verb: Verb) -> str | None:
        return "mount" if verb == "check" else None

    # --- what it does -------------------------------------------------------------------------------------

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[Changes | Exception]:
        from converge.host.fs.atomic import read_text
        from converge.host.mountinfo import read_table
        from converge.resources.mount.fstab import FSTAB

        table, fstab = read_table(), read_text(FSTAB) or ""
        for resource in resources:
            try:
                yield resource._compare(table, fstab)
            except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
                yield error

    def apply(self, state: Changes) -> None:
        from converge.resources.mount import fstab, live

        differs = {change.property for change in state}
        if self.is_removal():
            if "mounted" in differs:
                live.unmount(self)
            if "fstab" in differs:
                fstab.remove(self.path)
        else:
            if not differs.isdisjoint(_REPLACING):
                live.mount(self)
            elif differs - {"fstab"}:
                live.remount(self)
            # What cannot be mounted must not stop the next boot, so this comes last.
            if "fstab" in differs:
                fstab.put(self._entry())
        if "fstab" in differs:
            _tell_systemd()

    def _compare(self, table: Table, fstab: str) -> Changes:
        from converge.resources.mount.live import differences, require_place

        changes = (*differences(self, table), *self._fstab_changes(fstab))
        if not self.is_removal() and any(change.property in _REPLACING for change in changes):
            require_place(self, changes)
        return changes or IN_SYNC

    def _fstab_changes(self, text: str) -> Iterator[Change]:
        from converge.resources.mount.fstab import entries
        from converge.resources.mount.options import masked

        if not self._minds_fstab():
            return
        there = entries(text, self.path)
        now = masked("; ".join(entry.line() for entry in there)) or None
        if self.is_removal():
            if there:
                yield Change("fstab", now, None, "remove")
            return
        wanted = self._entry()
        if len(there) != 1 or not there[0].means(wanted):
            yield Change("fstab", now, masked(wanted.line()), "update" if there else "create")

    def _minds_fstab(self) -> bool:
        return self.state == "absent" or (self.state == "mounted" and self.persist)

    def _entry(self) -> Entry:
        from converge.resources.mount.fstab import Entry
        from converge.resources.mount.options import is_bind

        fstype = self.fstype or ("none" if is_bind(self.options) else "auto")
        return Entry(self.device(), self.path, fstype, self.options, self.dump, self.passno)


def _tell_systemd() -> None:
    """It makes units of fstab, and acts upon what it read last: a stale one may unmount what was just mounted."""
    from converge.host import process

    if os.path.isdir("/run/systemd/system"):
        process.run(["systemctl", "daemon-reload"], timeout=60.0)
