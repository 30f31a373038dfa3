"""``converge version``"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from converge import __version__, exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments

NAME = "version"
HELP = "version, Python and platform"


def add_to(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    from converge.platform import this_platform

    machine = this_platform()
    python = ".".join(map(str, sys.version_info[:3]))
    if arguments.out == "json":
        import json

        print(json.dumps({"version": __version__, "python": python, "os": machine.os, "distro": machine.distro,
                          "arch": machine.arch}))  # fmt: skip
    else:
        system = f"{machine.os} {machine.distro}".rstrip()
        print(
            f"converge {__version__} (Python {python} at {os.path.realpath(sys.executable)}; {system} {machine.arch})"
        )
    return exit_codes.OK
