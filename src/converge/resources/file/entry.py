"""What a file, a directory and a symbolic link have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from converge.resources.base import (
    Change,
    Inside,
    Need,
    NotYet,
    Owned,
    OwnsPath,
    PathChanged,
    Resource,
    ResourceError,
    State,
    Trigger,
    Uses,
    Verb,
)
from converge.resources.file.batch import Batch
from converge.resources.file.errors import explain, shown
from converge.resources.file.names import me
from converge.resources.file.ownership import foretold_ownership

if TYPE_CHECKING:
    from typing import Self

PathLike: TypeAlias = str | bytes | os.PathLike[str]
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
    """Whose it is. Unset: left as it is."""
    group: str | int | None = None
    """Its group. Unset: left as it is."""
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

    def absent(self) -> bool:
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

    def why_root(self) -> str | None:
        if os.geteuid() == 0:
            return None
        from converge.resources.file.privilege import why_root

        return why_root(self)

    def group_key(self, verb: Verb) -> str | None:
        """Checks all go together; what may be applied together differs."""
        return "file" if verb == "check" else None

    # --- what it does -------------------------------------------------------------------------------------

    def compare(self, batch: Batch) -> State:
        """All that differs."""
        raise NotImplementedError

    def creation(self) -> State:
        """What making it anew comes to. Looks up no owner and no group: they may come later."""
        raise NotImplementedError

    def converge(self, state: State, batch: Batch) -> None:
        """Put right what ``state`` says."""
        raise NotImplementedError

    def unknown(self) -> State:
        """What to report where we may not look."""
        return (Change("state", f"unknown (not readable by {me()})", self.state, "unknown"),)

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[State | Exception]:
        with Batch() as batch:
            for resource in resources:
                yield judged(resource, batch)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Self, State]]) -> Iterator[Exception | None]:
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
    from converge.resources.file.acl import named

    return (Uses(id) for entries in lists for id in named(entries))


def judged(entry: Entry, batch: Batch) -> State | Exception:
    """The result of one check."""
    try:
        return _seen(entry, batch)
    except NotYet as error:
        return NotYet(str(error), error.needs, _foretold(entry, batch))
    except OSError as error:
        return explain(error, entry.at)
    except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
        return error


def _foretold(entry: Entry, batch: Batch) -> State:
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


def _seen(entry: Entry, batch: Batch) -> State:
    try:
        return entry.compare(batch)
    except PermissionError:
        return entry.unknown()


def refuse_unknown(entry: Entry, state: State) -> None:
    """What could not be read cannot be put right."""
    if any(change.action == "unknown" for change in state):
        raise ResourceError(f"{shown(entry.at)}: permission denied for {me()}, so its state is unknown")


# --- paths ------------------------------------------------------------------------------------------------


def as_text(path: object) -> str:
    """A path as text, where undecodable bytes are escaped. Anything that is no path is left for mistakes()."""
    if isinstance(path, str | bytes | os.PathLike):
        return os.fsdecode(path)
    return repr(path)


def tidy_path(path: str) -> str:
    """The same path without ``.``, empty names and a slash at its end."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def path_mistakes(path: str) -> Iterator[str]:
    """Whatever is wrong with a path."""
    if not path.startswith("/"):
        yield f"the path {shown(path)!r} is not absolute; begin it with /"
    if ".." in path.split("/"):
        yield f"the path {shown(path)} holds ..; write out where it leads"
    if "\0" in path:
        yield f"the path {shown(path)} holds a zero byte"
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        yield f"the path {path!r} cannot be written in the encoding of the file system"
