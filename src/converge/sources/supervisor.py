"""Opens the source for each trigger type, and restarts sources that fail.

A source that breaks is made anew after 1 s, 2 s, … at most 5 min; meanwhile what it watched is polled, and once it is
back everything is looked at, since nobody heard what happened in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from converge.core.platform import this_os
from converge.core.trigger import (
    Every,
    FirewallChanged,
    HostnameChanged,
    LinkChanged,
    MountsChanged,
    PathChanged,
    ProcessEnded,
    RegistryChanged,
    ServiceChanged,
    Trigger,
    UnitChanged,
)
from converge.host.fs.os_errors import describe_os_error
from converge.sources.base import Mark, Report, Source
from converge.sources.timer import TimerSource

POLL = 30.0
"""Seconds between looks at what sends no news."""
_FIRST_RETRY = 1.0
_LONGEST_RETRY = 300.0

Failed: TypeAlias = Callable[[BaseException], None]
Poll: TypeAlias = Callable[[str, float], None]
Opener: TypeAlias = Callable[[Mark, Report, Failed, Poll], Source]


def open_paths(mark: Mark, report: Report, failed: Failed, poll: Poll) -> Source:
    """News about paths. Raises OSError where the kernel gives none."""
    from converge.sources.paths import PathSource

    if this_os() == "darwin":
        from converge.sources.darwin.kqueue import Kqueue

        return PathSource(mark, report, failed, poll, kernel=Kqueue, mountinfo="")
    return PathSource(mark, report, failed, poll)


def open_units(mark: Mark, report: Report, failed: Failed, poll: Poll) -> Source:
    """News about units of systemd."""
    from converge.sources.linux.units import UnitSource

    del report, poll  # all of it is told, or the source fails
    return UnitSource(mark, failed)


def open_hostname(mark: Mark, report: Report, failed: Failed, poll: Poll) -> Source:
    """News of the machine's name. Raises OSError where the kernel gives none."""
    from converge.sources.linux.hostname import HostnameSource

    del report, poll  # all of it is told, or the source fails
    return HostnameSource(mark, failed)


def open_mounts(mark: Mark, report: Report, failed: Failed, poll: Poll) -> Source:
    """News of mounts. Raises OSError where the kernel tells of none."""
    from converge.sources.linux.mounts import MountNews

    del report, poll  # all of it is told, or the source fails
    return MountNews(mark, failed)


def open_firewall(mark: Mark, report: Report, failed: Failed, poll: Poll) -> Source:
    """News of the packet filter. Raises OSError where the kernel gives none, as to others than root."""
    from converge.sources.linux.nftables import FirewallNews

    del report, poll  # all of it is told, or the source fails
    return FirewallNews(mark, failed)


def open_links(mark: Mark, report: Report, failed: Failed, poll: Poll) -> Source:
    """News of network interfaces, addresses and routes. Raises OSError where the kernel gives none."""
    from converge.sources.linux.links import LinkNews

    del report, poll  # all of it is told, or the source fails
    return LinkNews(mark, failed)


def open_registry(mark: Mark, report: Report, failed: Failed, poll: Poll) -> Source:
    """News of the registry. Raises ImportError where the system has none."""
    del report, failed  # all of it is told, or polled
    if sys.platform == "win32":
        from converge.sources.windows.registry import RegistrySource

        return RegistrySource(mark, poll)
    raise ImportError("only Windows has a registry")


def open_services(mark: Mark, report: Report, failed: Failed, poll: Poll) -> Source:
    """News of services of Windows. Raises ImportError where there are none."""
    del report  # all of it is told, or polled
    if sys.platform == "win32":
        from converge.sources.windows.services import ServiceSource

        return ServiceSource(mark, failed, poll)
    raise ImportError("only Windows has these services")


def open_processes(mark: Mark, report: Report, failed: Failed, poll: Poll) -> Source:
    """News of processes. Raises ImportError where there is none."""
    del report, poll  # all of it is told, or the source fails
    if this_os() == "darwin":
        from converge.sources.darwin.processes import ProcessSource

        return ProcessSource(mark, failed)
    raise ImportError("only macOS tells of any process")


OPENERS: dict[type[Trigger], Opener] = {
    PathChanged: open_paths,
    UnitChanged: open_units,
    HostnameChanged: open_hostname,
    MountsChanged: open_mounts,
    FirewallChanged: open_firewall,
    LinkChanged: open_links,
    RegistryChanged: open_registry,
    ServiceChanged: open_services,
    ProcessEnded: open_processes,
}


