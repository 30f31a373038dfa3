"""``package``: software that is installed, or not, through the machine's own package manager."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from converge.core.change import Changes, Verb
from converge.core.resource import Resource
from converge.core.trigger import Trigger

if TYPE_CHECKING:
    from converge.resources.package.conflicts import Declared


@dataclass(frozen=True, slots=True)
class Package(Resource):
    """A package that is to be installed (``present``), in its newest version (``latest``), or not at all (``absent``).

    ``version`` is one version, written as the package manager shows it, or a pattern such as ``1.2*``. ``hold`` keeps a
    package where it is when everything is upgraded.
    """

    kind: ClassVar[str] = "package"
    left_as_is = frozenset({"version", "hold", "manager", "recommends"})
    platforms = ("linux",)
    batch_check: ClassVar[bool] = True
    shared_source: ClassVar[bool] = True
    adoption = "by name"
    providers: ClassVar = {"linux": "converge.resources.package.provider:Packages"}

    name: str
    """What the package manager calls it; with apt also ``NAME:ARCHITECTURE``."""
    _: KW_ONLY
    state: Literal["present", "absent", "latest"] = "present"
    """``latest`` also follows new versions, as soon as this machine's index has them."""
    version: str | None = None
    """This version, or one that fits a pattern such as ``1.2*``. Unset: any."""
    hold: bool | None = None
    """Keep it at its version in upgrades of all packages. Unset: leave that as it is."""
    manager: Literal["apt", "dnf", "yum", "zypper", "apk", "pacman"] | None = None
    """The package manager. Unset: the machine's own."""
    conffiles: Literal["keep", "replace"] = "keep"
    """With apt, whose configuration files stay when an upgrade brings other ones: those on the machine, or the new."""
    recommends: bool | None = None
    """With apt, dnf, yum and zypper, whether installing it brings what it recommends. Unset: as they are configured."""

    # Any: a Declared of conflicts.py, which a declaration alone does not need.
    others: Any = field(default=None, init=False, repr=False)
    """All packages of the blueprint; None until :meth:`with_declared_ids` told."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        from converge.resources.package.validation import name_mistake, version_mistake

        if why := name_mistake(self.name):
            yield why
        if self.version is not None and (why := version_mistake(self.version)):
            yield why
        if self.version is not None and self.state != "present":
            yield f"version and state={self.state!r} exclude each other; leave one out"
        if self.hold is not None and self.state == "absent":
            yield "what is absent cannot be held; leave hold out"
        if self.hold and self.state == "latest":
            yield "hold keeps the version, and state='latest' changes it; leave one out"
        if self.manager not in (None, "apt", "zypper") and self.hold is not None:
            yield f"{self.manager} cannot hold a package at its version; leave hold out"
        if self.manager not in (None, "apt") and self.conffiles != "keep":
            yield f"conffiles is for apt, and {self.manager} has no such thing; leave it out"
        if self.recommends is not None and self.is_removal():
            yield "what is absent brings nothing along; leave recommends out"
        if self.recommends is not None and self.manager in ("apk", "pacman"):
            yield f"{self.manager} never installs what is only recommended; leave recommends out"

    def is_removal(self) -> bool:
        return self.state == "absent"

    def with_declared_ids(self, ids: Mapping[str, Resource]) -> Package:
        copy = replace(self)
        object.__setattr__(copy, "where", self.where)
        object.__setattr__(copy, "others", _all_packages(ids))
        return copy

    def triggers(self) -> Sequence[Trigger]:
        from converge.resources.package.managers import news_of

        return news_of(self.manager, index=self.state == "latest")

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else "packages are installed and removed by root"

    def group_key(self, verb: Verb) -> Hashable | None:
        return (self.manager,) if verb == "check" else (self.manager, self.state, self.conffiles, self.recommends)

    # --- what it does -------------------------------------------------------------------------------------

    @classmethod
    def call_in_words(cls, verb: Verb, work: Sequence[tuple[Package, Changes]]) -> str | None:
        from converge.core.platform import this_platform

        if verb == "check":
            return None
        first = work[0][0]
        manager = first.manager or this_platform().package_manager
        program = "apt-get" if manager == "apt" else manager
        return f"{program} {'remove' if first.is_removal() else 'install'} {', '.join(each.name for each, _ in work)}"


_last: tuple[Mapping[str, Resource], Declared] | None = None


def _all_packages(ids: Mapping[str, Resource]) -> Declared:
    """One object for all that ask about the same blueprint."""
    global _last  # noqa: PLW0603 - only spares work: thousands of packages ask the same in turn
    from converge.resources.package.conflicts import declared_packages

    if _last is None or _last[0] is not ids:
        _last = ids, declared_packages(ids)
    return _last[1]
