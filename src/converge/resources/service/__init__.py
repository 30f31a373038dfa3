"""``service``: what runs in the background of a machine, with a folder for each system's manager of services."""

from converge.resources.service.service import Service

__all__ = ["Service"]
