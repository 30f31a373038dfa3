"""Tests on a Windows Python under Wine; where it cannot be had they say why."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def _load_wine() -> ModuleType:
    spec = importlib.util.spec_from_file_location("windows_wine", Path(__file__).parent / "wine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["windows_wine"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A Windows of the module's own."""
    wine = _load_wine()
    if why := wine.why_not():
        pytest.skip(f"no Windows under Wine: {why}")
    try:
        made = wine.home()
    except wine.Unavailable as error:
        pytest.skip(f"no Windows under Wine: {error}")
    booted = wine.Windows(made, tmp_path_factory.mktemp("windows") / "prefix")
    try:
        yield booted
    finally:
        booted.end()
