"""``converge graph BLUEPRINT``"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments

NAME = "graph"
HELP = "show which resource waits for which, and why"
_FORMATS = ("text", "json", "dot", "svg")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    from converge.cli.options import add_blueprint, add_platform

    add_blueprint(parser)
    add_platform(parser)
    parser.add_argument("--format", choices=_FORMATS,
                        help="text (default), json, dot for Graphviz, or svg, which needs Graphviz here")  # fmt: skip


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    import json

    from converge.blueprints.load import load
    from converge.cli.options import given_from
    from converge.graph.drawing import as_dot, as_json, as_text, draw

    loaded = load(arguments.blueprint, given=given_from(arguments))
    drawing = draw(loaded.name, loaded.graph)
    form = arguments.format or ("json" if arguments.out == "json" else "text")
    if form == "json":
        print(json.dumps(arguments.redactor.hides(as_json(drawing))))
    elif form == "text":
        encoding = sys.stdout.encoding or "utf-8"
        text = "".join(f"{arguments.redactor.redact(line)}\n" for line in as_text(drawing))
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    else:
        dot = "".join(f"{line}\n" for line in as_dot(drawing)).encode()
        # Graphviz reads UTF-8, whatever the locale here is.
        sys.stdout.buffer.write(dot if form == "dot" else _svg(dot))
    return exit_codes.OK


def _svg(dot: bytes) -> bytes:
    import os
    import tempfile

    from converge.core.errors import ConvergeError, NotYet
    from converge.host import process

    # Its warnings come in one text with what it prints; so the picture goes into a file.
    with tempfile.TemporaryDirectory() as folder:
        picture = os.path.join(folder, "graph.svg")
        try:
            result = process.run(["dot", "-Tsvg", "-o", picture], cwd="/", keep=("PATH",), stdin=dot)
        except NotYet as error:
            raise ConvergeError(
                "a picture needs Graphviz, which is not installed here: install its package, graphviz; "
                "or save --format dot, and draw it elsewhere with dot -Tsvg"
            ) from error
        if result.returncode != 0:
            raise ConvergeError(f"Graphviz' dot ended with {result.ending()}: {result.output.strip()[-500:]}")
        with open(picture, "rb") as file:
            return file.read()
