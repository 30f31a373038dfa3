"""``converge version``"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from converge import __version__
from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments

NAME = "version"
HELP = "version, Python and platform"


def add_to(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    from converge.core.platform import this_platform

    machine = this_platform()
    commit, date = _build()
    python = ".".join(map(str, sys.version_info[:3]))
    if arguments.out == "json":
        import json

        facts = {"version": __version__, "commit": commit, "date": date, "python": python, "os": machine.os,
                 "distro": machine.distro, "arch": machine.arch}  # fmt: skip
        print(json.dumps({name: fact for name, fact in facts.items() if fact}))
    else:
        system = f"{machine.os} {machine.distro}".rstrip()
        built = f"commit {commit}{' of ' * bool(date)}{date}; " if commit else ""
        at = os.path.realpath(sys.executable)
        print(f"converge {__version__} ({built}Python {python} at {at}; {system} {machine.arch})")
    return exit_codes.OK


def _build() -> tuple[str, str]:
    """The commit that this was built from and the day that was made; empty where nobody can tell."""
    from importlib import import_module

    try:
        made = import_module("converge._build")  # hatch_build.py writes it into packages
    except ModuleNotFoundError:
        return _checked_out(), ""
    return made.COMMIT, made.DATE


def _checked_out() -> str:
    """The commit of the clone that this is run from. Read by hand, since to start git takes longer than all else."""
    git = os.path.join(os.path.dirname(__file__), "../../../.git")
    try:
        with open(os.path.join(git, "HEAD"), encoding="ascii") as head:
            commit = head.read().strip()
        if commit.startswith("ref: "):
            with open(os.path.join(git, commit.removeprefix("ref: ")), encoding="ascii") as branch:
                commit = branch.read().strip()
    except OSError:
        return ""  # an installed package, or a branch that git keeps elsewhere
    return commit[:9]
