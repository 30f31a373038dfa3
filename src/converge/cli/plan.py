"""``converge plan BLUEPRINT``"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments
    from converge.engine.events import Observer

NAME = "plan"
HELP = "show what differs from a blueprint; changes nothing"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    from converge.cli.options import add_blueprint

    add_blueprint(parser)


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    from converge.blueprints.load import load
    from converge.cli.common import exit_code, gc_paused
    from converge.cli.options import given_from, settings_from
    from converge.engine.ledger import read_ledger
    from converge.engine.loop import Loop
    from converge.host.fs.os_errors import telling
    from converge.observers import observer_for
    from converge.observers.recommended import ByRecommendation, are_many, followed
    from converge.observers.redacting import Redacted

    with gc_paused():
        loaded = load(arguments.blueprint, resource_timeout=arguments.resource_timeout, given=given_from(arguments))
        known = followed(loaded.graph.resources)
        many = are_many(known)
        counted = known.keys() if many and not arguments.verbose else ()
        shown = observer_for(arguments.out, sys.stdout, daemon=False, verbose=arguments.verbose, counted=counted)
        observer: Observer = Redacted(shown, arguments.redactor)
        if many or (known and arguments.out == "json"):
            observer = ByRecommendation(observer, known)
        ledger = read_ledger(loaded.name)
        loop = Loop(loaded.name, loaded.graph, settings_from(arguments), [observer], ledger=ledger, planning=True)
        arguments.told = True
        try:
            summary = loop.run()
        finally:
            if not loop.unheard:
                with telling():
                    observer.close()
    if loop.unheard:
        os._exit(exit_codes.ERROR)
    if loop.interrupted:
        return exit_codes.ERROR
    return exit_code(summary, arguments)
