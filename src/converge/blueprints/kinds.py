"""The table of resource kinds: built-in ones, and those from installed packages.

Packages bring theirs through the entry points ``converge.resources``. A kind is imported when a blueprint first
declares one, so that a blueprint of files loads no firewall.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from converge.core.errors import ConvergeError
from converge.core.provider import load
from converge.core.resource import Resource

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

KINDS: Final = {
    "file": "converge.resources.file:File",
    "directory": "converge.resources.file:Directory",
    "symlink": "converge.resources.file:Symlink",
    "exec": "converge.resources.exec:Exec",
    "firewall": "converge.resources.firewall:Firewall",
    "firewall_policy": "converge.resources.firewall:FirewallPolicy",
    "sysctl": "converge.resources.sysctl:Sysctl",
    "user": "converge.resources.accounts:User",
    "group": "converge.resources.accounts:Group",
    "authorized_keys": "converge.resources.accounts:AuthorizedKeys",
    "hostname": "converge.resources.hostname:Hostname",
    "timezone": "converge.resources.timezone:Timezone",
    "package": "converge.resources.package:Package",
    "service": "converge.resources.service:Service",
    "archive": "converge.resources.archive:Archive",
    "git": "converge.resources.git:Git",
    "cron": "converge.resources.cron:Cron",
    "mount": "converge.resources.mount:Mount",
    "reboot": "converge.resources.reboot:Reboot",
    "plist": "converge.resources.plist:Plist",
    "registry": "converge.resources.registry:Registry",
    "auditpolicy": "converge.resources.auditpolicy:AuditPolicy",
    "securitypolicy": "converge.resources.securitypolicy:SecurityPolicy",
}
"""Our own, by the names of the methods of ``Run`` that declare them: the module and the class of each."""
ENTRY_POINTS: Final = "converge.resources"


class BrokenPlugin(ConvergeError):
    """A package offers a kind that cannot be used. The text names the package."""


class Plugin(NamedTuple):
    """A kind, and the package that brings it, such as ``json-setting 1.0``."""

    kind: type[Resource]
    package: str


def own_kind(name: str) -> type[Resource]:
    """One of our own, by the name of its method."""
    return cast("type[Resource]", load(KINDS[name]))


def own_kinds() -> dict[str, type[Resource]]:
    """All of our own, by the names of their methods; this imports them."""
    return {name: own_kind(name) for name in KINDS}


def called(kind: type[Resource]) -> str:
    """How a blueprint declares this kind."""
    called_so = (name for name, place in KINDS.items() if place.endswith(f":{kind.__name__}"))
    return next((f"r.{name}" for name in called_so if own_kind(name) is kind), kind.__name__)


def kind_named(name: str) -> type[Resource] | None:
    """The kind that a package offers by this name, for ``r.NAME``. Raises BrokenPlugin."""
    found = _offered().get(name)
    return _loaded(name, found).kind if found else None


def names() -> list[str]:
    """What packages offer, without importing it."""
    return sorted(_offered())


def all_kinds(reserved: Collection[str]) -> tuple[dict[str, Plugin], list[BrokenPlugin]]:
    """Import all of them; those that cannot be used are told, and the others go on.

    Those that are called like one of ours, or have a name that is ``reserved``, cannot.
    """
    found: dict[str, Plugin] = {}
    broken: list[BrokenPlugin] = []
    for name, points in sorted(_offered().items()):
        try:
            if name in reserved or name in KINDS:
                what = "a kind" if name in KINDS else "a method"
                text = f"the kind {name} of {_package(points[0])} is called like {what} of converge; it must be renamed"
                raise BrokenPlugin(text)
            found[name] = _loaded(name, points)
        except BrokenPlugin as error:
            broken.append(error)
    return found, broken


def owner_of_kind(kind: type[Resource]) -> type:
    """The class that gives the kind its name; several may share it, as files and directories do."""
    return next(base for base in kind.__mro__ if "kind" in vars(base))


def _offered() -> dict[str, list[EntryPoint]]:
    from importlib.metadata import entry_points

    offered: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        offered.setdefault(point.name, []).append(point)
    return offered


def _loaded(name: str, points: list[EntryPoint]) -> Plugin:
    packages = [_package(point) for point in points]
    if len(points) > 1:
        raise BrokenPlugin(f"the kind {name} is offered by {' and by '.join(packages)}; remove one of them")
    try:
        kind = points[0].load()
    except (Exception, SystemExit) as error:  # a broken package is told, and takes no other with it
        why = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise BrokenPlugin(f"the kind {name} of {packages[0]} cannot be imported: {why}") from error
    if why := why_no_kind(kind):
        raise BrokenPlugin(f"the kind {name} of {packages[0]} {why}")
    return Plugin(kind, packages[0])


def why_no_kind(kind: object) -> str:
    """What is wrong with a class as a kind of resource; "" where nothing is."""
    if not (isinstance(kind, type) and issubclass(kind, Resource)):
        return f"is no class made from converge.core.resource.Resource, but {kind!r}"
    if "__dataclass_fields__" not in vars(kind):
        return f"is no dataclass: put @dataclass(frozen=True, slots=True) above class {kind.__name__}"
    if not isinstance(getattr(kind, "kind", None), str):
        return 'has no name for its ids: it lacks kind: ClassVar[str] = "…"'
    required = [field for field in dataclasses.fields(kind) if field.init and not field.kw_only]
    return "" if required else "has no field that names it"


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.module
