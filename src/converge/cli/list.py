"""``converge list``"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from typing import TYPE_CHECKING

from converge.cli import exit_codes
from converge.core.urls import hide_credentials

if TYPE_CHECKING:
    from converge.cli.options import Arguments

NAME = "list"
HELP = "the blueprints and resource kinds that are available here"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("-b", "--blueprints", action="store_true", help="only the blueprints")
    parser.add_argument(
        "-e", "--extensions", action="store_true", help="only the resource kinds, and what else r. offers"
    )


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    everything = arguments.blueprints == arguments.extensions
    found: dict[str, dict[str, str]] = {}
    if everything or arguments.blueprints:
        found["blueprints"] = _blueprints()
    if everything or arguments.extensions:
        found["kinds"] = _kinds()
        found["helpers"] = _helpers()
    if arguments.out == "json":
        import json

        print(json.dumps(found))
    else:
        for title, entries in found.items():
            _show(title, entries)
    return exit_codes.OK


def _blueprints() -> dict[str, str]:
    from converge.blueprints.registry import load_entry_points, registry

    for name, error in load_entry_points():
        print(f"converge: the blueprint {name} could not be imported: {hide_credentials(str(error))}", file=sys.stderr)
    return {name: found.description for name, found in sorted(registry.snapshot().items())}


def _kinds() -> dict[str, str]:
    from converge.blueprints.kinds import all_kinds, own_kinds
    from converge.blueprints.run import Run

    brought, broken = all_kinds(dir(Run))
    for error in broken:
        print(f"converge: {hide_credentials(str(error))}", file=sys.stderr)
    own = {name: _first_line(kind) for name, kind in own_kinds().items()}
    foreign = {name: f"{_first_line(plugin.kind)} ({plugin.package})" for name, plugin in brought.items()}
    return dict(sorted((own | foreign).items()))


def _helpers() -> dict[str, str]:
    """What ``r`` can do beside declaring a kind."""
    from converge.blueprints.kinds import own_kinds
    from converge.blueprints.run import Run

    kinds = own_kinds()
    named = {name: value for name, value in vars(Run).items() if not name.startswith("_") and name not in kinds}
    return {f"r.{name}": _first_line(value) for name, value in sorted(named.items())}


def _first_line(thing: object) -> str:
    """Without the markup of docstrings."""
    line = (inspect.getdoc(thing) or "").partition("\n")[0]
    return re.sub(r":\w+:`~?(.*?)`", r"\1", line).replace("``", "").replace("*", "")


def _show(title: str, entries: dict[str, str]) -> None:
    print(f"{title}:")
    if not entries:
        print("  none is installed here; a file is named by its path: converge plan ./site.py")
    width = max(map(len, entries), default=0)
    for name, text in entries.items():
        print(f"  {name:<{width}}  {text}".rstrip())
