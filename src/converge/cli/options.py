"""Command-line options and the conversion of their values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from converge.core.duration import parse_duration

if TYPE_CHECKING:
    from converge.blueprints.load import Given
    from converge.core.platform import Os
    from converge.engine.settings import Settings
    from converge.secrets.redaction import Redactor

Out: TypeAlias = Literal["terminal", "serial", "json"]
OUTS: tuple[Out, ...] = ("terminal", "serial", "json")


class Arguments(argparse.Namespace):
    """What was typed, with the types that the parser has made sure of."""

    run: Callable[[Arguments], int]
    parse: Callable[[Sequence[str]], Arguments]
    """Reads another command line."""
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


def add_common(parser: argparse.ArgumentParser, *, top: bool) -> None:
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
    from converge.core.platform import ALL

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
    from converge.blueprints.load import Given
    from converge.blueprints.run import Shards
    from converge.core.errors import ConvergeError
    from converge.core.platform import pretended_platform

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
