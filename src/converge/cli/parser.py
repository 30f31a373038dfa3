"""Builds the argument parser from the commands, and parses the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from converge.cli import exit_codes
from converge.cli.options import OUTS, Arguments, add_common
from converge.core.errors import nearest
from converge.core.urls import hide_credentials

if TYPE_CHECKING:
    from converge.cli.options import Arguments


class _Parser(argparse.ArgumentParser):
    """Takes no option by a part of its name: one that is added later would change what that means."""

    def __init__(self, **options: Any) -> None:  # Any: whatever argparse takes
        super().__init__(allow_abbrev=False, **options)
        self.intermixed = False
        """Options may stand between several names."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # Any: as argparse has it
        """Of its own accord, argparse takes names in one row only."""
        if not self.intermixed:
            return super().parse_known_args(args, namespace)
        self.intermixed = False  # its other method comes back to this one
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.intermixed = True

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # Any: as argparse has it
        """Names what is not known, and what is near it; argparse also lists the words after it."""
        typed, unknown = self.parse_known_args(args, namespace)
        if option := next((word for word in unknown if word.startswith("-")), None):
            self.error(f"there is no option {option}{_near(option, _options_of(self))} here")
        if unknown:
            self.error(f"one name too many: {unknown[0]}")
        return typed

    def error(self, message: str) -> NoReturn:
        """One sentence and where to read on; argparse's own exit code 2 would mean "changed" here."""
        raise _BadCommandLine(f"{self.prog}: {hide_credentials(message)} (see {self.prog} --help)")


class _BadCommandLine(Exception):
    """It says what is wrong."""


def parse(argv: Sequence[str] | None) -> Arguments:
    """Exits with a sentence where something is wrong, and an object of it where JSON is asked for."""
    words = sys.argv[1:] if argv is None else argv
    try:
        return _parsed(words)
    except _BadCommandLine as error:
        print(error, file=sys.stderr)
        if _asks_for_json(words):
            from converge.cli.failure import print_failure

            print_failure(str(error), exit_codes.ERROR)
        sys.exit(exit_codes.ERROR)


def _asks_for_json(words: Sequence[str]) -> bool:
    """As far as it can be told of words that cannot be parsed."""
    found = os.environ.get("CONVERGE_OUT", "")
    for word, after in zip(words, (*words[1:], ""), strict=True):
        if word == "--":
            break
        if word == "--out":
            found = after
        elif word.startswith("--out="):
            found = word.removeprefix("--out=")
    return found == "json"


def _parsed(words: Sequence[str]) -> Arguments:
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:
        from converge.cli.completion import complete

        complete(parser)
    _refuse_unknown(words, parser)
    arguments: Arguments = parser.parse_args(words or ["--help"], namespace=Arguments())
    if arguments.out not in OUTS:
        parser.error(f"CONVERGE_OUT={arguments.out!r}: choose one of {', '.join(OUTS)}")
    return arguments


def _refuse_unknown(words: Sequence[str], parser: _Parser) -> None:
    """An option that no command has is said first: argparse would take its value for a command or a blueprint."""
    known = _options_of(parser)
    for word in words:
        option = word.partition("=")[0]
        if option == "--":
            return
        if option.startswith("--") and option not in known:
            parser.error(f"there is no option {option}{_near(option, known)}")


def _near(option: str, known: Iterable[str]) -> str:
    """Without the dashes, which make any two options near."""
    bare = {name.lstrip("-"): name for name in known}
    return nearest(option.lstrip("-"), bare, bare.__getitem__, most=1)


def _options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Its own, and those of its commands."""
    found = {name for action in parser._actions for name in action.option_strings}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(*map(_options_of, action.choices.values()))
    return found


def _parser() -> _Parser:
    from converge.cli import adopt, check, completion, graph, init, plan, secret, serve, version
    from converge.cli import help as help_command
    from converge.cli import list as list_command

    parser = _Parser(
        prog="converge",
        description="Keeps this machine in the state that a blueprint declares.",
        epilog="exit codes: 0 ok, 1 error, 10 needs root, 11 blueprint not found; "
        "with --detailed-exit-codes also 2 changed, 3 some failed, 4 all failed, 5 pending",
    )
    add_common(parser, top=True)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for command in (plan, serve, check, graph, init, adopt, secret, list_command, completion, help_command, version):
        sub = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        add_common(sub, top=False)
        command.add_to(sub)
        sub.set_defaults(run=command.run, parse=parse)
        sub.intermixed = command is adopt
    return parser
