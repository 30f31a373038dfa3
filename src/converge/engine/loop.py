"""The event loop: drives the scheduler with real time, threads and event sources, on asyncio.

One turn takes what may start, hands it to threads, and passes on what happened. Turns are asked for by whatever may
have changed the answer: a result, news from a source, a timer. Between them nothing runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from converge.core.errors import ConvergeError, ResourceError
from converge.core.resource import Resource
from converge.core.trigger import Every, Trigger
from converge.engine.dispatch import CHANGING, Dispatcher
from converge.engine.events import (
    Began,
    Ended,
    Notice,
    Observer,
    Summary,
    Watching,
)
from converge.engine.gathering import Ask, Gathering, Triggers
from converge.engine.job import Result
from converge.engine.ledger import Ledger
from converge.engine.node import Node
from converge.engine.reload import NotNow, Reloader
from converge.engine.reporting import Reporting
from converge.engine.scheduler import Scheduler, Task
from converge.engine.settings import Settings
from converge.engine.shutdown import ShutdownGuard
from converge.engine.signals import ControllingTerminal, Stuck, attended
from converge.engine.tidying import Tidying
from converge.graph.graph import Graph
from converge.host import process
from converge.host.exhaustion import none_left
from converge.sources.supervisor import POLL, SourceSupervisor
from converge.sources.wake import WakeSource

Handler: TypeAlias = Callable[[bool], None]
"""What an event for a key calls; told whether it came by polling."""
_HUNG_UP = 0
"""In the place of a signal's number: SIGHUP of a terminal that is gone."""


