"""Unit changes from systemd over D-Bus: one connection for all keys.

Only what a unit comes to rest in is news, and that it ended and is to be restarted. While it starts or stops there is
nothing to judge, and more news will come.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from converge.core.trigger import UnitChanged
from converge.sources.base import Mark

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

SHUTDOWN: Final = "shutdown.target"
"""What every way of going down begins with; who watches it hears as well what logind announces before."""

_SYSTEMD: Final = "org.freedesktop.systemd1"
_MANAGER: Final = "org.freedesktop.systemd1.Manager"
_MANAGER_PATH: Final = "/org/freedesktop/systemd1"
_UNITS: Final = f"{_MANAGER_PATH}/unit"
_BUS: Final = "org.freedesktop.DBus"
_RULES: Final = (
    f"type='signal',sender='{_SYSTEMD}',path='{_MANAGER_PATH}',interface='{_MANAGER}',member='JobNew'",
    f"type='signal',sender='{_SYSTEMD}',path='{_MANAGER_PATH}',interface='{_MANAGER}',member='JobRemoved'",
    f"type='signal',sender='{_SYSTEMD}',path='{_MANAGER_PATH}',interface='{_MANAGER}',member='UnitFilesChanged'",
    f"type='signal',sender='{_SYSTEMD}',path='{_MANAGER_PATH}',interface='{_MANAGER}',member='Reloading'",
    f"type='signal',sender='{_SYSTEMD}',path_namespace='{_UNITS}',interface='{_BUS}.Properties',"
    f"member='PropertiesChanged',arg0='{_SYSTEMD}.Unit'",
    f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{_SYSTEMD}'",
    "type='signal',sender='org.freedesktop.login1',interface='org.freedesktop.login1.Manager',member='PrepareForShutdown'",
)
_WITHIN: Final = 25.0
_CLOSED: Final = "the system bus closed the connection"
_SOCKET: Final = "/run/dbus/system_bus_socket"
_KNOCKS: Final = 0.2
"""Seconds that the bus has to say that it is there; it takes one or two milliseconds."""
_LOOPS_WITHIN: Final = 30.0
"""Seconds within which a unit ends twice by itself that is in a loop."""
_LOOP_TOLD_EVERY: Final = 90.0
"""Seconds. Each news would otherwise be a new chance for a resource that was given up."""
_UNSETTLED: Final = ("activating", "deactivating", "reloading", "refreshing", "maintenance")


class UnitSource:
    """Marks keys when the units that they watch change. See sources.base.Source."""

    def __init__(self, mark: Mark, failed: Callable[[BaseException], None], address: str | None = None) -> None:
        self._mark = mark
        self._failed = failed
        self._address = address
        self._keys: dict[str, set[str]] = {}
        """By the names they watch."""
        self._names: dict[str, set[str]] = {}
        """Other names that units are watched by: aliases, by the unit's own name."""
        self._watched: dict[str, list[str]] = {}
        self._unknown: set[str] = set()
        """Names of which systemd was not asked yet whether they are aliases."""
        self._restarts: dict[str, float] = {}
        """When a unit last ended by itself, and was to be restarted."""
        self._loops: dict[str, asyncio.TimerHandle] = {}
        """Those that did so again and again; each is told of when its time has come."""
        self._bus: MessageBus | None = None
        self._closed = False
        self._resolving: asyncio.Task[None] | None = None
        _knock(address)
        self._living = asyncio.get_running_loop().create_task(self._live())

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Mark the key when one of these units changes; none ends it."""
        for name in self._watched.pop(key, ()):
            self._keys[name].discard(key)
            if not self._keys[name]:
                del self._keys[name]
        names = [trigger.name for trigger in triggers if isinstance(trigger, UnitChanged)]
        if not names:
            return
        self._watched[key] = names
        for name in names:
            self._keys.setdefault(name, set()).add(key)
        self._unknown.update(names)
        if self._bus is not None and self._resolving is None:
            self._resolving = asyncio.get_running_loop().create_task(self._resolve())

    def close(self) -> None:
        """Stop. May be called more than once."""
        self._closed = True
        self._living.cancel()
        for timer in self._loops.values():
            timer.cancel()
        if self._resolving is not None:
            self._resolving.cancel()
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    # --- the connection -----------------------------------------------------------------------------------

    async def _live(self) -> None:
        """From connecting until the connection ends, which is a failure unless we are closed."""
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus

        try:
            bus = MessageBus(self._address, bus_type=BusType.SYSTEM, auth_timeout=_WITHIN)
            await bus.connect()
            self._bus = bus
            bus.add_message_handler(self._heard)
            await self._subscribe(bus)
            self._mark_all()  # what happened until now was not heard
            self._news(SHUTDOWN)
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # of dbus-fast
            self._fail(ConnectionError(_CLOSED))
        except EOFError:
            self._fail(ConnectionError(_CLOSED))
        except Exception as error:  # noqa: BLE001 - whatever it is: news is no longer to be had this way
            self._fail(error)

    async def _subscribe(self, bus: MessageBus) -> None:
        for rule in _RULES:
            await _call(bus, "AddMatch", "s", [rule])
        await _call(bus, "Subscribe")
        await self._resolve()

    async def _resolve(self) -> None:
        """Learn which names are aliases: news goes by the unit's own name."""
        try:
            while self._unknown and self._bus is not None:
                names, self._unknown = sorted(self._unknown), set()
                rows = await _call(self._bus, "ListUnitsByNames", "as", [names])
                for name, row in zip(names, rows, strict=False):
                    if row[0] != name:
                        self._names.setdefault(row[0], set()).add(name)
        except (OSError, EOFError) as error:
            self._fail(error)
        finally:
            self._resolving = None

    def _fail(self, error: BaseException) -> None:
        if not self._closed:
            self._news(SHUTDOWN)  # which ends the bus as well, perhaps before all is told
            self.close()
            self._failed(error)

    # --- news ---------------------------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        if message.member == "PropertiesChanged":
            self._properties(message.path or "", message.body[1])
        elif message.member in ("JobRemoved", "JobNew"):
            name = message.body[2]
            if message.member == "JobRemoved" or name == SHUTDOWN:
                self._news(name)
        elif message.member == "UnitFilesChanged" or (message.member == "Reloading" and not message.body[0]):
            self._unknown.update(self._keys)
            self._all_soon()
        elif message.member == "NameOwnerChanged" and message.body[0] == _SYSTEMD and message.body[2]:
            self._unknown.update(self._keys)
            self._all_soon(subscribe=True)
        elif message.member == "PrepareForShutdown":
            self._news(SHUTDOWN)

    def _properties(self, path: str, changed: dict[str, Any]) -> None:  # Any: what D-Bus carries
        state, job = changed.get("ActiveState"), changed.get("Job")
        name, sub_state = _unescaped(path.removeprefix(f"{_UNITS}/")), changed.get("SubState")
        if sub_state is not None and sub_state.value.startswith("auto-restart"):
            self._ended(name)  # which nobody wanted
        elif not ((state is not None and state.value in _UNSETTLED) or (job is not None and job.value[0])):
            self._news(name)

    def _ended(self, name: str) -> None:
        """It ended by itself and is to be restarted. One that does so again and again is told of now and then."""
        loop = asyncio.get_running_loop()
        before, self._restarts[name] = self._restarts.get(name), loop.time()
        if before is not None and loop.time() - before < _LOOPS_WITHIN and name not in self._loops:
            self._loops[name] = loop.call_later(_LOOP_TOLD_EVERY, self._loop_ends, name)
        self._news(name)

    def _loop_ends(self, name: str) -> None:
        """It may be at rest by now, which nothing may tell. If not, its next end begins it anew."""
        self._loops.pop(name, None)
        self._restarts.pop(name, None)
        self._news(name)

    def _news(self, name: str) -> None:
        if name in self._loops:
            return
        for known in (name, *self._names.get(name, ())):
            for key in tuple(self._keys.get(known, ())):
                self._mark(key)

    def _mark_all(self) -> None:
        """All but who waits for a shutdown, of which no unit file tells."""
        for key, names in tuple(self._watched.items()):
            if names != [SHUTDOWN]:
                self._mark(key)

    def _all_soon(self, *, subscribe: bool = False) -> None:
        self._mark_all()
        if self._resolving is None and self._bus is not None:
            work = self._again(self._bus) if subscribe else self._resolve()
            self._resolving = asyncio.get_running_loop().create_task(work)

    async def _again(self, bus: MessageBus) -> None:
        """systemd was started anew, and may have forgotten whom it tells."""
        with contextlib.suppress(OSError):
            await _call(bus, "Subscribe")
        await self._resolve()
        self._mark_all()
        self._news(SHUTDOWN)


