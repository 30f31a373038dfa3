"""Kernel parameters of Linux: checking, applying, adopting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converge.core.change import Changes
from converge.core.provider import Provider
from converge.core.resource import Adopted
from converge.resources.sysctl import live, setting
from converge.resources.sysctl.adopt import adopt_sysctl
from converge.resources.sysctl.setting import Sysctl


class LinuxSysctl(Provider[Sysctl]):
    """Serves :class:`Sysctl`."""

    @classmethod
    def check_many(cls, resources: Sequence[Sysctl]) -> Iterator[Changes | Exception]:
        return live.check(resources, setting.FILE)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Sysctl, Changes]]) -> Iterator[Exception | None]:
        return live.apply(work, setting.FILE)

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        return adopt_sysctl(name)
