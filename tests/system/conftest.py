"""Tests on a real, booted Debian. They need root and Debian; where they cannot run they say why."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def _load_machine_module() -> object:
    spec = importlib.util.spec_from_file_location("system_machine", _HERE / "machine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["system_machine"] = module
    spec.loader.exec_module(module)
    return module


_machine = _load_machine_module()
_numbers = itertools.count()


@pytest.fixture
def machine() -> Iterator[object]:
    """A machine of the test's own."""
    why = _machine.why_not()  # type: ignore[attr-defined]  # loaded by path
    if why:
        pytest.skip(f"no container for system tests: {why}")
    try:
        _machine.root()  # type: ignore[attr-defined]  # loaded by path
    except _machine.Unavailable as error:  # type: ignore[attr-defined]
        pytest.skip(f"no container for system tests: {error}")
    # Not below pytest's own folder: an overlay cannot be put on every file system, and its paths are bounded.
    with tempfile.TemporaryDirectory(prefix="converge-system-", dir="/var/tmp") as folder:
        name = f"converge-{os.getpid()}-{next(_numbers)}"
        with _machine.machine(Path(folder), name) as booted:  # type: ignore[attr-defined]
            yield booted
