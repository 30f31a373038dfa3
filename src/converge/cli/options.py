"""The options of the command line, and what their values mean."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias, cast

from converge import exit_codes
from converge.duration import parse_duration
from converge.errors import nearest
from converge.urls import hide_credentials

if TYPE_CHECKING:
    from converge.engine.settings import Settings
    from converge.loading import Given
    from converge.platform import Os
    from converge.secrets.redaction import Redactor

Out: TypeAlias = Literal["terminal", "serial", "json"]
OUTS: tuple[Out, ...] = ("terminal", "serial", "json")


class Arguments(argparse.Namespace):
    """What was typed, with the types that the parser has made sure of."""

    run: Callable[[Arguments], int]
    out: Out
    verbose: bool
    resource_timeout: float
    parallel: int
    detailed_exit_codes: bool
    blueprint: str
    timeout: float
    max_retries: int
    blueprints: bool
    extensions: bool
    set: list[tuple[str, str]]
    values: str | None
    config: list[str]
    action: Callable[[Arguments], int]
    file: str
    key_file: str | None
    new_key_file: str
    told: bool = False
    """Whether an observer writes, or wrote, what came of it."""
    redactor: Redactor
    """What is known of secrets in this run."""
    allow_writable: bool
    platform: Os | None
    distro: str
    format: str | None
    folder: str
    kind: str
    names: list[str]
    bare: bool
    command: list[str]
    shell: str


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
    _add_common(parser, top=True)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for command in (plan, serve, check, graph, init, adopt, secret, list_command, completion, help_command, version):
        sub = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        _add_common(sub, top=False)
        command.add_to(sub)
        sub.set_defaults(run=command.run)
        sub.intermixed = command is adopt
    return parser


def _add_common(parser: argparse.ArgumentParser, *, top: bool) -> None:
    """The global options; they may stand before or after the command."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    add = parser.add_argument
    add("--out", choices=OUTS, default=default(os.environ.get("CONVERGE_OUT") or "terminal"),
        help="how results are shown (env CONVERGE_OUT; default: terminal, and serial where that is none)")  # fmt: skip
    add("-v", "--verbose", action="store_true", default=default(False), help="more, and the log on stderr")
    add("--resource-timeout", type=duration, metavar="DURATION", default=default(300.0),
        help="longest check or apply of one resource (default 5m)")  # fmt: skip
    add("--parallel", type=_positive, metavar="N", default=default(None),
        help="how many things are done side by side (default: chosen from the machine)")  # fmt: skip
    add("--detailed-exit-codes", action="store_true", default=default(False), help="tell more by the exit code")


def add_blueprint(parser: argparse.ArgumentParser) -> None:
    """What the commands that load a blueprint take."""
    add = parser.add_argument
    from converge.cli.completion import blueprints

    named = add("blueprint", metavar="BLUEPRINT", help="a name, path/to/file.py or path/to/file.py:function")
    named.completer = blueprints  # type: ignore[attr-defined]  # argcomplete's way to say what can stand there
    add("--set", type=_parameter, action="append", metavar="NAME=VALUE", default=[],
        help="a parameter of the blueprint; may be repeated")  # fmt: skip
    add("--config", action="append", metavar="FILE", default=[],
        help="a TOML file of values for r.secret; may be repeated, the first goes before")  # fmt: skip
    add("--values", metavar="FILE", help="a TOML file of parameters; --set goes before it")
    add("--allow-writable", action="store_true",
        help="as root, use a blueprint, module, values or config file also where others can write it")  # fmt: skip


def add_platform(parser: argparse.ArgumentParser) -> None:
    """What the commands that only load a blueprint take."""
    from converge.platform import ALL

    parser.add_argument("--platform", choices=ALL, help="the kind of machine that it is for (default: this one)")
    parser.add_argument("--distro", metavar="NAME", default="",
                        help="its distribution, such as debian or fedora; implies --platform linux")  # fmt: skip


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a name and a value, such as port=80")
    return name, value


def given_from(arguments: Arguments) -> Given:
    """What the blueprint is run with, as typed."""
    from converge.declaration import Shards
    from converge.errors import ConvergeError
    from converge.loading import Given
    from converge.platform import pretended_platform

    names = [name for name, _ in arguments.set]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConvergeError(f"--set {twice[0]} is given twice; a list is written as {twice[0]}=a,b")
    system: Os | None = getattr(arguments, "platform", None)
    distro = cast(str, getattr(arguments, "distro", ""))
    try:
        platform = pretended_platform(system, distro) if system or distro else None
    except ValueError as error:
        raise ConvergeError(str(error)) from error
    # A daemon reads it again, whatever folder it is in by then.
    values = None if arguments.values is None else os.path.abspath(arguments.values)
    # Another machine's serial is not known here; it is taken to be in every shard.
    return Given(
        tuple(arguments.set),
        values,
        platform,
        Shards(answer=True) if platform else None,
        config=tuple(map(os.path.abspath, arguments.config)),
        # What is started from here on is not to find the key in its environment.
        key=os.environ.pop("CONVERGE_KEY", None),
        redactor=arguments.redactor,
        allow_writable=arguments.allow_writable,
    )


def duration(text: str) -> float:
    """An option's value such as 30s."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def whole_number(text: str) -> int:
    """An option's value of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _positive(text: str) -> int:
    number = whole_number(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return number


def settings_from(arguments: Arguments) -> Settings:
    """The engine's numbers as typed."""
    from converge.engine.settings import Settings, default_parallel

    return Settings(
        timeout=cast(float, getattr(arguments, "timeout", 0.0)),
        resource_timeout=arguments.resource_timeout,
        max_retries=cast(int, getattr(arguments, "max_retries", 3)),
        parallel=arguments.parallel or default_parallel(),
    )