class Loop:
    """One run of ``plan`` or ``serve``."""

    def __init__(
        self,
        name: str,
        graph: Graph,
        settings: Settings,
        observers: Sequence[Observer],
        *,
        ledger: Ledger | None = None,
        planning: bool = False,
    ) -> None:
        self._name = name
        self._graph = graph
        self._settings = settings
        self._observers = observers
        self._ledger = ledger
        self._planning = planning
        self.interrupted = False
        self.gave_up: str | None = None
        """Which critical resource failed, where that ended the run."""
        self.unheard = False
        """A reader of our output did not read the end of it, or the loop hangs; who waits for them, waits for ever."""
        self._handlers: dict[str, Handler] = {}
        self._signals: deque[int] = deque()
        self._listening = False
        self._terminal = ControllingTerminal()
        self._output_error: OSError | None = None

    def run(self, reloader: Reloader | None = None) -> Summary:
        """Until all is done (plan, serve with a timeout) or we are told to stop. Raises nothing of the resources'."""
        if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
            return asyncio.run(self._run(reloader))
        numbers = [signal.SIGINT] if self._planning else [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        grace = self._settings.stop_grace
        try:
            return attended(lambda: asyncio.run(self._run(reloader)), self._signalled, numbers, grace)
        except Stuck:
            self.interrupted = self.unheard = True
            process.end_all()
            return Summary()

    async def _run(self, reloader: Reloader | None) -> Summary:
        self._loop = loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._broke)
        self._began = loop.time()
        self._done: asyncio.Future[None] = loop.create_future()
        self._turn_handle: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watching_told = False
        self._ready = False
        self._reporting = reporting = Reporting(self._observers, self._output_failed, planning=self._planning)
        self._dispatcher = Dispatcher(
            self._settings, self._arrived, self._timed_out, self._returned, reporting.notice, reporting.works
        )
        daemon = not self._planning and not self._settings.timeout
        kinds = Counter(resource.kind for resource in self._graph.resources)
        reporting.tell(Began(self._name, "plan" if self._planning else "serve", kinds.total(), daemon, kinds))
        for warning in self._graph.warnings:
            reporting.tell(Notice("warning", warning))
        self._sources = None if self._planning else SourceSupervisor(self._mark, self._polled, reporting.notice)
        self._reloader = reloader
        self._reload_put_off = False
        self._wanted_graph = self._graph
        self._taking: asyncio.Task[None] | None = None
        self._wake: WakeSource | None = None
        self._shutdown_guard = ShutdownGuard(self._heard_of_shutdown)
        self._scheduler = Scheduler(
            self._graph, self._settings, now=self._now(), ledger=self._ledger, planning=self._planning
        )
        self._tidying: Tidying | None = None
        if sys.platform == "win32":
            self._listen_on_windows()
        self._listening = True
        self._act_on_signals()
        try:
            if self._sources is not None:
                self._wake = WakeSource(self._woke)
                self._watch_all(await self._gathered(self._graph))
                self._tidying = Tidying(self._graph.resources, partial(reporting.notice, "warning"))
                await self._tidying.run()
            self._ready = True
            self._turn_soon()
            await self._done
            return self._end()
        finally:
            self._close()
            told = await reporting.finish(hurried=self.interrupted or not self._settings.timeout)
            self.unheard = self.unheard or not told

    # --- turns --------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._loop.time()

    def _turn_soon(self) -> None:
        if self._turn_handle is None and self._ready:
            self._turn_handle = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_handle = None
        scheduler = self._scheduler
        now = self._now()
        tasks = () if self._shutdown_guard.holds() else scheduler.take(now)
        if tasks:
            self._dispatcher.start(tasks)
        self._pass_on()
        if not self._watching_told and scheduler.converged_once():
            self._first_done()
        if self._finished(now):
            if not self._done.done():
                self._done.set_result(None)
            return
        self._sleep(now)

    def _sleep(self, now: float) -> None:
        """Ask for a turn when time alone calls for one."""
        due = math.inf if self._shutdown_guard.holds() else self._scheduler.next_due()
        if self._settings.timeout and not self._planning and self._scheduler.quiet():
            due = min(due, self._scheduler.last_change + self._settings.timeout)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due < math.inf:
            self._timer = self._loop.call_at(max(due, now), self._turn_soon)

    def _finished(self, now: float) -> bool:
        scheduler = self._scheduler
        if scheduler.stopped:
            hurried = self.interrupted or self._output_error is not None
            return not self._dispatcher.applying() and (hurried or not scheduler.running)
        if self._planning:
            return scheduler.quiet()
        return (
            bool(self._settings.timeout)
            and scheduler.quiet()
            and (now >= scheduler.last_change + self._settings.timeout)
        )

    def _first_done(self) -> None:
        self._watching_told = True
        if not self._planning and not self._scheduler.stopped:
            self._scheduler.last_change = self._now()
            self._reporting.tell(Watching(len(self._scheduler.nodes), self._summary()))
            self._reporting.flush()

    # --- what comes in ------------------------------------------------------------------------------------

    def _mark(self, key: str) -> None:
        if handler := self._handlers.get(key):  # else it has left the blueprint meanwhile
            handler(False)

    def _polled(self, key: str) -> None:
        if handler := self._handlers.get(key):
            handler(True)

    def _handlers_of(self, graph: Graph) -> dict[str, Handler]:
        """A handler for each key that is watched: of resources, of their conditions, and our own."""
        handlers: dict[str, Handler] = {self._shutdown_guard.key: lambda _polled: self._shutdown_guard.look()}
        if self._reloader is not None:
            handlers[self._reloader.key] = partial(self._heard_of_blueprint, self._reloader)
        for resource in graph.resources:
            handlers[resource.id] = partial(self._heard_of_resource, resource.id)
            if resource.condition is not None:
                handlers[_condition_of(resource)] = partial(self._heard_of_condition, resource.id)
        return handlers

    def _heard_of_resource(self, id: str, polled: bool) -> None:
        self._scheduler.mark(id, self._now(), polled=polled)
        self._turn_soon()

    def _heard_of_condition(self, id: str, _polled: bool) -> None:
        self._scheduler.mark_condition(id, self._now())
        self._turn_soon()

    def _heard_of_blueprint(self, reloader: Reloader, polled: bool) -> None:
        if polled:
            reloader.look(self._loop, self._reload_soon)
        else:
            self._reload_soon()

    def _woke(self, seconds: float) -> None:
        self._reporting.notice("info", f"the machine slept for {seconds:.0f} s; looking at everything once")
        self._scheduler.mark_all(self._now())
        self._turn_soon()

    def _heard_of_shutdown(self, before: bool, now: bool) -> None:
        if now and not before:
            self._reporting.notice("info", "the machine is shutting down; nothing more is started")
        elif before and not now:
            self._reporting.notice("info", "the shutdown was called off; looking at everything once")
            self._scheduler.mark_all(self._now())
        self._turn_soon()

    def _arrived(self, results: Sequence[Result]) -> None:
        scheduler, now = self._scheduler, self._now()
        for task, found, met, began, took, triggers in results:
            node = task.node
            if triggers is not None and task.verb != "condition":
                self._watch_again(node, triggers)
            if isinstance(found, Exception):
                if of := none_left(found):
                    self._dispatcher.ran_short(of)
                scheduler.failed(node, found, task.state, now=now, took=took)
            elif task.verb == "check":
                scheduler.checked(node, found, began=began, now=now, took=took)
            elif task.verb == "apply":
                scheduler.applied(node, task.state, found, began=began, now=now, took=took)
            elif task.verb == "refresh":
                scheduler.refreshed(node, task.causes, now=now, took=took)
            else:
                scheduler.condition_answered(node, met, now=now)
                self._watch_condition(node, met, triggers)
        self._turn_soon()

    def _timed_out(self, task: Task, limit: float) -> None:
        error = ResourceError(f"the {task.verb} did not end within {limit:g} s; it is left alone until it does")
        self._scheduler.failed(task.node, error, task.state, now=self._now(), took=limit, hung=True)
        self._turn_soon()

    def _returned(self, task: Task) -> None:
        self._scheduler.returned(task.node)
        self._turn_soon()

    # --- what goes out ------------------------------------------------------------------------------------

    def _pass_on(self) -> None:
        try:
            self._reporting.outcomes(self._scheduler.recorder.take())
        except OSError as error:
            self._fail(error)

    def _output_failed(self, error: OSError) -> None:
        """Called on the thread that writes."""
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits for us to say so
            self._loop.call_soon_threadsafe(self._end_unread, error)

    def _end_unread(self, error: OSError) -> None:
        """Nobody reads what we say, and so nobody waits for how it ends; but what is being applied may finish."""
        if self._output_error is None:
            self._output_error = error
            self._wind_up("its output cannot be written")

    def _summary(self) -> Summary:
        return self._reporting.summary(self._scheduler.nodes, self._now() - self._began)

    def _end(self) -> Summary:
        if self._output_error is not None:
            raise self._output_error
        summary = self._summary()
        if not self.interrupted:
            self.gave_up = self._scheduler.stopped
        self._reporting.tell(Ended(summary, self.interrupted))
        self._reporting.flush()
        return summary

    def _broke(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A fault of our own: better to end, and be started anew, than to seem alive and keep nothing right."""
        error = context.get("exception")
        self._fail(error if isinstance(error, Exception) else RuntimeError(str(context.get("message"))))

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    def _watch_again(self, node: Node, triggers: Sequence[Trigger]) -> None:
        """News may come from elsewhere by now; what came before it was watched for is seen by one more check."""
        id = node.resource.id
        if self._sources is not None and not node.retired and self._sources.watch(id, triggers):
            self._mark(id)

    def _watch_condition(self, node: Node, met: bool, triggers: Sequence[Trigger] | None) -> None:
        """Until a condition holds, news of it may come from elsewhere after each look, as from a user who is new."""
        if self._sources is None or triggers is None or node.retired:
            return
        key = _condition_of(node.resource)
        if self._sources.watch(key, triggers) and not met:
            self._mark(key)

    # --- beginning and end --------------------------------------------------------------------------------

    async def _gathered(self, graph: Graph) -> Triggers:
        """What would tell of each resource, and of each condition."""
        asks: list[tuple[str, Ask]] = [(resource.id, resource.triggers) for resource in graph.resources]
        asks += [
            (_condition_of(resource), resource.condition.triggers)
            for resource in graph.resources
            if resource.condition is not None
        ]
        late = partial(self._watch_late, graph)
        return await Gathering(asks, (Every(POLL),), partial(self._reporting.notice, "warning"), late).run()

    def _watch_late(self, graph: Graph, found: Triggers) -> None:
        if self._sources is not None and graph is self._graph and not self._done.done():
            for key, triggers in found.items():
                if self._sources.watch(key, triggers):
                    self._mark(key)

    def _watch_all(self, wanted: Triggers) -> None:
        """Before the first check, so that nothing that happens in between is missed."""
        self._handlers = self._handlers_of(self._graph)
        sources = self._sources
        if sources is None:
            return
        if self._reloader is not None:
            wanted[self._reloader.key] = self._reloader.triggers()
        wanted[self._shutdown_guard.key] = self._shutdown_guard.triggers()
        for key in sources.watched():
            if key not in wanted:
                sources.watch(key, ())
        for key, triggers in wanted.items():
            sources.watch(key, triggers)

    def _signalled(self, number: int) -> bool:
        """Called on the main thread, at any moment; returns whether this signal means to stop."""
        hung_up = sys.platform != "win32" and number == signal.SIGHUP and self._terminal.hung_up()
        stops = hung_up or number in (signal.SIGINT, signal.SIGTERM)
        self._signals.append(number if not hung_up else _HUNG_UP)
        if self._listening:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._act_on_signals)
        return stops

    def _act_on_signals(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            if number in (signal.SIGINT, signal.SIGTERM):
                self.stop()
            elif number == _HUNG_UP:
                self._reporting.notice("warning", "the terminal that it was started from is gone; it ends")
                self.stop()
            else:
                self._reload_soon()

    def _listen_on_windows(self) -> None:
        """Its loop knows no signals. What Ctrl+C and Ctrl+Break call runs between two steps of the main thread."""
        for name in ("SIGINT", "SIGBREAK"):
            signal.signal(getattr(signal, name), lambda *_: self._loop.call_soon_threadsafe(self.stop))

    def stop(self) -> None:
        """Take no more work; what is being applied may finish, within a bound."""
        if self.interrupted and not self._done.done():
            self._done.set_result(None)
            return
        self.interrupted = True
        self._tell_what_ends()
        self._wind_up("told to stop")

    def _wind_up(self, why: str) -> None:
        self._scheduler.stop(why)
        self._loop.call_later(self._settings.stop_grace, self._leave)
        if self._tidying is not None:
            self._tidying.give_up()
        self._turn_soon()

    def _leave(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _tell_what_ends(self) -> None:
        """What is being applied may finish; whoever waits for it should know, and how not to."""
        if calls := self._dispatcher.running(verbs=CHANGING):
            what = "; ".join(call.text for call in calls[:3]) + (f"; {len(calls) - 3} more" if len(calls) > 3 else "")
            grace = f"{self._settings.stop_grace:g} s"
            how = "a second Ctrl-C (or SIGTERM) ends at once"
            self._reporting.notice("info", f"stopping, as soon as this is done, or in {grace}: {what}\n{how}")

    def _close(self) -> None:
        # What runs on although it was told to end, or ran out of its time, must not outlive us unattended.
        process.end_all()
        self._ready = False  # the run has been told to its end
        if self._reloader is not None:
            self._reloader.give_up()
        self._dispatcher.close()
        if self._sources is not None:
            self._sources.close()
        if self._wake is not None:
            self._wake.close()
        for handle in (self._turn_handle, self._timer):
            if handle is not None:
                handle.cancel()

    # --- reload -------------------------------------------------------------------------------------------

    def _reload_soon(self) -> None:
        """Editors write in several steps: load once they have been still for a moment."""
        if self._reloader is None:
            self._reporting.notice("info", "this blueprint cannot be loaded again while it runs")
            return
        self._reloader.soon(self._loop, self._reload)

    def _reload(self) -> None:
        reloader = self._reloader
        if reloader is None or self._scheduler.stopped:
            return
        reloader.evaluate(self._loop, self._reloaded)

    def _reloaded(self, graph: Graph | ConvergeError) -> None:
        reloader = self._reloader
        if reloader is None or self._scheduler.stopped:
            return
        if isinstance(graph, NotNow):
            if not self._reload_put_off:
                self._reporting.notice(
                    "warning", f"the blueprint cannot be loaded again now, and will be as soon as it can: {graph}"
                )
            self._reload_put_off = True
            reloader.again_later(self._loop, self._reload)
            return
        self._reload_put_off = False
        if isinstance(graph, ConvergeError):
            self._reporting.notice("error", f"the blueprint is broken, so the one before stays in force:\n{graph}")
            if self._sources is not None:
                self._sources.watch(reloader.key, reloader.triggers())
            return
        self._wanted_graph = graph
        self._taking = self._loop.create_task(self._take(graph))
        self._taking.add_done_callback(self._taken)

    def _taken(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._fail(error)

    async def _take(self, graph: Graph) -> None:
        wanted = await self._gathered(graph)
        if graph is not self._wanted_graph or self._scheduler.stopped:
            return  # there is a newer one
        self._graph = graph
        self._watch_all(wanted)
        self._scheduler.replace(graph, self._now())
        for warning in graph.warnings:
            self._reporting.notice("warning", warning)
        self._reporting.notice("info", f"loaded {self._name} again: {len(graph.resources)} resources")
        self._turn_soon()


def _condition_of(resource: Resource) -> str:
    """The key under which its condition is watched."""
    return f"condition of {resource.id}"
