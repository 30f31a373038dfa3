"""Edits to a part of a file: single lines, marked blocks, appended text.

Text is taken as UTF-8 with undecodable bytes escaped, which gives every other byte back as it was. Lines end
where the file's own lines end, with LF or CRLF. A byte order mark stays, and is no part of the first line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final, Literal, TypeAlias

from converge.core.errors import ResourceError
from converge.resources.file.patterns import is_found, pattern_mistake

Presence: TypeAlias = Literal["present", "absent"]
_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file.

    Where ``match`` finds lines, the last of them becomes ``text``. Otherwise the line is put after the last line
    that ``after`` finds, or before the last one that ``before`` finds (or at ``"BOF"``), or at the end.
    Two lines with the same text and different places are two lines: each is looked for from its place to the next.
    With ``state="absent"``, all lines that equal ``text`` or that ``match`` finds are removed.
    """

    text: str
    _: KW_ONLY
    match: str | None = None
    after: str | None = None
    before: str | None = None
    state: Presence = "present"

    def mistakes(self) -> Iterator[str]:
        """Whatever is wrong with it."""
        if "\n" in self.text or "\r" in self.text:
            yield "a line cannot hold a line break; use block= for several lines"
        yield from _place_mistakes("line", self.after, self.before, self.match)
        if self.state == "absent" and (self.after or self.before):
            yield 'a line with state="absent" takes no after= or before='

    def edit(self, lines: list[str], eol: str) -> list[str]:
        """The lines as they should be."""
        if self.state == "absent":
            return [line for line in lines if not self._hits(line)]
        at = self._place(lines, range(len(lines)))
        if at is None:
            return _insert(lines, [self.text], eol, self.after, self.before)
        return self._put(lines, at, eol)

    def edit_among(self, twins: Sequence[Line], lines: list[str], eol: str) -> list[str]:
        """The lines as they should be, where others have the same text in other places: each has its own."""
        at = _shared_out(twins, lines)[self.after, self.before]
        if at is None:
            return _insert(lines, [self.text], eol, self.after, self.before)
        return self._put(lines, at, eol)

    def _put(self, lines: list[str], at: int, eol: str) -> list[str]:
        end = lines[at][len(body(lines[at])) :]
        if not self.text and not end:
            end = eol  # an empty line is nothing but its end
        return [*lines[:at], self.text + end, *lines[at + 1 :]]

    def takes(self, text: str) -> bool:
        """Whether it would remove or rewrite a line with this text that somebody else wants."""
        if self.state == "absent":
            return self._hits(text)
        return self.match is not None and text != self.text and _found(self.match, text)

    def _hits(self, line: str) -> bool:
        return body(line) == self.text or (self.match is not None and _found(self.match, line))

    def _place(self, lines: list[str], among: Sequence[int]) -> int | None:
        """The line, of these, that is, or is to become, this one."""
        if self.match is not None:
            settles = _found(self.match, self.text)
            # A text that its own regex does not find would replace one more line each time.
            if settles or not any(body(lines[at]) == self.text for at in among):
                found = next((at for at in reversed(among) if _found(self.match, lines[at])), None)
                if found is not None:
                    return found
        return next((at for at in among if body(lines[at]) == self.text), None)

    def _anchor(self, lines: list[str]) -> int | None:
        """The line that this one goes after or before; -1 before the first, None where there is none."""
        if self.before == "BOF":
            return -1
        regex = self._regex()
        return None if regex is None else _last(regex, lines)

    def _regex(self) -> str | None:
        """What finds the line that this one goes after or before."""
        return next((regex for regex in (self.after, self.before) if regex not in (None, "EOF", "BOF")), None)

    def _reach(self, lines: list[str], twins: Sequence[Line]) -> Sequence[int]:
        """Where it may be: from the line that it goes after to the next that one of the others goes by."""
        at = self._anchor(lines)
        if at is None:
            return range(len(lines))
        others = {regex for twin in twins if (regex := twin._regex()) not in (None, self._regex())}
        ends = [i for i, line in enumerate(lines)
                if body(line) != self.text and any(_found(regex, line) for regex in others if regex)]  # fmt: skip
        if self._regex() is not None and self.before is not None:
            return range(max((end + 1 for end in ends if end < at), default=0), at)
        return range(at + 1, min((end for end in ends if end > at), default=len(lines)))


def _twins(edits: Sequence[Edit]) -> Mapping[str, Sequence[Line]]:
    """By their text, lines that are declared for more than one place."""
    by_text: dict[str, dict[tuple[str | None, str | None], Line]] = {}
    for edit in edits:
        if isinstance(edit, Line) and edit.state == "present":
            by_text.setdefault(edit.text, {})[edit.after, edit.before] = edit
    return {text: list(lines.values()) for text, lines in by_text.items() if len(lines) > 1}


def _shared_out(twins: Sequence[Line], lines: list[str]) -> Mapping[tuple[str | None, str | None], int | None]:
    """Which line is whose, by their places. Those that go by another line choose first."""
    found: dict[tuple[str | None, str | None], int | None] = {}
    for twin in sorted(twins, key=lambda twin: twin._anchor(lines) is None):
        free = [at for at in twin._reach(lines, twins) if at not in found.values()]
        found[twin.after, twin.before] = twin._place(lines, free)
    return found


