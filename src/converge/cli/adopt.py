"""``converge adopt KIND [NAME …]``"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from converge.cli import exit_codes
from converge.core.platform import this_os
from converge.core.urls import credentials_in, hide_credentials

if TYPE_CHECKING:
    from converge.cli.options import Arguments
    from converge.core.resource import Adopted, Resource

NAME = "adopt"
HELP = "print the declarations that describe what is on this machine now; changes nothing"
_FUNCTION = "adopted"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("kind", metavar="KIND", help="file, package, service, user, … as in r.KIND")
    parser.add_argument("names", metavar="NAME", nargs="*", help="which; none for what a machine has one of")
    parser.add_argument("--bare", action="store_true",
                        help="only the declarations, to go into a blueprint's function")  # fmt: skip


class _Found(NamedTuple):
    """What was looked for, with what is to be said of it."""

    name: str
    adopted: Adopted | None
    notes: Sequence[str]
    same: bool = False
    """It is what another name stands for, and is declared under that."""


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    method, kind = _kind(arguments.kind)
    names = _names(method, kind, arguments.names)
    found = _once([_adopt(kind.for_system(this_os()), name) for name in names])
    lines = _lines(found, {kind: method})
    text = ""
    if lines:
        from converge.blueprints.render import whole

        text = "\n".join((*lines, "")) if arguments.bare else whole(lines, _FUNCTION, "as converge adopt found it")
    if arguments.out == "json":
        _print_json(found, text)
    else:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        _tell(found)
    return exit_codes.OK if all(each.adopted or each.same for each in found) else exit_codes.ERROR


def _kind(name: str) -> tuple[str, type[Resource]]:
    from converge.blueprints.kinds import kind_named, own_kinds
    from converge.core.errors import ConvergeError, nearest

    own = own_kinds()
    kind = own.get(name) or kind_named(name)
    offered = sorted(each for each, its in own.items() if its.adoption and this_os() in its.platforms)
    if kind is None:
        raise ConvergeError(f"there is no kind called {name!r}{nearest(name, own)}")
    if not kind.adoption:
        raise ConvergeError(f"r.{name} cannot be adopted; there is {', '.join(offered)}")
    return name, kind


def _names(method: str, kind: type[Resource], names: Sequence[str]) -> Sequence[str]:
    from converge.core.errors import ConvergeError

    if this_os() not in kind.platforms:
        raise ConvergeError(f"there is no r.{method} on {this_os()}, only on {' and '.join(kind.platforms)}")
    if kind.adoption == "the only one":
        if names:
            raise ConvergeError(f"a machine has one {method}; leave out {' and '.join(names)}")
        return [""]
    if not names:
        raise ConvergeError(f"which {method}? Give one name or more: converge adopt {method} NAME")
    return list(dict.fromkeys(names))


def _adopt(kind: type[Resource], name: str) -> _Found:
    from converge.core.errors import ResourceError

    try:
        adopted = kind.adopt(name)
        for wrong in (*adopted.resource.mistakes(), *(adopted.instead.mistakes() if adopted.instead else ())):
            raise ResourceError(f"it cannot be declared: {wrong}")
        for shown in (adopted.resource, adopted.instead):
            _require_no_credential(shown)
        notes = (*adopted.unread, *_differences(adopted.resource))
    except (ResourceError, OSError) as error:
        return _Found(name, None, (hide_credentials(_said(error)),))
    return _Found(name, adopted, [hide_credentials(note) for note in notes])


def _require_no_credential(resource: Resource | None) -> None:
    """Raises ResourceError where the declaration would show one; without it, it would declare something else."""
    from converge.core.errors import ResourceError
    from converge.secrets.redaction import texts_in

    for text in texts_in(resource):
        if next(credentials_in(text), None):
            raise ResourceError(
                "it holds a URL with a password or token; declare it by hand, with r.secret(…) for that"
            )


def _once(found: Sequence[_Found]) -> Sequence[_Found]:
    """Each resource a single time, also where several names stand for it, such as an alias of a unit."""
    known: dict[str, str] = {}
    kept: list[_Found] = []
    for each in found:
        keys = (each.adopted.resource.id, *each.adopted.resource.claims()) if each.adopted else ()
        first = next((known[key] for key in keys if key in known), None)
        if first is None:
            known.update(dict.fromkeys(keys, each.name))
            kept.append(each)
        else:
            kept.append(_Found(each.name, None, (f"the same as {first}, declared once",), same=True))
    return kept


def _differences(resource: Resource) -> Sequence[str]:
    """Whatever a plan of it would show; nothing where it describes the machine as it is.

    Raises ResourceError where it could never be checked here: then it describes nothing.
    """
    from converge.core.errors import NotYet, Permanent, ResourceError

    try:
        state = resource.check()
    except (NotYet, Permanent):
        raise
    except (ResourceError, OSError) as error:
        return (f"a check of it says: {_said(error)}",)
    return [f"a plan shows a difference in {each.property}: {each.from_} now, {each.to} declared" for each in state]


def _said(error: Exception) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)


def _lines(found: Sequence[_Found], methods: dict[type[Resource], str]) -> list[str]:
    from converge.blueprints.kinds import own_kinds
    from converge.blueprints.render import comment, declaration

    system = this_os()
    own = {kind.for_system(system): method for method, kind in own_kinds().items() if system in kind.platforms}
    methods = methods | own
    lines: list[str] = []
    for adopted in (each.adopted for each in found if each.adopted):
        for remark in adopted.remarks:
            lines += comment(remark)
        if adopted.instead is not None:
            instead = declaration(adopted.instead, methods[type(adopted.instead)])
            lines += [f"    # {line.removeprefix('    ')}" for line in instead]
        lines += declaration(adopted.resource, methods[type(adopted.resource)])
    return lines


def _tell(found: Sequence[_Found]) -> None:
    encoding = sys.stderr.encoding or "utf-8"
    for each in found:
        for note in each.notes:
            text = f"converge: {each.name}: {note}" if each.name else f"converge: {note}"
            plain = "".join(
                c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
            )
            print(plain.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def _print_json(found: Sequence[_Found], text: str) -> None:
    import json

    ids = [each.adopted.resource.id for each in found if each.adopted]
    notes = {each.name: list(each.notes) for each in found if (each.adopted or each.same) and each.notes}
    errors = {each.name: each.notes[0] for each in found if not (each.adopted or each.same)}
    print(json.dumps({"blueprint": text, "resources": ids, "notes": notes, "errors": errors}))
