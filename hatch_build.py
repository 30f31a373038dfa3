"""Writes into a built package which commit it is of, and when that was made, for ``converge version``."""

from __future__ import annotations

import os
import subprocess
import tempfile
from datetime import UTC, datetime
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Stamp(BuildHookInterface[Any]):  # Any: a configuration, of which this has none
    """The hook that hatchling calls before it builds."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds one file; an editable installation asks git when it is asked."""
        if version == "editable":
            return
        commit, date = _git(self.root)
        if seconds := os.environ.get("SOURCE_DATE_EPOCH"):  # https://reproducible-builds.org/specs/source-date-epoch/
            date = datetime.fromtimestamp(int(seconds), UTC).date().isoformat()
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "_build.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'"""Written when the package was built."""\n\nCOMMIT = {commit!r}\nDATE = {date!r}\n')
        build_data["force_include"][path] = "converge/_build.py"


def _git(folder: str) -> tuple[str, str]:
    """The commit that is checked out and the day it was made; both empty where this is no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", folder, "log", "-1", "--format=%h %cs"], capture_output=True, text=True, check=False
        )
    except OSError:
        return "", ""
    commit, _, date = done.stdout.strip().partition(" ")
    return commit, date
