"""D-Bus calls from any thread, over one connection on its own event loop.

Whoever calls waits, for so many seconds at most. A connection that broke is made anew, once for each call.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from converge.core.errors import Busy, ResourceError
from converge.host.systemd.calls import (
    AWAY,
    MANAGER,
    MANAGER_PATH,
    NOBODY,
    PROPERTIES,
    SYSTEMD,
    Broken,
    Call,
    Refused,
    away,
    get,
    match,
    no_bus,
)

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

T = TypeVar("T")

_AT_ONCE: Final = 64
"""Calls under way at a time. The bus takes 128 of one connection (max_replies_per_connection) and refuses more; and
dbus-fast gives up a connection whose socket takes no more at the moment."""
_GRACE: Final = 5.0


class Bus:
    """The system bus. Safe to use from any thread."""

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connecting = asyncio.Lock()
        self._subscribing = asyncio.Lock()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._bus: MessageBus | None = None
        self._hears = False
        """Whether systemd was asked to tell of its jobs."""
        self._asking_for_jobs = 0
        self._ended: dict[str, str] = {}
        """Results of jobs that ended before we knew that they were ours."""
        self._jobs: dict[str, asyncio.Future[str]] = {}
        self._lost: Exception | None = None
        """Why we heard no more of jobs the last time that this happened."""
        self._at_rest: dict[str, asyncio.Event] = {}
        """By the paths of units, set when nothing more is to be expected of one and it is not active."""
        self._by_others: set[str] = set()
        """Names of units that had a job while we waited for them to rest."""

    def ask(self, calls: Sequence[Call], seconds: float) -> list[Any]:  # Any: what D-Bus carries
        """All at once; for each what was answered (a single value, or a list of several) or a Refused."""
        return self._run(self._ask(calls), seconds, "systemd did not answer")

    def job(self, call: Call, seconds: float, late: str) -> str:
        """Call what returns a job, and wait for that: ``done``, ``failed``, … as systemd names its results.

        Raises Refused where there is no job, and ResourceError(``late``) where it has not ended in time.
        """
        return self._run(self._job(call), seconds, late)

    def falls(self, name: str, path: str, seconds: float) -> bool:
        """Whether an active unit ends by itself within these seconds; ended by somebody, it does not count."""
        return self._run(self._falls(name, path, seconds), seconds + _GRACE, "systemd did not answer")

    # --- the loop and its thread --------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, T], seconds: float, late: str) -> T:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                try:
                    threading.Thread(target=loop.run_forever, name="converge-bus", daemon=True).start()
                except RuntimeError:  # the system has no thread left; the next one to ask tries again
                    loop.close()
                    raise
                self._loop = loop
        try:
            return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._loop).result()
        except TimeoutError:
            raise ResourceError(f"{late} within {seconds:g} s") from None
        except Broken as error:
            raise Busy(f"the connection to the system bus broke ({error})", again=0.5, at_most=AWAY) from error

    async def _connected(self) -> MessageBus:
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus
        from dbus_fast.errors import AuthError

        async with self._connecting:
            if self._bus is not None and self._bus.connected:
                return self._bus
            self._forget(Broken("it was closed"))
            bus = MessageBus(self._address, bus_type=BusType.SYSTEM, auth_timeout=_GRACE)
            try:
                await bus.connect()
            except FileNotFoundError:
                raise no_bus() from None
            except (OSError, AuthError, EOFError) as error:
                raise Busy(f"the system bus does not answer: {error}", again=0.5, at_most=AWAY) from error
            bus.add_message_handler(self._heard)
            self._bus = bus
            return bus

    def _forget(self, why: Exception) -> None:
        """Whoever waits for a job will not hear of it any more."""
        self._bus, self._hears, self._lost = None, False, why
        waiting, self._jobs = self._jobs, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(why)

    # --- calls --------------------------------------------------------------------------------------------

    async def _ask(self, calls: Sequence[Call]) -> list[Any]:
        try:
            return await self._ask_all(calls)
        except Broken:  # perhaps only since the bus was started anew, at some time
            return await self._ask_all(calls)

    async def _ask_all(self, calls: Sequence[Call]) -> list[Any]:
        bus = await self._connected()
        return await asyncio.gather(*(self._one(bus, call) for call in calls))

    async def _one(self, bus: MessageBus, call: Call) -> Any:
        from dbus_fast import Message, MessageFlag, MessageType
        from dbus_fast.unpack import unpack_variants

        message = Message(
            destination=call.destination,
            path=call.path,
            interface=call.interface,
            member=call.member,
            signature=call.signature,
            body=list(call.body),
            flags=MessageFlag.NO_AUTOSTART,
        )
        reply: Message | None = None
        try:
            async with self._room:
                reply = await bus.call(message)
        except (OSError, EOFError) as error:
            raise Broken(str(error) or type(error).__name__) from error
        if reply is None:
            raise Broken("it was closed")
        if reply.message_type is MessageType.ERROR:
            name, text = reply.error_name or "", str(reply.body[0]) if reply.body else ""
            if name.startswith(NOBODY):
                raise away(text)
            return Refused(name, text)
        values = unpack_variants(reply.body)
        return values[0] if len(values) == 1 else values

    async def _must(self, call: Call) -> Any:
        (answer,) = await self._ask([call])
        if isinstance(answer, Refused):
            raise answer
        return answer

    # --- jobs ---------------------------------------------------------------------------------------------

    async def _job(self, call: Call) -> str:
        await self._hear()
        self._asking_for_jobs += 1
        lost = self._lost
        try:
            path = await self._must(call)
            if path in self._ended:
                return self._ended[path]
            if self._lost is not None and self._lost is not lost:  # between the answer and here
                raise self._lost
            # Several may wait for one job, as systemd merges those that are alike.
            future = self._jobs.setdefault(path, asyncio.get_running_loop().create_future())
            future.add_done_callback(_seen)
        finally:
            self._asking_for_jobs -= 1
            if not self._asking_for_jobs:
                self._ended.clear()
        return await asyncio.shield(future)

    async def _hear(self) -> None:
        """Have systemd tell when jobs end, and the bus when systemd comes and goes."""
        await self._connected()
        async with self._subscribing:
            if self._hears:
                return
            for rule in (
                f"type='signal',sender='{SYSTEMD}',path='{MANAGER_PATH}',interface='{MANAGER}',member='JobRemoved'",
                f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{SYSTEMD}'",
            ):
                await self._must(match("AddMatch", rule))
            (answer,) = await self._ask([Call("Subscribe")])
            # A systemd that was started anew may remember that we did.
            if isinstance(answer, Refused) and not answer.name.endswith("AlreadySubscribed"):
                raise answer
            self._hears = True

    def _heard(self, message: Message) -> None:
        if message.member == "JobRemoved" and message.interface == MANAGER:
            _, path, name, result = message.body
            if self._at_rest:
                self._by_others.add(name)
            if (future := self._jobs.pop(path, None)) is not None and not future.done():
                future.set_result(result)
            elif self._asking_for_jobs:
                self._ended[path] = result
        elif message.member == "NameOwnerChanged" and message.body[0] == SYSTEMD:
            bus = self._bus
            self._forget(away("it was started anew"))
            self._bus = bus  # which is as good as before, but nobody tells it of jobs
        elif message.member == "PropertiesChanged" and (event := self._at_rest.get(message.path or "")):
            state, job = message.body[1].get("ActiveState"), message.body[1].get("Job")
            if state is not None and state.value != "active" and not (job is not None and job.value[0]):
                event.set()

    async def _falls(self, name: str, path: str, seconds: float) -> bool:
        rule = f"type='signal',sender='{SYSTEMD}',path='{path}',interface='{PROPERTIES}',member='PropertiesChanged'"
        event = self._at_rest.setdefault(path, asyncio.Event())
        await self._hear()
        await self._must(match("AddMatch", rule))
        self._by_others.discard(name)
        try:
            state = await self._must(get(path, f"{SYSTEMD}.Unit", "ActiveState"))
            if state == "active":
                await asyncio.wait_for(event.wait(), seconds)
            return name not in self._by_others
        except TimeoutError:
            return False
        finally:
            self._at_rest.pop(path, None)
            if not self._at_rest:
                self._by_others.clear()
            await self._ask([match("RemoveMatch", rule)])


def _seen(future: asyncio.Future[str]) -> None:
    """Nobody may be waiting any more when it fails; that is no fault then."""
    if not future.cancelled():
        future.exception()


_system = Bus()


def system_bus() -> Bus:
    """The one connection of this process."""
    return _system
