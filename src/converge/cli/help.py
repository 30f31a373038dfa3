"""``converge help [COMMAND …]``"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments

NAME = "help"
HELP = "what converge, or one of its commands, can do"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("command", metavar="COMMAND", nargs="*", help="such as serve, or secret edit")


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    arguments.parse(["--out", arguments.out, *arguments.command, "--help"])  # which ends the program
    return exit_codes.OK
