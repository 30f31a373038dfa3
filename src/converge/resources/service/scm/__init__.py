"""Services of Windows: what its service control manager keeps. What talks to it is imported when first used."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from converge.core.resource import Named, Need, Uses
from converge.core.trigger import RegistryChanged, ServiceChanged, Trigger
from converge.resources.service.service import SHORT, Service

_LONGEST: Final = 256
"""Characters of a name (CreateServiceW)."""
_BY_ITSELF: Final = ("auto", "delayed-auto")


@dataclass(frozen=True, slots=True)
class ScmService(Service):
    """A service of Windows."""

    providers: ClassVar = "converge.resources.service.scm.provider:ServiceControlManager"

    settings: Sequence[str] = field(init=False, compare=False, repr=False, default=())
    """The ids of what the blueprint has in the registry below the key of the service."""

    # --- what it is ---------------------------------------------------------------------------------------

    def mistakes(self) -> Iterator[str]:
        if not 0 < len(self.name) <= _LONGEST or any(sign in "/\\" or not sign.isprintable() for sign in self.name):
            yield f"{self.name!r} is no name of a service; `sc query` lists them as SERVICE_NAME"
        yield from Service.mistakes(self)
        if self.startup_type is not None and self.enable not in (None, self.startup_type in _BY_ITSELF):
            yield f"enable={self.enable} and startup_type={self.startup_type!r} contradict each other; leave out one"
        if self.startup_type == "disabled" and (self.state == "running" or self.refreshed_by()):
            yield 'what is disabled cannot be started; startup_type="manual" has it started by converge alone'

    def wanted_start(self) -> str | None:
        """A startup type, or "automatic" or "not automatic", of which several will do."""
        if self.startup_type is not None or self.enable is None:
            return self.startup_type
        return "automatic" if self.enable else "not automatic"

    def claims(self) -> Iterable[str]:
        """Small and capital letters are the same to Windows."""
        return (f"the service {self.name.lower()}",)

    def key(self) -> str:
        """Where the registry has what Windows and the service itself know of it."""
        return rf"HKLM\SYSTEM\CurrentControlSet\Services\{self.name}"

    def with_declared_ids(self, ids: Collection[str]) -> ScmService:
        """The same service, knowing what is declared below its key."""
        below = f"registry:{self.key()}\\".lower()
        if not (settings := tuple(id for id in ids if id.lower().startswith(below))):
            return self
        known = copy.copy(self)
        object.__setattr__(known, "settings", settings)
        return known

    def needs(self) -> Sequence[Need]:
        ids = (f"package:{self.name}", *self.settings)
        named = (Named(self.name),) if len(self.name) >= SHORT else ()
        return (*map(Uses, ids), *named)

    def triggers(self) -> Sequence[Trigger]:
        return (ServiceChanged(self.name), RegistryChanged(self.key()))

    def needs_root(self) -> str | None:
        return "only an administrator can change services"
