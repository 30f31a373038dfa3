"""Units of systemd: checking, applying, refreshing, adopting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converge.core.change import Changes
from converge.core.provider import Provider
from converge.core.resource import Adopted
from converge.resources.service.systemd import SystemdService
from converge.resources.service.systemd.adopt import adopt_service
from converge.resources.service.systemd.apply import repair, restart
from converge.resources.service.systemd.check import inspect


class Systemd(Provider[SystemdService]):
    """Serves :class:`SystemdService`."""

    @classmethod
    def check_many(cls, resources: Sequence[SystemdService]) -> Iterator[Changes | Exception]:
        return inspect(resources)

    @classmethod
    def apply(cls, resource: SystemdService, state: Changes) -> None:
        repair(resource, state)

    @classmethod
    def refresh(cls, resource: SystemdService, causes: Sequence[str]) -> None:
        restart(resource, reload=resource.only_reloads(causes))

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        return adopt_service(name)
