"""Conditions: a resource is left alone until its condition first holds. One module per subject."""

from converge.conditions.files import file_exists
from converge.conditions.mounts import mount_point
from converge.conditions.network import network_interface, network_reachable
from converge.conditions.packages import package_installed
from converge.conditions.registry import registry_key_exists, registry_value_equals, registry_value_exists
from converge.conditions.services import service_active
from converge.core.condition import Condition

__all__ = [
    "Condition",
    "file_exists",
    "mount_point",
    "network_interface",
    "network_reachable",
    "package_installed",
    "registry_key_exists",
    "registry_value_equals",
    "registry_value_exists",
    "service_active",
]
