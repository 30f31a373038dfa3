"""Writes what the pages of docs/ say about the program's own facts: options, help, exit codes, sessions.

Such a part stands between ``<!-- made: WHAT -->`` and ``<!-- end -->`` and is replaced as a whole; all else on a page
is written by hand. With ``--check`` nothing is written, and pages that are out of date are named.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pages import ROOT, Sandbox, pages, timeless

from converge.blueprints.kinds import own_kinds
from converge.cli import exit_codes, parser, plan, serve, version
from converge.cli import list as list_command
from converge.core.platform import CALLED
from converge.core.resource import Resource

_MADE = re.compile(r"(<!-- made: ([^>]+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_KINDS = ROOT / "docs" / "kinds"


def main() -> int:
    """Write, or check. Returns the exit code."""
    check = "--check" in sys.argv[1:]
    stale: list[Path] = []
    for name in kinds():
        if not (_KINDS / f"{name}.md").exists():
            stale.append(_KINDS / f"{name}.md")
            if not check:
                (_KINDS / f"{name}.md").write_text(skeleton(name))
    for page in pages():
        text = page.read_text()
        new = renewed(text)
        if new != text:
            stale.append(page)
            if not check:
                page.write_text(new)
    for page in stale:
        sys.stdout.write(
            f"{page.relative_to(ROOT)} " + ("is out of date; run `make docs`" if check else "was written") + "\n"
        )
    return 1 if check and stale else 0


def renewed(text: str) -> str:
    """The page with all that is made from the program as it is now."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder))
        sandbox.put_files(text)
        return _MADE.sub(lambda part: part[1] + made(part[2], part[3], sandbox) + part[4], text)


def made(what: str, old: str, sandbox: Sandbox) -> str:
    """One part. A session that would only differ in times stays as it was recorded."""
    verb, _, name = what.partition(" ")
    if verb == "options":
        return option_table(kinds()[name])
    if verb == "common-options":
        return table(fields_of(Resource))
    if verb == "help":
        new = f"```text\n{help_of(name)}```\n"
        # Pythons differ in where they break the lines.
        return old if old.split() == new.split() else new
    if verb == "exit-codes":
        return exit_code_table()
    if verb == "kinds":
        return kind_list()
    if verb == "cis":
        from cis_table import tables

        return tables(name)
    if verb == "session":
        new = f"```console\n{sandbox.session(old)}```\n"
        return old if timeless(old) == timeless(new) else new
    raise SystemExit(f"nobody knows how to make {what!r}")


# --- kinds -----------------------------------------------------------------------------------------------


def kinds() -> dict[str, type[Resource]]:
    """What a blueprint can declare, by the name of the method."""
    return dict(sorted(own_kinds().items()))


def summary(kind: type[Resource]) -> str:
    """The first line of a kind's own description."""
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def kind_list() -> str:
    """A line for each kind."""
    return "".join(f"* [`r.{name}`](kinds/{name}.md): {summary(kind)}\n" for name, kind in kinds().items())


