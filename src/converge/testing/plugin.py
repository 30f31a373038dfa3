"""Fixtures for pytest, which finds them by itself where converge is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from converge.testing.site import Site

_DISTROS = ("debian", "ubuntu", "fedora", "opensuse-leap", "alpine", "arch")
"""One of each family; ubuntu too, as most blueprints know it."""


@pytest.fixture
def declare(request: pytest.FixtureRequest) -> Callable[..., Site]:
    """``converge.testing.declare``; a relative path is taken from the folder of the test, or else of the project."""
    from converge.testing import site

    def at_its_place(blueprint: object, **options: object) -> Site:
        if isinstance(blueprint, str) and ".py" in blueprint:
            name, colon, function = blueprint.partition(":")
            folders = (request.path.parent, request.config.rootpath)
            found = next((folder / name for folder in folders if (folder / name).exists()), name)
            blueprint = f"{found}{colon}{function}"
        run: Callable[..., Site] = site.declare
        return run(blueprint, **options)

    return at_its_place


@pytest.fixture(params=_DISTROS)
def any_distro(request: pytest.FixtureRequest) -> str:
    """The test runs once for each of these distributions."""
    name: str = request.param
    return name
