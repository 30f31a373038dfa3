"""Splits a command line into words, and finds syntax that only a shell would interpret."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from converge.core.urls import hide_credentials

_NAMED_BY = 80

_ONLY_A_SHELL = frozenset("|><&;$`*?()\n")
_ALSO_IN_DOUBLE_QUOTES = frozenset("$`")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def split(line: str) -> list[str]:
    """The words of ``line``, by a shell's rules for quotes. Raises ValueError where a quote is not closed."""
    return shlex.split(line)


def join(argv: Sequence[str]) -> str:
    """The line that :func:`split` would split into ``argv``."""
    return shlex.join(argv)


def shortened(line: str) -> str:
    """The beginning of ``line``, to name it by."""
    line = hide_credentials(line)  # half of one would not be known for one any more
    beginning = line.partition("\n")[0][:_NAMED_BY]
    return beginning if beginning == line else f"{beginning}..."


def mistake(line: str) -> str | None:
    """Why ``line`` cannot be run without a shell, as the end of a sentence that begins with what ``line`` is."""
    if match := _ASSIGNMENT.match(line.lstrip()):
        return f"begins with {match[0]}, which only a shell understands; use env=, or set shell=True"
    if syntax := _shell_syntax(line):
        return f"has an unquoted {syntax!r}, which only a shell understands; set shell=True, or give a list"
    try:
        split(line)
    except ValueError as error:
        return f"cannot be split into words: {str(error).lower()}"
    return None


def can_be_given(text: str) -> bool:
    """Whether the system can hand this text to a program as an argument, a variable or a path."""
    return "\0" not in text and can_be_encoded(text)


def can_be_encoded(text: str) -> bool:
    """Whether this text stands for bytes, also such as are no UTF-8."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _shell_syntax(line: str) -> str | None:
    quote = ""
    previous = " "
    characters = iter(line)
    for character in characters:
        if quote:
            if character == quote:
                quote = ""
            elif quote == '"' and character in _ALSO_IN_DOUBLE_QUOTES:
                return character
            elif quote == '"' and character == "\\":
                next(characters, "")
        elif character in "'\"":
            quote = character
        elif character == "\\":
            next(characters, "")
        elif character in _ONLY_A_SHELL or (character == "~" and previous.isspace()):
            return character
        previous = character
    return None
