"""Path events: one kernel watch descriptor for all keys, whether or not the paths exist."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Iterable
from typing import Final

from converge.core.trigger import PathChanged
from converge.sources.base import Mark, Report
from converge.sources.linux.mounts import MountSource
from converge.sources.unwatched import LIMITS, Blind, Poll
from converge.sources.watch_node import Node
from converge.sources.watch_tree import ENTRIES, GONE, IGNORED, ISDIR, OVERFLOW, Kernel, Watches

_BUFFER: Final = 1 << 16  # some 2,000 events, a few milliseconds: nobody else waits longer than that for the loop
_QUIET: Final = 60.0  # a storm of changes overflows many times; once a minute is enough to know
_REST: Final = 0.02
"""Seconds without a look at the queue in a burst, which costs least when it is read in few pieces."""
_BURST: Final = 200
_WITHIN: Final = 0.05
"""So many events in so many seconds are a burst; one file that flaps is none, and must not delay news of others."""
_ROUNDS: Final = 40  # the kernel follows no more links than that


class PathSource:
    """Serves :class:`PathChanged`.

    ``poll(key, seconds)`` is called for keys whose changes the kernel will not tell, and with 0 when it does again.
    ``kernel`` opens what watches, and raises OSError where it cannot; inotify if nothing is said. Without ``mountinfo``
    mounts are not told.
    """

    def __init__(
        self,
        mark: Mark,
        report: Report,
        failed: Callable[[BaseException], None],
        poll: Poll,
        *,
        kernel: Callable[[Report], Kernel] | None = None,
        seconds: float = 30.0,
        mountinfo: str = "/proc/self/mountinfo",
    ) -> None:
        self._mark = mark
        self._report = report
        self._failed = failed
        self._seconds = seconds
        self._watched: dict[str, tuple[Node, ...]] = {}
        opened = _inotify(report) if kernel is None else kernel(report)
        self._blind = Blind(report, poll, seconds, opened.limit)
        self._timer: asyncio.TimerHandle | None = None
        self._reviewing: asyncio.Handle | None = None
        self._quiet_until = 0.0
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._watches = Watches(opened, self._blind)
        self._mounts: MountSource | None = None
        try:
            if mountinfo:
                self._mounts = MountSource(self.remounted, self._fail, mountinfo)
                self._watches.mounts = self._mounts.mounts
        except OSError as error:
            report("warning", f"mounts are not watched: cannot read {mountinfo}: {error.strerror}")
        self._watches.arm(self._watches.root)
        self._counting_since = -math.inf
        self._counted = 0
        self._resting: asyncio.TimerHandle | None = None
        self._listen()

    @property
    def polled(self) -> frozenset[str]:
        """The keys whose changes the kernel will not tell."""
        return frozenset(self._blind.polled)

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Watch these paths for a key, and no others."""
        if self._closed:
            return
        wanted: dict[str, bool] = {}
        for trigger in triggers:
            if isinstance(trigger, PathChanged):
                path = trigger.path if _is_plain(trigger.path) else os.path.abspath(trigger.path)
                if _possible(path):
                    wanted[path] = trigger.deep or wanted.get(path, False)
        former = self._watched.pop(key, ())
        if wanted:
            self._watched[key] = tuple(self._watches.insert(path, key, deep) for path, deep in wanted.items())
        for node in former:
            if node not in self._watched.get(key, ()):
                self._watches.forget(node, key)
        if not wanted:
            self._blind.forget(key)
        self._review_soon()

    def remounted(self, points: list[str]) -> None:
        """Something else is mounted at these places now: arm anew and mark all that lies at or below them."""
        if self._mounts is not None:
            self._watches.mounts = self._mounts.mounts
        for point in points:
            self._blind.remounted(point)
        self._news(dict.fromkeys(node for point in points for node in self._watches.nodes_at(point)))

    def close(self) -> None:
        """Stop, and give everything back. May be called more than once."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._watches.fileno())
        self._watches.close()
        if self._mounts is not None:
            self._mounts.close()
        for handle in (self._timer, self._reviewing, self._resting):
            if handle is not None:
                handle.cancel()

    # --- events -------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._loop.add_reader(self._watches.fileno(), self._read)

    def _read(self) -> None:
        try:
            events = self._watches.read(_BUFFER)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        self._rest_in_a_burst(len(events))
        moved: dict[Node, None] = {}
        touched: dict[Node, None] = {}
        stirred: dict[Node, None] = {}
        overflow = False
        owners = self._watches.owners
        for wd, mask, _, name in events:
            if mask & OVERFLOW:
                overflow = True
            for node in self._watches.ignored(wd) if mask & IGNORED else owners.get(wd, ()):
                if not name:
                    (moved if mask & GONE else touched)[node] = None
                    continue
                child = node.children.get(name)
                if node.deep:
                    stirred[node] = None
                    if child is None and mask & ENTRIES and mask & ISDIR:
                        child = node.children[name] = Node(name, node)
                if child is not None:
                    (moved if mask & ENTRIES else touched)[child] = None
        if overflow:
            moved = {self._watches.root: None}
            if self._loop.time() >= self._quiet_until:
                self._quiet_until = self._loop.time() + _QUIET
                self._report("warning", "the kernel's queue of file changes overflowed; everything is checked again")
        keys = dict.fromkeys(key for node in stirred for key in node.deep_keys())
        self._news(moved, touched, keys)

    def _rest_in_a_burst(self, count: int) -> None:
        now = self._loop.time()
        if now > self._counting_since + _WITHIN:
            self._counting_since, self._counted = now, 0
        self._counted += count
        if self._counted >= _BURST:
            self._loop.remove_reader(self._watches.fileno())
            self._resting = self._loop.call_later(_REST, self._listen)

    def _news(
        self,
        moved: Iterable[Node],
        touched: Iterable[Node] = (),
        keys: Iterable[str] = (),
    ) -> None:
        """Arm anew what moved and what is reached through it by a link; only then mark."""
        marks = dict.fromkeys(keys)
        queue = dict.fromkeys(touched)
        touched = set(queue)
        while queue:  # what is written where a link leads is news for the link
            queue = dict.fromkeys(_sort(queue, marks).keys() - touched)
            touched.update(queue)
        queue = dict.fromkeys(moved)
        seen: set[Node] = set()
        for _ in range(_ROUNDS):
            followers: dict[Node, None] = {}
            for node in filter(Node.is_alive, queue):
                changed = self._watches.arm(node)
                marks.update(dict.fromkeys(node.parent.deep_keys()))
                reached = _sort(node.below(), marks)
                followers.update(reached if changed else dict.fromkeys(reached.keys() - seen))
            seen.update(followers)
            queue = followers
        self._review_soon()
        for key in marks:
            self._mark(key)

    # --- what the kernel does not tell ----------------------------------------------------------------------

    def _review_soon(self) -> None:
        blind = self._blind
        if self._reviewing is None and blind.stale and (blind.nodes or blind.silent or blind.polled):
            self._reviewing = self._loop.call_soon(self._review)

    def _review(self) -> None:
        self._reviewing = None
        self._blind.review()
        self._retry_later()

    def _retry_later(self) -> None:
        if self._blind.nodes and self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._retry)

    def _retry(self) -> None:
        """Try again what could not be watched."""
        self._timer = None
        healed = []
        for node, error in list(self._blind.nodes.items()):
            if node.is_alive():
                self._watches.arm(node)
            if node not in self._blind.nodes:
                healed.append(node)
            elif error in LIMITS:
                break  # nor will the others be had
        self._news(healed)
        self._retry_later()

    def _fail(self, error: BaseException) -> None:
        if not self._closed:
            self.close()
            self._failed(error)


def _inotify(report: Report) -> Kernel:
    from converge.sources.linux.inotify import Inotify

    return Inotify(report)


def _is_plain(path: str) -> bool:
    """Whether it is certainly absolute and free of ``.``, ``..`` and empty names."""
    return path.startswith("/") and not path.endswith("/") and "/." not in path and "//" not in path


def _possible(path: str) -> bool:
    """Whether there can be a file with such a name; where there cannot, nothing will ever happen to it."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _sort(nodes: Iterable[Node], marks: dict[str, None]) -> dict[Node, None]:
    """Add the keys of some nodes to the marks; return the links that lead to them."""
    links: dict[Node, None] = {}
    for node in nodes:
        for key in node.keys:
            if isinstance(key, str):
                marks[key] = None
            else:
                links[key] = None
    return links
