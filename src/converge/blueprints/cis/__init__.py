"""``cis``: level 1 of the CIS benchmarks for a Debian or Ubuntu server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from converge.blueprints.cis.catalogue import EDITIONS, SECTIONS, Machine, Options, Section, TimeService
from converge.declaration import Run
from converge.errors import ConvergeError, nearest

if TYPE_CHECKING:
    from converge.blueprints.cis.catalogue import Rule

BANNER = "Authorized use only. What is done on this machine may be recorded and looked at.\n"


def cis(
    r: Run,
    sections: Sequence[Section] = (),
    skip: Sequence[str] = (),
    keep: Sequence[str] = (),
    ports: Sequence[str] = (),
    ssh_from: Sequence[str] = (),
    ssh_port: int = 22,
    administrators: Sequence[str] = (),
    banner: str = BANNER,
    cron_users: Sequence[str] = ("root",),
    forwarding: bool = False,
    static_ipv6: bool = False,
    time_service: TimeService = "systemd-timesyncd",
    time_servers: Sequence[str] = (),
) -> None:
    """The recommendations of level 1 that can be kept whole and do no harm; docs/blueprints/cis.md has them all.

    ``sections``: only these; empty is all of them.
    ``skip``: sections, numbers such as ``5.1.16``, or the beginnings of numbers such as ``2.1``, that are left out.
    ``keep``: packages that the benchmark wants removed, and that are what this machine is for.
    ``ports``, ``ssh_from``, ``ssh_port``: what the firewall lets in, as for ``linux_server``.
    ``administrators``: whose SSH key allows to refuse root; the members of sudo and admin where it is empty.
    ``banner``: what is shown before and after a login.
    ``cron_users``: who may have a crontab, and use at(1).
    ``forwarding``: this machine passes packets on, as a router does, and a host of containers.
    ``static_ipv6``: its IPv6 addresses are set by hand, so that routers need not be listened to.
    ``time_service``, ``time_servers``: what keeps the clock right, and from where; no servers leaves those there are.
    """
    if r.platform.distro not in EDITIONS:
        raise ConvergeError(f"cis is made for Debian and Ubuntu, and this is {r.platform.distro or r.platform.os}")
    given = Options(
        keep, ports, ssh_from, ssh_port, administrators, banner, cron_users, forwarding, static_ipv6, time_service,
        time_servers,
    )  # fmt: skip
    declare(r, chosen(sections, skip), given)


def rules() -> tuple[Rule, ...]:
    """All recommendations, in the order of their numbers."""
    from converge.blueprints.cis import access, logging, network, services, system

    return (*system.RULES, *services.RULES, *network.RULES, *access.RULES, *logging.RULES)


def chosen(sections: Sequence[str], skip: Sequence[str]) -> list[Rule]:
    """Those that are wanted. Raises ConvergeError for what is called like none."""
    everything = rules()
    for name in skip:
        if not any(each.is_called(name) for each in everything):
            raise ConvergeError(f"skip: nothing in cis is called {name!r}{nearest(name, SECTIONS)}")
    wanted = [each for each in everything if not sections or each.section in sections]
    return [each for each in wanted if not any(each.is_called(name) for name in skip)]


def declare(r: Run, wanted: Iterable[Rule], given: Options) -> None:
    """Declare these recommendations."""
    from converge.blueprints.cis.gathered import declare_gathered

    machine = Machine(r, given, ubuntu=r.platform.distro == "ubuntu")
    for each in wanted:
        each.declare(machine)
    declare_gathered(machine)