class SourceSupervisor:
    """All sources of a daemon, behind one verb. Lives on the running loop."""

    def __init__(
        self, mark: Mark, polled: Mark, report: Report, openers: dict[type[Trigger], Opener] | None = None
    ) -> None:
        self._mark = mark
        self._report = report
        self._timer = TimerSource(polled)
        self._wanted: dict[str, tuple[Trigger, ...]] = {}
        self._kept = {
            trigger: _Kept(self, opener) for trigger, opener in (OPENERS if openers is None else openers).items()
        }

    def watch(self, key: str, triggers: Sequence[Trigger]) -> bool:
        """Mark ``key`` on any of these from now on, and on nothing else; none ends it. Returns whether that is new."""
        before = self._wanted.get(key, ())
        wanted = tuple(triggers)
        if wanted == before:
            return False
        if wanted:
            self._wanted[key] = wanted
        else:
            del self._wanted[key]
        self._timer.watch(key, [trigger for trigger in wanted if isinstance(trigger, Every)])
        for trigger_type, kept in self._kept.items():
            mine = [trigger for trigger in wanted if isinstance(trigger, trigger_type)]
            if mine or any(isinstance(trigger, trigger_type) for trigger in before):
                kept.watch(key, mine)
        return True

    def watched(self) -> list[str]:
        return list(self._wanted)

    def close(self) -> None:
        for kept in self._kept.values():
            kept.close()
        self._timer.close()

    # --- for the kept sources -----------------------------------------------------------------------------

    def poll(self, key: str, seconds: float) -> None:
        self._timer.poll(key, seconds)

    def told(self, key: str) -> None:
        self._mark(key)

    def report(self) -> Report:
        return self._report


def _why(error: BaseException) -> str:
    return describe_os_error(error) if isinstance(error, OSError) else str(error) or type(error).__name__


class _Kept:
    """One source, opened when first needed and again whenever it breaks."""

    def __init__(self, watching: SourceSupervisor, opener: Opener) -> None:
        self._watching = watching
        self._opener = opener
        self._source: Source | None = None
        self._wanted: dict[str, list[Trigger]] = {}
        self._delay = _FIRST_RETRY
        self._opened_at = 0.0
        self._retry: asyncio.TimerHandle | None = None
        self._never = False
        """This platform has no such source."""

    def watch(self, key: str, triggers: list[Trigger]) -> None:
        if triggers:
            self._wanted[key] = triggers
        else:
            self._wanted.pop(key, None)
        if self._source is not None:
            self._watch(self._source, {key: triggers})
        elif self._retry is None and not self._never:
            self._open()
        else:
            self._watching.poll(key, POLL if triggers else 0.0)

    def close(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        self._drop()

    def _drop(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            with contextlib.suppress(Exception):  # it is broken, and of no use any more
                source.close()

    def _watch(self, source: Source, wanted: Mapping[str, list[Trigger]]) -> None:
        """One that breaks by this is made anew, whatever it raises."""
        try:
            for key, triggers in wanted.items():
                if self._source is source:  # else it broke meanwhile, and all of its keys are polled
                    source.watch(key, triggers)
        except Exception as error:  # noqa: BLE001 - no source ends the daemon
            self._broke(error)

    def _open(self) -> None:
        watching = self._watching
        try:
            self._source = self._opener(watching.told, watching.report(), self._broke, watching.poll)
        except (ImportError, AttributeError, NotImplementedError) as error:  # no such module, or name in one
            self._lacking(error)
            return
        except Exception as error:  # noqa: BLE001 - no source ends the daemon
            self._broke(error)
            return
        self._opened_at = asyncio.get_running_loop().time()
        self._watch(self._source, dict(self._wanted))

    def _lacking(self, error: BaseException) -> None:
        """What the source is made with does not exist here, and will not: polling is all there is."""
        self._never = True
        self._watching.report()(
            "info",
            f"news of some kinds cannot be had on this system ({error}); what needs it is polled every {POLL:.0f} s",
        )
        for key in self._wanted:
            self._watching.poll(key, POLL)

    def _broke(self, error: BaseException) -> None:
        if self._source is not None:
            self._drop()
            if asyncio.get_running_loop().time() - self._opened_at > _LONGEST_RETRY:
                self._delay = _FIRST_RETRY
        self._watching.report()(
            "warning", f"news from the system stopped ({_why(error)}); polling, and trying again in {self._delay:.0f} s"
        )
        for key in self._wanted:
            self._watching.poll(key, POLL)
        self._retry = asyncio.get_running_loop().call_later(self._delay, self._again)
        self._delay = min(self._delay * 2, _LONGEST_RETRY)

    def _again(self) -> None:
        self._retry = None
        for key in self._wanted:
            self._watching.poll(key, 0.0)
        self._open()
        if self._source is None:
            return
        self._watching.report()("info", "news from the system is back")
        for key in self._wanted:
            self._watching.told(key)
