"""Helpers shared by commands that evaluate a blueprint."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments
    from converge.engine.events import Summary


def exit_code(summary: Summary, arguments: Arguments) -> int:
    """See exit_codes. Skipped resources count as failed where something failed: they are not right either."""
    failed = summary.counts["failed"]
    if not arguments.detailed_exit_codes:
        return exit_codes.ERROR if failed else exit_codes.OK
    if failed:
        right = summary.counts["ok"] + summary.counts["changed"] + summary.counts["pending"]
        return exit_codes.SOME_FAILED if right else exit_codes.ALL_FAILED
    if summary.counts["pending"]:
        return exit_codes.PENDING
    return exit_codes.CHANGED if summary.counts["changed"] else exit_codes.OK


@contextmanager
def gc_paused() -> Iterator[None]:
    """Loading makes many objects and no garbage; the collector would only walk them again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
