"""Level 1 of the CIS benchmarks for a Debian or Ubuntu server."""

from __future__ import annotations

from collections.abc import Iterable

from converge.blueprints.run import Run
from converge.core.errors import BadValue, nearest
from converge.core.platform import Platform
from converge.shipped.cis.linux.tables import Edition, Gone, Machine, Options, Rule

NAME = "Linux"


def rules() -> tuple[Rule, ...]:
    """All recommendations, in the order of their numbers."""
    from converge.shipped.cis.linux import access, auditing, logging, network, services, system

    return (*system.RULES, *services.RULES, *network.RULES, *access.RULES, *logging.RULES, *auditing.RULES)


def declare(r: Run, wanted: Iterable[Rule], given: Options) -> None:
    """Declare these recommendations."""
    from converge.shipped.cis.linux.shared_files import declare_gathered

    _check_kept(given)
    machine = Machine(r, given, edition(r.platform, given))
    for each in wanted:
        each.declare(machine)
    declare_gathered(machine)


def _check_kept(given: Options) -> None:
    """Raises BadValue for a name that no recommendation removes: it would keep nothing, and say nothing."""
    declarations = (each for rule in rules() for each in rule.declarations)
    removed = {name for each in declarations if isinstance(each, Gone) for name in each.packages}
    for name in given.keep:
        if name not in removed:
            raise BadValue("keep", f"cis removes no package {name!r}{nearest(name, removed)}; leave it out")


def edition(platform: Platform, given: Options) -> Edition:
    """The one that is named, or this machine's; for pretended machines and unknown releases the newest."""
    if given.edition is not None:
        return given.edition
    if platform.distro != "ubuntu":
        return "debian-12"
    return "ubuntu-22.04" if _release() == ("ubuntu", "22.04") else "ubuntu-24.04"


def _release() -> tuple[str, str]:
    """ID and VERSION_ID of os-release(5) of this machine."""
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as file:
            pairs = (line.strip().partition("=") for line in file)
            values = {key: value.strip("\"'") for key, _, value in pairs}
    except OSError:
        return "", ""
    return values.get("ID", ""), values.get("VERSION_ID", "")


__all__ = ["NAME", "Options", "declare", "edition", "rules"]
