"""What a file, a directory and a symbolic link have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from converge.core.change import Change, Changes, Verb
from converge.core.errors import NotYet, ResourceError
from converge.core.resource import Inside, Need, Owned, OwnsPath, Resource, Uses
from converge.core.trigger import PathChanged, Trigger
from converge.host.fs.batch import Batch
from converge.host.fs.errors import explain, shown
from converge.host.fs.owners import me
from converge.host.fs.paths import PathLike, as_text, path_mistakes, tidy_path
from converge.resources.file.ownership import foretold_ownership

if TYPE_CHECKING:
    from typing import Self
Presence: TypeAlias = Literal["present", "absent"]


@dataclass(frozen=True, slots=True)
class Entry(Resource):
    """A name in a directory."""

    kind: ClassVar[str] = "file"
    left_as_is: ClassVar[frozenset[str]] = frozenset({"owner", "group"})
    either: ClassVar[frozenset[str]] = frozenset({"parents"})

    path: PathLike
    """Where it is: absolute, without ``..``."""
    _: KW_ONLY
    owner: str | int | None = None
    """Owner, as a name or uid. Unset: unchanged."""
    group: str | int | None = None
    """Its group. Unset: unchanged."""
    state: Presence = "present"
    """Whether it is to be there, or to be taken away."""
    parents: bool = False
    """Make directories on the way that are missing, with mode 0755."""

    at: str = field(init=False, compare=False, repr=False, default="")
    """``path`` as text, without needless slashes."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        path = self.path
        if type(path) is not str or "//" in path or "/." in path or path[-1:] == "/":
            path = tidy_path(as_text(path))
            put(self, "path", path)
        put(self, "at", path)
        put(self, "id", "file:" + path)

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.at

    def folder(self) -> str:
        """The directory it is in."""
        return self.at.rpartition("/")[0] or "/"

    def name(self) -> str:
        """Its name there."""
        return self.at.rpartition("/")[2]

    def beside(self, path: str) -> str:
        """A path that is relative to the blueprint's own folder."""
        return os.path.abspath(os.path.join(os.path.dirname(self.where.file), path))

    def mistakes(self) -> Iterator[str]:
        yield from path_mistakes(self.at)
        for what, value in (("owner", self.owner), ("group", self.group)):
            if isinstance(value, bool) or value == "" or (isinstance(value, int) and not 0 <= value < 2**32 - 1):
                yield f"{what}={value!r} is no {what}; give a name or a number"
        if self.state == "absent" and (self.owner is not None or self.group is not None):
            yield 'with state="absent" there is nothing to own; leave out owner and group'
        if self.state == "absent" and self.parents:
            yield 'parents=True has no meaning with state="absent"'

    def is_removal(self) -> bool:
        return self.state == "absent"

    def needs(self) -> Sequence[Need]:
        found: list[Need] = [Inside(self.at)]
        if isinstance(self.owner, str):
            found.append(Uses("user:" + self.owner))
        if isinstance(self.group, str):
            found.append(Uses("group:" + self.group))
        return found

    def owns(self) -> Iterable[Owned]:
        return (OwnsPath(self.at, self.owner is not None, self.group is not None, user=self.owner),)

    def triggers(self) -> Sequence[Trigger]:
        return (PathChanged(self.at),)

    def needs_root(self) -> str | None:
        if os.geteuid() == 0:
            return None
        from converge.resources.file.privilege import needs_root

        return needs_root(self)

    def group_key(self, verb: Verb) -> str | None:
        """Checks all go together; what may be applied together differs."""
        return "file" if verb == "check" else None

    # --- what it does -------------------------------------------------------------------------------------

    def compare(self, batch: Batch) -> Changes:
        """All that differs."""
        raise NotImplementedError

    def creation(self) -> Changes:
        """What making it anew comes to. Looks up no owner and no group: they may come later."""
        raise NotImplementedError

    def converge(self, state: Changes, batch: Batch) -> None:
        """Put right what ``state`` says."""
        raise NotImplementedError

    def unknown(self) -> Changes:
        """What to report where we may not look."""
        return (Change("state", f"unknown (not readable by {me()})", self.state, "unknown"),)

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[Changes | Exception]:
        with Batch() as batch:
            for resource in resources:
                yield judged(resource, batch)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Self, Changes]]) -> Iterator[Exception | None]:
        with Batch() as batch:
            for resource, state in work:
                try:
                    refuse_unknown(resource, state)
                    resource.converge(state, batch)
                    yield None
                except OSError as error:
                    yield explain(error, resource.at)
                except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
                    yield error


def list_needs(*lists: Sequence[str]) -> Iterator[Need]:
    """The users and groups that access lists name."""
    from converge.host.fs.acl import named

    return (Uses(id) for entries in lists for id in named(entries))


def judged(entry: Entry, batch: Batch) -> Changes | Exception:
    """The result of one check."""
    try:
        return _seen(entry, batch)
    except NotYet as error:
        return NotYet(str(error), error.needs, _foretold(entry, batch))
    except OSError as error:
        return explain(error, entry.at)
    except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
        return error


def _foretold(entry: Entry, batch: Batch) -> Changes:
    """What would be done once all is there that it stands on. Empty where that cannot be told yet."""
    try:
        folder = batch.directories.open(entry.folder())
        os.stat(entry.name(), dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        try:
            return entry.creation()
        except NotYet:
            return (Change("content", None, None, "create"),)  # what will be in it depends on what is yet to come
    except (OSError, ResourceError):
        return ()
    return tuple(foretold_ownership(entry, "update"))


def _seen(entry: Entry, batch: Batch) -> Changes:
    try:
        return entry.compare(batch)
    except PermissionError:
        return entry.unknown()


def refuse_unknown(entry: Entry, state: Changes) -> None:
    """What could not be read cannot be put right."""
    if any(change.action == "unknown" for change in state):
        raise ResourceError(f"{shown(entry.at)}: permission denied for {me()}, so its state is unknown")


_DECIMAL = {440, 444, 500, 550, 555, 600, 640, 644, 660, 664, 666, 700, 710, 711, 750, 751, 755, 770, 771, 775, 777}
"""Numbers that are common modes when read as octal, and hardly any when taken as they are."""


def mode_mistakes(mode: object) -> Iterator[str]:
    """Whatever is wrong with permissions."""
    if mode is None:
        return
    if isinstance(mode, str):
        digits = mode.removeprefix("0o").lstrip("0") or "0"
        yield (
            f"mode={mode!r} is text; write 0o{digits}" if digits.isdecimal() else f"mode={mode!r} is text; write 0o644"
        )
    elif isinstance(mode, bool) or not isinstance(mode, int):
        yield f"mode={mode!r} is no mode; write it as 0o644"
    elif mode in _DECIMAL or (mode > 0o7777 and set(str(mode)) <= set("01234567") and len(str(mode)) == 4):
        yield f"mode={mode} looks like octal digits without their 0o; write 0o{mode}"
    elif not 0 <= mode <= 0o7777:
        yield f"mode={mode} is out of range; a mode lies between 0 and 0o7777"
