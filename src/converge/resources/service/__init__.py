"""``service``: a unit of systemd. What talks to it is imported when first used."""

from converge.resources.service.service import Service

__all__ = ["Service"]
