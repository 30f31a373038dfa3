"""Gives the blueprints that come with converge their names, each when it is asked for.

The entry points of ``pyproject.toml`` lead here. An owner's own blueprint may be called like one that is not used, and
uses what it includes without taking its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from converge.blueprints.registry import BlueprintFunction


class _Shipped(NamedTuple):
    module: str
    description: str


_SHIPPED = {
    "baseline": _Shipped("converge.shipped.baseline", "uncontroversial defaults for any machine"),
    "linux": _Shipped("converge.shipped.linux", "baseline, with time, updates and a bounded journal looked after"),
    "linux_server": _Shipped("converge.shipped.linux_server", "linux, with SSH, firewall and network settings"),
    "darwin": _Shipped("converge.shipped.darwin", "uncontroversial defaults for any Mac"),
    "windows": _Shipped("converge.shipped.windows", "uncontroversial defaults for any Windows machine"),
    "cis": _Shipped("converge.shipped.cis", "CIS level 1 for Debian, Ubuntu and Windows servers, and Macs"),
}


def __getattr__(name: str) -> BlueprintFunction:
    """Import a blueprint and register it, also again where its name was given up meanwhile."""
    shipped = _SHIPPED.get(name)
    if shipped is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from converge.blueprints.registry import blueprint

    function: BlueprintFunction = getattr(import_module(shipped.module), name)
    return blueprint(name, shipped.description)(function)
