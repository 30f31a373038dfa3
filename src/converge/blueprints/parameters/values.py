"""Parameter values from outside: ``--set`` and values files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from converge.blueprints.parameters.converters import Text

if TYPE_CHECKING:
    from converge.host.trust import Trust


class Value(NamedTuple):
    """A value that comes from outside the blueprint."""

    value: object
    file: str
    line: int
    """Where it is written; a file of "" is the command line."""


def values_from(sets: Sequence[tuple[str, str]], file: str | None, trust: Trust | None = None) -> dict[str, Value]:
    """What ``--set`` and ``--values`` say; the former counts. Raises ConvergeError, with lines where it has them."""
    if file is not None and trust is not None:
        trust.require(file)
    values = dict(_from_file(file)) if file is not None else {}
    return values | {name: Value(Text(text), "", 0) for name, text in sets}


def _from_file(path: str) -> Iterator[tuple[str, Value]]:
    import tomllib

    from converge.core.errors import ConvergeError, Location, Mistake, Mistakes

    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as error:
        raise ConvergeError(f"the values in {path} cannot be read: {error.strerror}") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = Location(path, int(line[1]) if line else text.count("\n") + 1)
        raise Mistakes([Mistake(where, None, f"is not valid TOML: {error}")]) from error
    for name, value in table.items():
        found = re.search(rf"^\s*\[*\s*[\"']?{re.escape(name)}\b", text, re.MULTILINE)
        line_number = text.count("\n", 0, found.end()) + 1 if found else 0
        yield name, Value(value, path, line_number)
