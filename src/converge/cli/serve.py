"""``converge serve BLUEPRINT``"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.blueprints.load import Loaded
    from converge.cli.options import Arguments
    from converge.engine.events import Observer

_COLLECT = (50_000, 20, 50)
"""A burst makes as many objects as there are resources, and hardly any garbage that needs the collector."""

NAME = "serve"
HELP = "put right what differs from a blueprint, then watch and keep it so"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    from converge.cli.options import add_blueprint, duration, whole_number

    add_blueprint(parser)
    parser.add_argument("--timeout", type=duration, metavar="DURATION", default=0.0,
                        help="end once nothing has changed for so long; 1s is 'once' (default: 0, stay)")  # fmt: skip
    parser.add_argument("--max-retries", type=whole_number, metavar="N", default=3,
                        help="retries before a resource is noncompliant (default 3; 0 in CI)")  # fmt: skip


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    from converge.blueprints.load import load
    from converge.cli.common import exit_code
    from converge.cli.options import given_from, settings_from
    from converge.engine.ledger import open_ledger
    from converge.engine.loop import Loop
    from converge.engine.reload import Reloader
    from converge.host.daemon_lock import hold
    from converge.host.fs.os_errors import telling

    _allow_many_files()
    gc.disable()
    loaded = load(arguments.blueprint, resource_timeout=arguments.resource_timeout, given=given_from(arguments))
    _refuse_without_root(loaded)
    with hold(loaded.name, loaded.wanted):
        observers = _observers(arguments)
        loop = Loop(loaded.name, loaded.graph, settings_from(arguments), observers, ledger=open_ledger(loaded.name))
        reloader = Reloader(loaded, arguments.resource_timeout)
        # What is there now stays as long as the daemon does; the collector need not look at it again.
        gc.freeze()
        gc.set_threshold(*_COLLECT)
        gc.enable()
        arguments.told = True
        try:
            summary = loop.run(reloader)
        finally:
            if not loop.unheard:
                with telling():
                    for observer in observers:
                        observer.close()
    if loop.unheard:
        # The interpreter would wait at its end for the thread that waits for the reader.
        os._exit(exit_codes.OK if loop.interrupted else exit_codes.ERROR)
    if loop.gave_up:
        return exit_codes.ERROR
    if loop.interrupted:
        return exit_codes.OK
    return exit_code(summary, arguments)


def _observers(arguments: Arguments) -> list[Observer]:
    from converge.observers import observer_for
    from converge.observers.redacting import redacted

    shown = observer_for(arguments.out, sys.stdout, daemon=not arguments.timeout, verbose=arguments.verbose)
    if sys.platform == "win32":  # where there is no syslog
        return redacted([shown], arguments.redactor)
    from converge.observers.journal import Journal
    from converge.observers.lasting import Lasting

    journal = Journal(stderr=arguments.verbose)
    if not arguments.timeout:
        shown = Lasting(shown, sys.stdout, [journal])
    return redacted([shown, journal], arguments.redactor)


def _allow_many_files() -> None:
    """A batch holds a descriptor for each of its files; the usual soft limit of 1,024 is there for select(2) alone."""
    if sys.platform == "win32":
        return
    import resource  # here, as Windows has none, and there the other commands must work

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a limit below the hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _refuse_without_root(loaded: Loaded) -> None:
    """Before anything is touched: a half that needs root would fail after the other half was done."""
    from converge.core.errors import NotRoot
    from converge.core.platform import may_do_all

    if may_do_all():
        return
    changed = (each for each in loaded.graph.resources if not each.noop)  # what is only looked at needs no rights
    why = [(each, reason) for each in changed if (reason := each.needs_root())]
    if why:
        lines = [f"  {each.id} ({each.where}): {reason}" for each, reason in why[:20]]
        if len(why) > 20:
            lines.append(f"  … and {len(why) - 20} more")
        how = "an administrator; run it as one" if sys.platform == "win32" else "root; run it with sudo"
        raise NotRoot(f"these need {how}:\n" + "\n".join(lines))
