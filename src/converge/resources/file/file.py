"""Regular files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import IN_SYNC, Changes, Verb
from converge.core.errors import NotYet
from converge.core.resource import Need, Uses
from converge.core.trigger import PathChanged, Trigger
from converge.host.fs import acl
from converge.host.fs.batch import Batch
from converge.host.fs.content import SMALL, encoded
from converge.host.fs.errors import shown
from converge.resources.file.check import surely_in_sync
from converge.resources.file.edits import Append, Block, Edit, Line
from converge.resources.file.entry import _DECIMAL, Entry, judged, list_needs, mode_mistakes
from converge.resources.file.validate_command import command_words

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
    adopter: ClassVar[str] = "converge.resources.file.adopt:adopt_file"
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
        if surely_valid(self):
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
    def call_in_words(cls, verb: Verb, work: Sequence[tuple[Self, Changes]]) -> str | None:
        file = work[0][0]
        if verb == "check" or file.validate is None:
            return None
        from converge.host.process import command_line

        command = file.validate if isinstance(file.validate, str) else command_line.join(file.validate)
        return f"{command_line.shortened(command)} validates {file.id}"

    def compare(self, batch: Batch) -> Changes:
        from converge.resources.file.check import compare

        return compare(self, batch)

    def creation(self) -> Changes:
        from converge.resources.file.check import creation

        return creation(self)

    def unknown(self) -> Changes:
        from converge.resources.file.check import unknown

        return unknown(self)

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[Changes | Exception]:
        with Batch() as batch:
            for resource, right in zip(resources, surely_in_sync(resources, batch), strict=True):
                yield IN_SYNC if right else judged(resource, batch)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Self, Changes]]) -> Iterator[Exception | None]:
        from converge.resources.file.apply import rewrite

        with Batch() as batch:
            yield from rewrite(work, batch)

    @classmethod
    def tidy_many(cls, resources: Sequence[Self]) -> None:
        from converge.resources.file.apply import tidy

        tidy([resource.at for resource in resources])


def surely_valid(file: File) -> bool:
    """Whether a file is of the commonest sort, whose few options are right. False means that a closer look is due."""
    path, mode, content = file.at, file.mode, file.content
    return (
        isinstance(content, str)
        and content.isascii()
        and path.isascii()
        and path[:1] == "/" != path
        and ".." not in path
        and "\0" not in path
        and (mode is None or (0 <= mode <= 0o7777 and mode not in _DECIMAL))
        and file.state == "present"
        and file.owner is file.group is file.source is file.template is file.validate is None
        and not (file.append or file.vars or file.line or file.block or file.acl)
    )


def file_mistakes(file: File) -> Iterator[str]:
    """Whatever is wrong with a file beyond its path and owner."""
    if file.at == "/":
        yield "the path / is a directory"
    yield from mode_mistakes(file.mode)
    yield from acl.mistakes("acl", file.acl, file.mode)
    yield from _origin_mistakes(file)
    yield from _absence_mistakes(file)
    yield from _edit_mistakes(file)
    yield from _validate_mistakes(file.validate)


def _origins(file: File) -> list[str]:
    named = {"content": file.content, "source": file.source, "template": file.template}
    return [name for name, value in named.items() if value is not None]


def _origin_mistakes(file: File) -> Iterator[str]:
    origins = _origins(file)
    if len(origins) > 1:
        yield f"{' and '.join(origins)} exclude one another; give one of them"
    if file.append and file.content is None:
        yield "append=True needs content=, the text that is to be in the file"
    if file.vars and file.template is None:
        yield "vars= has no meaning without template="
    for name, value in (("source", file.source), ("template", file.template)):
        if value == "":
            yield f"{name} is empty; give the path of a file"
    if isinstance(file.content, str):
        try:
            file.content.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            yield "content holds characters that cannot be written as UTF-8; give it as bytes"


def _absence_mistakes(file: File) -> Iterator[str]:
    if file.state != "absent":
        return
    given = {"mode": file.mode, "line": file.line or None, "block": file.block or None, "validate": file.validate}
    given["acl"] = file.acl or None
    names = [*_origins(file), *(name for name, value in given.items() if value is not None)]
    if names:
        yield f'with state="absent" the file goes away; leave out {", ".join(names)}'


def _edit_mistakes(file: File) -> Iterator[str]:
    if not file.line and not file.block:
        return
    if origins := _origins(file):
        yield f"line and block edit a file whose content is not declared; leave out {' and '.join(origins)}"
        return
    edits = file.edits()
    found = [mistake for edit in edits if not isinstance(edit, str) for mistake in _mistakes_of(edit)]
    yield from found
    if not found:
        yield from _conflicts(edits)


def _mistakes_of(edit: Edit) -> Iterator[str]:
    if isinstance(edit, Line | Block):
        yield from edit.mistakes()
    else:
        yield f"{edit!r} is neither text nor a Line or Block"


def _conflicts(edits: Sequence[Edit]) -> Iterator[str]:
    names = [edit.name for edit in edits if isinstance(edit, Block)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two blocks are both named {name!r}; give each its own name="
    lines = [edit for edit in edits if isinstance(edit, Line)]
    for line in lines:
        if line.state == "present":
            for other in lines:
                if other is not line and other.takes(line.text):
                    yield f"the lines {line.text!r} and {other.text!r} cannot both hold: the second undoes the first"


def _validate_mistakes(command: str | Sequence[str] | None) -> Iterator[str]:
    if command is None:
        return
    try:
        words = command_words(command)
    except ValueError as error:
        yield f"validate={command!r} cannot be taken apart into words: {error}"
        return
    if not words:
        yield f"validate={command!r} names no program"
    elif "%s" in words[0]:
        yield "validate begins with %s; begin with the program that checks the file"
