"""Regular files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from converge.resources.base import IN_SYNC, Adopted, Need, NotYet, PathChanged, State, Trigger, Uses, Verb
from converge.resources.file.batch import Batch
from converge.resources.file.content import SMALL, encoded
from converge.resources.file.edits import Append, Block, Edit, Line
from converge.resources.file.entry import Entry, judged, list_needs
from converge.resources.file.errors import shown
from converge.resources.file.quick import plainly_right

if TYPE_CHECKING:
    from typing import Self

_NO_VARS: Mapping[str, object] = MappingProxyType({})


def _no_vars() -> Mapping[str, object]:
    return _NO_VARS


@dataclass(frozen=True, slots=True)
class File(Entry):
    """A regular file.

    Its content comes from ``content``, ``source`` or ``template``, or is only edited with ``append``, ``line`` and
    ``block``. With none of these it must merely exist.
    """

    adoption = "by name"
    keeps_secret = frozenset({"content", "vars", "line", "block"})
    left_as_is = Entry.left_as_is | keeps_secret | {"mode", "acl", "source", "template", "validate"}
    either = Entry.either | {"backup", "sensitive"}
    beside_blueprint = frozenset({"source", "template"})
    new_mode: ClassVar[int] = 0o644

    _: KW_ONLY
    content: str | bytes | None = field(default=None, repr=False)
    """What is in it. Unset: left as it is; ``""`` empties it."""
    source: str | None = None
    """A file to copy, relative to the blueprint's own folder."""
    template: str | None = None
    """A Jinja2 template, relative to the blueprint's own folder."""
    vars: Mapping[str, object] = field(default_factory=_no_vars, hash=False, repr=False)
    """What the template may use."""
    append: bool = False
    """``content`` must only be somewhere in the file; otherwise it is added at the end."""
    line: str | Line | Sequence[str | Line] = field(default=(), hash=False, repr=False)
    """Lines that must be in the file."""
    block: str | Block | Sequence[str | Block] = field(default=(), hash=False, repr=False)
    """Marked blocks that must be in the file."""
    mode: int | None = None
    """Permissions, as ``0o644``. Unset: 0644 for a new file, otherwise left as they are.

    When owner or group change, an unset mode loses set-user-id, set-group-id and the write bits of group and others; in
    a directory that others may write it becomes 0644.
    """
    acl: Sequence[str] = field(default=(), hash=False)
    """Entries of its access list, as ``"user:www-data:r"`` or ``"group:adm:rw"``; needs ``mode``.

    With ``mode``, entries that are not declared are removed.
    """
    backup: bool = False
    """Keep a copy of what is replaced or removed."""
    validate: str | Sequence[str] | None = field(default=None, hash=False)
    """A command that must accept the new file, given as ``%s``, before it goes live.

    Without ``%s`` it tests the whole configuration with the new file in place.
    """
    sensitive: bool = False
    """Never show its content."""

    def edits(self) -> Sequence[Edit]:
        """The edits in the order in which they are made; none where the whole content is declared."""
        if self.append:
            return (Append(encoded(self.content or "").decode("utf-8", "surrogateescape")),)
        if not self.line and not self.block:
            return ()
        lines = (self.line,) if isinstance(self.line, str | Line) else self.line
        blocks = (self.block,) if isinstance(self.block, str | Block) else self.block
        return (
            *(Line(line) if isinstance(line, str) else line for line in lines),
            *(Block(block) if isinstance(block, str) else block for block in blocks),
        )

    def is_whole(self) -> bool:
        """Whether all of its content is declared."""
        return (self.content is not None and not self.append) or self.source is not None or self.template is not None

    def is_simple(self) -> bool:
        """Whether writing it takes so little that it goes together with its neighbours."""
        return (
            self.content is not None
            and not self.append
            and self.validate is None
            and not self.backup
            and self.state == "present"
            and len(self.content) <= SMALL
        )

    def mistakes(self) -> Iterator[str]:
        from converge.resources.file.mistakes import file_mistakes, plainly_right

        if plainly_right(self):
            return
        yield from Entry.mistakes(self)
        yield from file_mistakes(self)

    def default_entries(self) -> Sequence[str]:
        """Only directories have a default access list."""
        return ()

    def origin(self) -> str | None:
        """The file that its content is made from."""
        origin = self.template if self.source is None else self.source
        return None if origin is None else self.beside(origin)

    def check_beside(self) -> None:
        if self.template is not None:
            from converge.resources.file.template import render

            render(self.beside(self.template), self.vars, quiet=self.sensitive)
        elif self.source is not None and not os.path.exists(path := self.beside(self.source)):
            raise NotYet(f"the source {shown(path)} does not exist", f"file:{path}")

    def forbids(self, path: str) -> str | None:
        return Entry.forbids(self, path) or "is a file"

    def needs(self) -> Sequence[Need]:
        origin = self.origin()
        needs = Entry.needs(self)
        if self.acl:
            needs = [*needs, *list_needs(self.acl)]
        return needs if origin is None else [*needs, Uses("file:" + origin)]

    def triggers(self) -> Sequence[Trigger]:
        origin = self.origin()
        return (PathChanged(self.at),) if origin is None else (PathChanged(self.at), PathChanged(origin))

    def group_key(self, verb: Verb) -> str | None:
        if verb == "check":
            return "file"
        return self.folder() if self.is_simple() else None

    @classmethod
    def call_in_words(cls, verb: Verb, work: Sequence[tuple[Self, State]]) -> str | None:
        file = work[0][0]
        if verb == "check" or file.validate is None:
            return None
        from converge.process import words

        command = file.validate if isinstance(file.validate, str) else words.join(file.validate)
        return f"{words.shortened(command)} validates {file.id}"

    def compare(self, batch: Batch) -> State:
        from converge.resources.file.comparison import compare

        return compare(self, batch)

    def creation(self) -> State:
        from converge.resources.file.comparison import creation

        return creation(self)

    def unknown(self) -> State:
        from converge.resources.file.comparison import unknown

        return unknown(self)

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        from converge.resources.file.adoption import adopt_file

        return adopt_file(name)

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[State | Exception]:
        with Batch() as batch:
            for resource, right in zip(resources, plainly_right(resources, batch), strict=True):
                yield IN_SYNC if right else judged(resource, batch)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Self, State]]) -> Iterator[Exception | None]:
        from converge.resources.file.rewriting import rewrite

        with Batch() as batch:
            yield from rewrite(work, batch)

    @classmethod
    def tidy_many(cls, resources: Sequence[Self]) -> None:
        from converge.resources.file.tidying import tidy

        tidy([resource.at for resource in resources])
