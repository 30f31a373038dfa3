"""What can be wrong with the declaration of a file, whatever the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from converge.resources.file import acl
from converge.resources.file.edits import Block, Edit, Line
from converge.resources.file.validation import command_words

if TYPE_CHECKING:
    from converge.resources.file.regular import File

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


def plainly_right(file: File) -> bool:
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
