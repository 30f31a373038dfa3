"""``converge check BLUEPRINT``"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.blueprints.load import Given, Loaded
    from converge.cli.options import Arguments

NAME = "check"
HELP = "find the mistakes in a blueprint, for this kind of machine or another; touches none"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    from converge.cli.options import add_blueprint, add_platform

    add_blueprint(parser)
    add_platform(parser)


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    from converge.blueprints.load import check
    from converge.cli.common import gc_paused
    from converge.cli.options import given_from

    given = given_from(arguments)
    with gc_paused():
        loaded = check(arguments.blueprint, given)
    for warning in loaded.graph.warnings:
        print(f"converge: {arguments.redactor.redact(warning)}", file=sys.stderr)
    if arguments.out == "json":
        _print_json({"blueprint": loaded.name, "resources": len(loaded.graph.resources)})
    else:
        print(_sentence(loaded, given))
    return exit_codes.OK


def _sentence(loaded: Loaded, given: Given) -> str:
    count = len(loaded.graph.resources)
    machine = f" for {given.platform.distro or given.platform.os}" if given.platform else ""
    return f"{loaded.name}: {count} resource{'s' * (count != 1)}, no mistakes{machine}"


def _print_json(value: object) -> None:
    import json

    print(json.dumps(value))
