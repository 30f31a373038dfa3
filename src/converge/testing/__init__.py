"""For tests of blueprints: :func:`declare` runs one for a pretended machine, and what it declared can be looked at.

``simulator`` is the engine in a simulated world, for converge's own tests and for :meth:`Site.simulate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from converge.testing.simulation import Start, Step, Trial
    from converge.testing.site import MistakenBlueprint, Site, declare

_PLACES = {
    "MistakenBlueprint": "converge.testing.site",
    "Site": "converge.testing.site",
    "declare": "converge.testing.site",
    "Start": "converge.testing.simulation",
    "Step": "converge.testing.simulation",
    "Trial": "converge.testing.simulation",
}

__all__ = ["MistakenBlueprint", "Site", "Start", "Step", "Trial", "declare"]


def __getattr__(name: str) -> object:
    """Import on first use: pytest loads the plugin in this folder also where no test is about blueprints."""
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'converge.testing' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(place), name)
    globals()[name] = value
    return value
