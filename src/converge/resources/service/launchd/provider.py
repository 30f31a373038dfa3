"""Daemons of launchd: checking, applying, refreshing, adopting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converge.core.change import Changes
from converge.core.provider import Provider
from converge.core.resource import Adopted
from converge.resources.service.launchd import LaunchdService
from converge.resources.service.launchd.adopt import adopt_service
from converge.resources.service.launchd.apply import reload, repair, restart
from converge.resources.service.launchd.check import inspect


class Launchd(Provider[LaunchdService]):
    """Serves :class:`LaunchdService`."""

    @classmethod
    def check_many(cls, resources: Sequence[LaunchdService]) -> Iterator[Changes | Exception]:
        return inspect(resources)

    @classmethod
    def apply(cls, resource: LaunchdService, state: Changes) -> None:
        repair(resource, state)

    @classmethod
    def refresh(cls, resource: LaunchdService, causes: Sequence[str]) -> None:
        if resource.only_reloads(causes):
            reload(resource)
        else:
            restart(resource, causes)

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        return adopt_service(name)
