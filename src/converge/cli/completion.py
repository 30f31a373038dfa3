"""``converge completion SHELL``"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments

NAME = "completion"
HELP = "print what makes a shell complete commands, options and blueprints"
SHELLS = ("bash", "zsh", "fish", "powershell")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("shell", choices=SHELLS, help='such as in: eval "$(converge completion bash)"')


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["converge"], shell=arguments.shell))
    return exit_codes.OK


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, where it is what started us; then this does not return."""
    import argcomplete

    argcomplete.autocomplete(parser)


def blueprints(prefix: str, **asked: object) -> list[str]:
    """Names of blueprints, and Python files and folders here, as argcomplete asks for them."""
    del asked
    from importlib.metadata import entry_points

    from argcomplete.completers import FilesCompleter

    from converge.blueprints.registry import ENTRY_POINTS

    names = [point.name for point in entry_points(group=ENTRY_POINTS)]
    return [*names, *FilesCompleter(["py"])(prefix)]
