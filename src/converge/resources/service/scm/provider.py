"""Services of Windows: checking, applying, refreshing, adopting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converge.core.change import Changes
from converge.core.provider import Provider
from converge.core.resource import Adopted
from converge.resources.service.scm import ScmService
from converge.resources.service.scm.adopt import adopt_service
from converge.resources.service.scm.apply import repair, restart
from converge.resources.service.scm.check import inspect


class ServiceControlManager(Provider[ScmService]):
    """Serves :class:`ScmService`."""

    @classmethod
    def check_many(cls, resources: Sequence[ScmService]) -> Iterator[Changes | Exception]:
        return inspect(resources)

    @classmethod
    def apply(cls, resource: ScmService, state: Changes) -> None:
        repair(resource, state)

    @classmethod
    def refresh(cls, resource: ScmService, causes: Sequence[str]) -> None:
        restart(resource, reload=resource.only_reloads(causes))

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        return adopt_service(name)
