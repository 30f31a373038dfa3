"""``converge init [FOLDER]``"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments

NAME = "init"
HELP = "write a small blueprint to begin with, and its test"
_FIRST = os.path.join(os.path.dirname(__file__), "first")
_FILES = ("site.py", "test_site.py")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="where to (default: here)")


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    from converge.core.errors import ConvergeError
    from converge.host.fs.os_errors import doing

    folder = arguments.folder
    paths = [os.path.normpath(os.path.join(folder, name)) for name in _FILES]
    if there := [path for path in paths if os.path.lexists(path)]:
        raise ConvergeError(f"{' and '.join(there)} {'are' if there[1:] else 'is'} there already; nothing was written")
    os.makedirs(folder, exist_ok=True)
    for name, path in zip(_FILES, paths, strict=True):
        with open(os.path.join(_FIRST, name), encoding="utf-8") as first:
            text = first.read()
        # Never over a file that came to be there meanwhile.
        with doing("writing it", path), open(path, "x", encoding="utf-8") as file:
            file.write(text)
    if arguments.out == "json":
        import json

        print(json.dumps({"wrote": paths}))
        return exit_codes.OK
    site, test = paths
    print(f"wrote {site} and {test}. Next:")
    for command, does in (
        (f"converge check {site}", "find mistakes"),
        (f"converge plan {site}", "show what differs"),
        (f"converge serve {site}", "put it right and keep it so, until Ctrl-C"),
        (f"pytest {test}", "its tests"),
    ):
        print(f"  {command:<{20 + len(test)}}  {does}")
    return exit_codes.OK