def _knock(address: str | None) -> None:
    """Raises OSError where nobody is behind the socket, which systemd itself keeps open while the bus is away."""
    if address is not None or "DBUS_SYSTEM_BUS_ADDRESS" in os.environ:
        return
    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.settimeout(_KNOCKS)
        knocking.connect(_SOCKET)
        knocking.sendall(b"\0AUTH\r\n")
        if not knocking.recv(64):
            raise ConnectionError(_CLOSED)


async def _call(bus: MessageBus, member: str, signature: str = "", body: list[Any] | None = None) -> Any:
    """One answer. Raises ConnectionError where there is none."""
    from dbus_fast import Message, MessageType

    ours = member == "AddMatch"
    message = Message(
        destination=_BUS if ours else _SYSTEMD,
        path="/org/freedesktop/DBus" if ours else _MANAGER_PATH,
        interface=_BUS if ours else _MANAGER,
        member=member,
        signature=signature,
        body=body or [],
    )
    reply: Message | None = await asyncio.wait_for(bus.call(message), _WITHIN)
    if reply is None:
        raise ConnectionError(_CLOSED)
    if reply.message_type is MessageType.ERROR:
        raise ConnectionError(f"{member}: {reply.body[0] if reply.body else reply.error_name}")
    return reply.body[0] if reply.body else None


def _unescaped(label: str) -> str:
    """The name of a unit in an object path, where ``_2e`` stands for a dot."""
    plain, *parts = label.split("_")
    with contextlib.suppress(ValueError):
        raw = plain.encode() + b"".join(bytes((int(part[:2], 16),)) + part[2:].encode() for part in parts)
        return raw.decode(errors="replace")
    return label
