"""Keeps a machine in the state that its owner declared.

What a blueprint's author needs is here; everything else is the program's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from converge.blueprints.registry import blueprint
    from converge.blueprints.run import Run
    from converge.blueprints.sharding import shard_bucket
    from converge.conditions import (
        Condition,
        file_exists,
        mount_point,
        network_interface,
        network_reachable,
        package_installed,
        registry_key_exists,
        registry_value_equals,
        registry_value_exists,
        service_active,
    )
    from converge.core.errors import BadValue
    from converge.host.serial import reference_serial
    from converge.resources.file import Block, Line
    from converge.secrets.secret import Secret

_PLACES = {
    "Run": "converge.blueprints.run",
    "blueprint": "converge.blueprints.registry",
    "BadValue": "converge.core.errors",
    "Condition": "converge.core.condition",
    "file_exists": "converge.conditions.files",
    "mount_point": "converge.conditions.mounts",
    "network_interface": "converge.conditions.network",
    "network_reachable": "converge.conditions.network",
    "package_installed": "converge.conditions.packages",
    "registry_key_exists": "converge.conditions.registry",
    "registry_value_equals": "converge.conditions.registry",
    "registry_value_exists": "converge.conditions.registry",
    "service_active": "converge.conditions.services",
    "Block": "converge.resources.file",
    "Line": "converge.resources.file",
    "Secret": "converge.secrets.secret",
    "reference_serial": "converge.host.serial",
    "shard_bucket": "converge.blueprints.sharding",
}

__all__ = [
    "BadValue",
    "Block",
    "Condition",
    "Line",
    "Run",
    "Secret",
    "__version__",
    "blueprint",
    "file_exists",
    "mount_point",
    "network_interface",
    "network_reachable",
    "package_installed",
    "reference_serial",
    "registry_key_exists",
    "registry_value_equals",
    "registry_value_exists",
    "service_active",
    "shard_bucket",
]


def __getattr__(name: str) -> object:
    """Import on first use, so that ``converge version`` does not load the engine."""
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'converge' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
