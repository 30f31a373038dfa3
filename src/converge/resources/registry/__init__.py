"""The registry of Windows."""

from converge.resources.registry.value import Registry

__all__ = ["Registry"]
