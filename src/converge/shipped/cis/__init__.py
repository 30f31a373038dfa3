"""``cis``: level 1 of the CIS benchmarks, for Debian and Ubuntu servers, Windows servers and Macs.

What the systems have in common is the choice of recommendations; each has a folder with its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import ModuleType

from converge.blueprints.run import Run
from converge.core.errors import ConvergeError
from converge.core.platform import Platform
from converge.shipped.cis.linux.tables import Edition, TimeService
from converge.shipped.cis.selection import chosen

BANNER = "Authorized use only. What is done on this machine may be recorded and looked at.\n"


def cis(
    r: Run,
    sections: Sequence[str] = (),
    skip: Sequence[str] = (),
    also: Sequence[str] = (),
    banner: str = BANNER,
    keep: Sequence[str] = (),
    ports: Sequence[str] = (),
    ssh_from: Sequence[str] = (),
    ssh_port: int = 22,
    administrators: Sequence[str] = (),
    cron_users: Sequence[str] = ("root",),
    forwarding: bool = False,
    static_ipv6: bool = False,
    time_service: TimeService = "systemd-timesyncd",
    time_servers: Sequence[str] = (),
    ssh_users: Sequence[str] = (),
    ssh_groups: Sequence[str] = (),
    edition: Edition | None = None,
    unguarded: Sequence[str] = (),
    password_length: int | None = None,
    password_days: int = 365,
    lockout_after: int = 5,
    lockout_minutes: int = 15,
    idle_seconds: int | None = None,
    banner_title: str = "Authorized use only",
    audit_both: bool = False,
    people: Sequence[str] = (),
) -> None:
    """The recommendations of level 1 that can be kept whole and do no harm; docs/blueprints/cis.md has them all.

    ``sections``: only these; empty is all of them.
    ``skip``: sections, numbers such as ``5.1.16``, or the beginnings of numbers such as ``2.1``, that are left out.
    ``also``: those of level 2, and others that are left out unless they are named here, in the same way.
    ``banner``: what is shown before a login, and on Linux after it.

    On Linux:
    ``keep``: packages that the benchmark wants removed, and that are what this machine is for.
    ``ports``, ``ssh_from``, ``ssh_port``: what the firewall lets in, as for ``linux_server``.
    ``administrators``: whose SSH key allows to refuse root; the members of sudo and admin where it is empty.
    ``cron_users``: who may have a crontab, and use at(1).
    ``forwarding``: this machine passes packets on, as a router does, and a host of containers.
    ``static_ipv6``: its IPv6 addresses are set by hand, so that routers need not be listened to.
    ``time_service``, ``time_servers``: what keeps the clock right, and from where; no servers leaves those there are.
    ``ssh_users``, ``ssh_groups``: who may log in by SSH at all; nobody else may, so name yourself.
    ``edition``: whose numbers are meant and shown; unset, this machine's.

    On Windows and macOS:
    ``unguarded``: what may be done although it can lock an administrator out.
    ``password_length``, ``password_days``: of passwords at least, and until one must be another.
    ``lockout_after``, ``lockout_minutes``: wrong passwords until an account is locked, and for how long.
    ``idle_seconds``: until a session that nobody uses is locked, or has a screen saver.
    ``banner_title``: what stands above the banner; on Windows.
    ``audit_both``: successes and failures are logged for each subcategory of section 17; on Windows.
    ``people``: whose own settings are looked after; on macOS.
    """
    given = {name: value for name, value in locals().items() if name not in ("r", "sections", "skip", "also")}
    system = _system(r.platform)
    for name, value in given.items():
        if name not in system.Options._fields and value != _DEFAULTS[name]:
            raise ConvergeError(f"{name} is no parameter of cis on {system.NAME}")
    options = system.Options(**_known(given, system))
    wanted = chosen(system.rules(), sections, skip, also, system.edition(r.platform, options))
    system.declare(r, wanted, options)


_DEFAULTS = {name: parameter.default for name, parameter in inspect.signature(cis).parameters.items()}


def _known(given: Mapping[str, object], system: ModuleType) -> dict[str, object]:
    """What is given of a system's own parameters; what is not has the default of its benchmark."""
    return {name: value for name, value in given.items() if name in system.Options._fields and value is not None}


_SYSTEMS = {"debian": "linux", "ubuntu": "linux", "windows": "windows", "darwin": "darwin"}


def _system(platform: Platform) -> ModuleType:
    """The recommendations for a machine."""
    from importlib import import_module

    name = platform.distro or platform.os
    if name not in _SYSTEMS:
        raise ConvergeError(f"cis is made for Debian, Ubuntu, Windows and macOS, and this is {name}")
    return import_module(f"{__name__}.{_SYSTEMS[name]}")
