"""Renders declarations as Python source, leaving out options at their defaults."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from converge.core.resource import Resource

_WIDTH = 88
"""Columns of a line, as formatters of Python have it."""
_MODE = "mode"


def declaration(resource: Resource, method: str, indent: str = "    ") -> list[str]:
    """The lines that declare it; ``method`` is that of Run."""
    first, *others = _options(resource)
    given = [_value(*first), *(f"{name}={_value(name, value)}" for name, value in others)]
    line = f"{indent}r.{method}({', '.join(given)})"
    if len(line) <= _WIDTH:
        return [line]
    inner = f"{indent}    "
    lines = [f"{indent}r.{method}("]
    for (name, value), text in zip((first, *others), given, strict=True):
        if isinstance(value, str) and len(inner + text) >= _WIDTH and "\n" in value[:-1]:
            lines += [f"{inner}{name}=(", *(f"{inner}    {quoted(part)}" for part in _parts(value)), f"{inner}),"]
        else:
            lines.append(f"{inner}{text},")
    return [*lines, f"{indent})"]


def comment(text: str, indent: str = "    ") -> list[str]:
    """The text as a comment, in lines that are not too long."""
    import textwrap

    plain = "".join(char if char.isprintable() else quoted(char)[1:-1] for char in text)
    return textwrap.wrap(plain, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def whole(lines: Sequence[str], name: str, description: str) -> str:
    """A blueprint with these lines in it."""
    head = (
        "from __future__ import annotations", "", "from converge import Run, blueprint", "", "",
        f"@blueprint({quoted(name)}, {quoted(description)})", f"def {name}(r: Run) -> None:",
    )  # fmt: skip
    return "\n".join((*head, *lines, ""))


def quoted(text: str) -> str:
    """The text as a literal of Python, whatever is in it, on one line and without what a terminal obeys."""
    quote = "'" if '"' in text and "'" not in text else '"'
    plain = (char if char.isprintable() and char not in ("\\", quote) else _escaped(char) for char in text)
    return f"{quote}{''.join(plain)}{quote}"


def _escaped(char: str) -> str:
    if char in ("\\", '"', "'"):
        return f"\\{char}"
    return char.encode("unicode_escape", "surrogatepass").decode()


def _options(resource: Resource) -> Iterator[tuple[str, object]]:
    """What has to be said, by the name of the option, in the order of the constructor."""
    common = {field.name for field in dataclasses.fields(Resource)}
    own = type(resource).__annotations__
    fields = [field for field in dataclasses.fields(resource) if field.init and field.name not in common]
    # What is the kind's own goes before what it has in common with others, as content goes before owner.
    fields.sort(key=lambda field: (bool(field.kw_only), field.kw_only and field.name not in own))
    for place, field in enumerate(fields):
        value = getattr(resource, field.name)
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        empty = value in ((), [], {}) and default in ((), [], {})
        if place == 0 or not (empty or (value == default and type(value) is type(default))):
            yield field.name, value


def _value(name: str, value: object) -> str:
    if name == _MODE and isinstance(value, int):
        return f"0o{value:03o}"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_value('', key)}: {_value('', each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value("", each) for each in value) + "]"
    return repr(value)


def _parts(text: str) -> list[str]:
    """The text's lines, each with its end; only a line feed ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