@dataclass(frozen=True, slots=True)
class Block:
    """Lines between two marker lines, ``# BEGIN name`` and ``# END name``, which converge keeps as they are declared.

    A block that is missing is put after the last line that ``after`` finds, or before the last one that ``before``
    finds (or at ``"BOF"``), or at the end.
    """

    text: str
    _: KW_ONLY
    name: str = "converge"
    comment: str = "#"
    after: str | None = None
    before: str | None = None
    state: Presence = "present"

    def mistakes(self) -> Iterator[str]:
        """Whatever is wrong with it."""
        if any(c in self.name + self.comment for c in "\r\n"):
            yield "the name and the comment of a block cannot hold a line break"
        if {self._begin(), self._end()} & set(self._text()):
            yield f"the text of the block {self.name!r} holds its own marker line; give it another name="
        yield from _place_mistakes("block", self.after, self.before)

    def edit(self, lines: list[str], eol: str) -> list[str]:
        """The lines as they should be."""
        kept, place, last_eol = self._without(lines)
        if self.state == "absent":
            return kept
        block = [self._begin(), *self._text(), self._end()]
        if place is None:
            return _insert(kept, block, eol, self.after, self.before)
        now = [*kept[:place], *(line + eol for line in block[:-1]), block[-1] + last_eol, *kept[place:]]
        right = list(map(body, now)) == list(map(body, lines))
        return lines if right else now  # what says the same stays, however its lines end

    def _without(self, lines: list[str]) -> tuple[list[str], int | None, str]:
        """The lines outside of the block, where its first copy was, and how that one's last line ended."""
        kept: list[str] = []
        place, last_eol, inside = None, "", False
        for line in lines:
            text = body(line)
            if text == self._begin() and not inside:
                inside = True
                place = len(kept) if place is None else place
            elif text == self._end() and inside:
                inside = False
                last_eol = last_eol or line[len(text) :]
            elif not inside:
                kept.append(line)
        if inside:
            raise ResourceError(f"the block {self.name!r} has its line {self._begin()!r} but no {self._end()!r}")
        if place is not None and place < len(kept):
            last_eol = last_eol or "\n"
        return kept, place, last_eol

    def _begin(self) -> str:
        return f"{self.comment} BEGIN {self.name}"

    def _end(self) -> str:
        return f"{self.comment} END {self.name}"

    def _text(self) -> list[str]:
        return [body(line) for line in split(self.text)]


@dataclass(frozen=True, slots=True)
class Append:
    """Text that is somewhere in the file, as whole lines; otherwise it is added at the end."""

    text: str
    state: Presence = "present"

    def edit(self, lines: list[str], eol: str) -> list[str]:
        """The lines as they should be."""
        wanted = [body(line) for line in split(self.text)]
        have = "\n".join(["", *map(body, lines), ""])
        if not wanted or "\n".join(["", *wanted, ""]) in have:
            return lines
        return _insert(lines, wanted, eol, None, None)


Edit: TypeAlias = Line | Block | Append


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The file's content after the edits. Doing it once more would change nothing."""
    once = _run(data, edits)
    if once != data and _run(once, edits) != once:
        raise ResourceError("the edits undo each other: done twice they give another result than done once")
    return once


def _run(data: bytes, edits: Sequence[Edit]) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    bom = _BOM if text.startswith(_BOM) else ""
    lines = split(text.removeprefix(bom))
    eol = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    twins = _twins(edits)
    for edit in edits:
        if isinstance(edit, Line) and edit.state == "present" and edit.text in twins:
            lines = edit.edit_among(twins[edit.text], lines, eol)
        else:
            lines = edit.edit(lines, eol)
    return "".join((bom, *lines)).encode("utf-8", "surrogateescape")


def split(text: str) -> list[str]:
    """Lines with their ends. Only LF ends a line, so that no other character of the file is lost."""
    lines = text.split("\n")
    last = lines.pop()
    result = [line + "\n" for line in lines]
    return [*result, last] if last else result


def body(line: str) -> str:
    """A line without its end."""
    if line.endswith("\r\n"):
        return line[:-2]
    return line[:-1] if line.endswith("\n") else line


def _found(regex: str, line: str) -> bool:
    return is_found(regex, body(line))


def _has(lines: list[str], text: str) -> bool:
    return any(body(line) == text for line in lines)


def _last(regex: str, lines: list[str]) -> int | None:
    return next((i for i in range(len(lines) - 1, -1, -1) if _found(regex, lines[i])), None)


def _insert(lines: list[str], new: list[str], eol: str, after: str | None, before: str | None) -> list[str]:
    at = len(lines)
    if before == "BOF":
        at = 0
    elif before is not None and (found := _last(before, lines)) is not None:
        at = found
    elif after is not None and after != "EOF" and (found := _last(after, lines)) is not None:
        at = found + 1
    head = lines[:at]
    if head and not head[-1].endswith("\n"):
        head[-1] += eol
    return [*head, *(line + eol for line in new), *lines[at:]]


def _place_mistakes(what: str, after: str | None, before: str | None, match: str | None = None) -> Iterator[str]:
    if after is not None and before is not None:
        yield f"a {what} goes either after= or before= another line, not both"
    for name, regex in (("match", match), ("after", after), ("before", before)):
        if regex is not None and (why := pattern_mistake(regex)):
            yield f"{name}={regex!r} {why}"