def skeleton(name: str) -> str:
    """The page of a kind that has none yet."""
    return (
        f"# r.{name}\n\n{summary(kinds()[name])}\n\nTODO: an example.\n\n"
        f"## Options\n\n<!-- made: options {name} -->\n<!-- end -->\n\n"
        "Those that every kind takes are in [blueprints.md](../blueprints.md#options-of-every-kind).\n"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One option of a kind, in words."""

    name: str
    type: str
    default: str
    meaning: str


def option_table(kind: type[Resource]) -> str:
    """The kind's own options; those of every kind stand elsewhere."""
    common = {option.name for option in fields_of(Resource)}
    return table([option for option in fields_of(kind) if option.name not in common])


def table(rows: list[Option]) -> str:
    """As Markdown."""
    lines = ["| option | type | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{row.name}` | {row.type} | {row.default} | {row.meaning} |" for row in rows]
    return "\n".join(lines) + "\n"


def fields_of(kind: type[Resource]) -> list[Option]:
    """All options in the order in which they are declared, from the source: types as they are written there."""
    docs = {name: written for base in reversed(kind.__mro__) for name, written in declared_in(base)}
    rows: list[Option] = []
    for field in dataclasses.fields(kind):
        if field.init and not field.name.startswith("_"):
            annotation, meaning = docs[field.name]
            if not meaning:
                raise SystemExit(f"{kind.__name__}.{field.name} has no description in the source")
            meaning = sentence(meaning) + only_on(kind, field.name)
            rows.append(Option(field.name, type_of(annotation), default_of(field), meaning))
    # What may be given without its name comes first, as it does in a call.
    positional = {field.name for field in dataclasses.fields(kind) if not field.kw_only}
    return sorted(rows, key=lambda row: row.name not in positional)


def only_on(kind: type[Resource], option: str) -> str:
    """Where an option can be had, if that is not wherever its kind can be."""
    systems = kind.options_only_on.get(option, kind.platforms)
    return "" if set(systems) >= set(kind.platforms) else f" Only on {' and '.join(CALLED[each] for each in systems)}."


def declared_in(base: type) -> Iterator[tuple[str, tuple[str, str]]]:
    """(name, (annotation, description)) of the fields that this very class declares."""
    if not dataclasses.is_dataclass(base):
        return
    (written,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
    body = written.body if isinstance(written, ast.ClassDef) else []
    for place, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            after = body[place + 1] if place + 1 < len(body) else None
            value = after.value if isinstance(after, ast.Expr) else None
            text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
            yield node.target.id, (ast.unparse(node.annotation), " ".join(text.split()))


_WORDS = {
    "PathLike": "path",
    "str": "text",
    "bytes": "bytes",
    "int": "whole number",
    "float": "number",
    "bool": "True or False",
    "Presence": '`"present"` or `"absent"`',
    "Protocol": '`"tcp"`, `"udp"`, `"both"`, `"icmp"` or `"any"`',
    "Direction": '`"inbound"` or `"outbound"`',
    "Verdict": '`"allow"`, `"block"` or `"reject"`',
    "MountState": '`"mounted"`, `"unmounted"` or `"absent"`',
    "RunState": '`"running"` or `"stopped"`',
    "StartupType": '`"auto"`, `"delayed-auto"`, `"manual"` or `"disabled"`',
    "Category": '`"password"` or `"lockout"`',
    "Resource": "resource",
    "Line": "`Line`",
    "Block": "`Block`",
    "Condition": "condition",
    "Mapping[str, object]": "dict",
    "object": "any value",
    "Mapping[str, str]": "dict of text",
}


def type_of(annotation: str) -> str:
    """An annotation in words."""
    parts: list[str] = []
    for part in re.split(r" \| (?![^\[]*\])", annotation):
        if part == "None":
            continue
        if inner := re.fullmatch(r"Sequence\[(.*)\]", part):
            parts.append(f"list of {type_of(inner[1])}" if len(parts) == 0 else "or a list of them")
        elif options := re.fullmatch(r"Literal\[(.*)\]", part):
            *first, last = (f'`"{option}"`' for option in ast.literal_eval(f"[{options[1]}]"))
            parts.append(f"{', '.join(first)} or {last}" if first else last)
        else:
            parts.append(_WORDS[part])
    head = [part for part in parts if not part.startswith("or ")]
    return ", ".join([" or ".join(head), *(part for part in parts if part.startswith("or "))])


def default_of(field: dataclasses.Field[object]) -> str:
    """A default as it would be typed."""
    if field.default is dataclasses.MISSING:
        return "*required*" if field.default_factory is dataclasses.MISSING else "none"
    if field.default is None or field.default == ():
        return "none"
    return f"`{field.default!r}`".replace("'", '"')


def sentence(text: str) -> str:
    """reStructuredText's marks as Markdown's, fit for a table."""
    return text.replace("``", "`").replace("|", "\\|")


# --- the command line ------------------------------------------------------------------------------------


def help_of(command: str) -> str:
    """What ``--help`` prints, for a terminal of 100 columns."""
    import contextlib
    import io

    os.environ["COLUMNS"] = "100"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        parser.parse([*([command] if command else []), "--help"])
    return printed.getvalue()


COMMANDS = {module.NAME: module for module in (plan, serve, list_command, version)}

_MEANINGS = {
    "OK": "all is well",
    "ERROR": "something went wrong: a mistake in the blueprint, a resource that failed, a wrong option",
    "CHANGED": "serve: something was changed, nothing failed",
    "SOME_FAILED": "some resources failed",
    "ALL_FAILED": "all of them failed",
    "PENDING": "plan: something is to be changed",
    "NOT_ROOT": "a resource needs root; nothing was touched",
    "BLUEPRINT_NOT_FOUND": "there is no such blueprint",
}


def exit_code_table() -> str:
    """The codes of the program's own module."""
    codes = {name: value for name, value in vars(exit_codes).items() if name.isupper()}
    if missing := codes.keys() - _MEANINGS.keys():
        raise SystemExit(f"exit codes without a meaning here: {', '.join(missing)}")
    lines = ["| code | means | when |", "|---|---|---|"]
    for name, value in sorted(codes.items(), key=lambda item: int(str(item[1]))):
        when = "with `--detailed-exit-codes`" if 2 <= int(str(value)) <= 5 else "always"
        lines.append(f"| {value} | {_MEANINGS[name]} | {when} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
