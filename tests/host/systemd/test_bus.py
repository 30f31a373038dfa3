"""The connection to systemd, and its news, against a bus of the test's own on which the test plays systemd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from converge.core.errors import Busy, ResourceError
from converge.core.trigger import UnitChanged
from converge.host.systemd import calls
from converge.host.systemd import units as units_module
from converge.host.systemd.bus import Bus
from converge.host.systemd.calls import MANAGER, MANAGER_PATH, SYSTEMD, Call, Refused
from converge.host.systemd.units import look
from converge.resources.service.systemd import apply
from converge.sources.linux import units as dbus
from converge.sources.linux.units import SHUTDOWN, UnitSource

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's"),
    pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed"),
]
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/></policy></busconfig>
"""
DEADLINE = 10.0


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.002)


class Scene:
    """A bus, and somebody on it who goes by systemd's name."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "bus"
        self.address = f"unix:path={self.socket}"
        self.config = folder / "bus.conf"
        self.config.write_text(CONFIG.format(socket=self.socket))
        self.answers: dict[str, Callable[[list[Any]], tuple[str, list[Any]]]] = {"Subscribe": lambda body: ("", [])}
        self.called: list[str] = []
        self.daemon: subprocess.Popen[bytes] | None = None
        self.bus: Any = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, DEADLINE), self.loop).result()

    def begin(self) -> None:
        command = ["dbus-daemon", f"--config-file={self.config}", "--nofork", "--nopidfile"]
        self.daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(self.socket.exists)
        self.do(self._appear())

    def end(self) -> None:
        self.vanish()
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()
        self.socket.unlink(missing_ok=True)

    def close(self) -> None:
        self.end()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _appear(self) -> None:
        from dbus_fast.aio import MessageBus

        while True:  # the socket is there a little before the bus is
            with contextlib.suppress(ConnectionError):
                self.bus = await MessageBus(self.address).connect()
                break
        self.bus.add_message_handler(self._handle)
        await self.bus.request_name(SYSTEMD)

    def appear(self) -> None:
        self.do(self._appear())

    def vanish(self) -> None:
        async def go() -> None:
            if self.bus is not None and self.bus.connected:
                self.bus.disconnect()

        self.do(go())

    def _handle(self, message: Any) -> Any:
        from dbus_fast import Message, MessageType

        if message.message_type is not MessageType.METHOD_CALL:
            return None
        self.called.append(message.member)
        if message.member not in self.answers:
            return Message.new_error(message, f"{SYSTEMD}.NoSuchUnit", "there is no such unit")
        signature, body = self.answers[message.member](message.body)
        if signature == "never":
            return True
        return Message.new_method_return(message, signature, body)

    def tell(self, member: str, signature: str, body: list[Any], path: str = MANAGER_PATH, face: str = MANAGER) -> None:
        async def go() -> None:
            self.say(member, signature, body, path, face)

        self.do(go())

    def say(self, member: str, signature: str, body: list[Any], path: str = MANAGER_PATH, face: str = MANAGER) -> None:
        from dbus_fast import Message

        self.bus.send(Message.new_signal(path, face, member, signature, body))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(calls.os.path, "isdir", lambda path: True)  # systemd runs this machine, it seems
    made = Scene(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.close()


def start_job(scene: Scene, result: str | None, late: bool = False) -> None:
    """Whoever starts a unit gets a job, which ends at once: before the answer, or after it."""

    def begin(body: list[Any]) -> tuple[str, list[Any]]:
        job = "/org/freedesktop/systemd1/job/7"
        ended = ("JobRemoved", "uoss", [7, job, body[0], result])
        if result and late:
            scene.loop.call_later(0.05, scene.say, *ended)
        elif result:
            scene.say(*ended)
        return "o", [job]

    scene.answers["StartUnit"] = begin


START = Call("StartUnit", "ss", ("web.service", "replace"))


class TestCalls:
    def test_more_at_once_than_the_bus_allows(self, scene: Scene) -> None:
        scene.answers["GetUnitFileState"] = lambda body: ("s", [body[0]])
        calls = [Call("GetUnitFileState", "s", (f"{number}.service",)) for number in range(600)]
        bus, found = Bus(scene.address), []
        threads = [threading.Thread(target=lambda: found.append(bus.ask(calls, DEADLINE))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [[f"{number}.service" for number in range(600)]] * 3

    def test_a_refusal_is_an_answer(self, scene: Scene) -> None:
        (answer,) = Bus(scene.address).ask([Call("NoSuchThing")], DEADLINE)
        assert isinstance(answer, Refused)
        assert (answer.name, str(answer)) == (f"{SYSTEMD}.NoSuchUnit", "there is no such unit")

    def test_a_bus_that_was_started_anew_is_asked_again(self, scene: Scene) -> None:
        scene.answers["GetUnitFileState"] = lambda body: ("s", ["enabled"])
        bus, call = Bus(scene.address), Call("GetUnitFileState", "s", ("a.service",))
        assert bus.ask([call], DEADLINE) == ["enabled"]
        scene.end()
        scene.begin()
        assert bus.ask([call], DEADLINE) == ["enabled"]

    def test_no_bus(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        bus = Bus(scene.address)
        scene.end()
        with pytest.raises(ResourceError, match="install and start dbus"):
            bus.ask([Call("Reload")], DEADLINE)
        monkeypatch.setattr(calls.os.path, "isdir", lambda path: False)
        with pytest.raises(ResourceError, match="not started by systemd"):
            bus.ask([Call("Reload")], DEADLINE)

    def test_systemd_away_is_waited_for(self, scene: Scene) -> None:
        scene.vanish()
        with pytest.raises(Busy, match="not on the system bus at the moment"):
            Bus(scene.address).ask([Call("Reload")], DEADLINE)

    def test_no_answer_in_time(self, scene: Scene) -> None:
        scene.answers["Reload"] = lambda body: ("never", [])
        with pytest.raises(ResourceError, match=r"systemd did not answer within 0\.2 s"):
            Bus(scene.address).ask([Call("Reload")], 0.2)


class TestJobs:
    @pytest.mark.parametrize("late", [False, True])
    @pytest.mark.parametrize("result", ["done", "failed"])
    def test_the_result_is_waited_for(self, scene: Scene, result: str, late: bool) -> None:
        start_job(scene, result, late)
        bus = Bus(scene.address)
        assert bus.job(START, DEADLINE, "") == result
        assert bus.job(START, DEADLINE, "") == result
        assert scene.called.count("Subscribe") == 1

    def test_one_that_does_not_end_in_time(self, scene: Scene) -> None:
        start_job(scene, None)
        with pytest.raises(ResourceError, match=r"it did not come up within 0\.3 s"):
            Bus(scene.address).job(START, 0.3, "it did not come up")

    def test_systemd_that_goes_right_after_its_answer_forgets_it(self, scene: Scene) -> None:
        def begin(body: list[Any]) -> tuple[str, list[Any]]:
            scene.loop.call_soon(scene.bus.disconnect)  # the bus tells of that in the same breath as the answer
            return "o", ["/org/freedesktop/systemd1/job/7"]

        scene.answers["StartUnit"] = begin
        for _ in range(20):
            with pytest.raises(Busy):
                Bus(scene.address).job(START, DEADLINE, "it hung")
            scene.appear()

    def test_systemd_that_is_started_anew_meanwhile_forgets_it(self, scene: Scene) -> None:
        start_job(scene, None)
        bus = Bus(scene.address)
        told: list[BaseException] = []

        def work() -> None:
            try:
                bus.job(START, DEADLINE, "")
            except BaseException as error:
                told.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        until(lambda: "StartUnit" in scene.called)
        scene.vanish()
        thread.join(DEADLINE)
        assert isinstance(told[0], Busy)
        scene.appear()
        start_job(scene, "done")
        assert bus.job(START, DEADLINE, "") == "done"
        assert scene.called.count("Subscribe") == 2

    def test_what_is_refused(self, scene: Scene) -> None:
        with pytest.raises(Refused, match="no such unit"):
            Bus(scene.address).job(START, DEADLINE, "")


def row(name: str, active: str = "active", sub: str = "running", load: str = "loaded", job: int = 0) -> list[Any]:
    return [name, "", load, active, sub, "", f"/unit/{name}", job, "", "/"]


class TestUnits:
    @pytest.fixture(autouse=True)
    def invocations(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, float], None]:
        """Has a unit be started so many seconds ago, as its link in /run/systemd/units tells."""
        monkeypatch.setattr(units_module, "_INVOCATIONS", f"{tmp_path}/invocation:")

        def started(name: str, ago: float) -> None:
            link = tmp_path / f"invocation:{name}"
            link.symlink_to("0123456789abcdef")
            os.utime(link, (time.time() - ago,) * 2, follow_symlinks=False)

        return started

    def test_many_are_one_question(self, scene: Scene, invocations: Callable[[str, float], None]) -> None:
        for number in range(50):
            invocations(f"u{number}.service", 3600)
        names = [f"u{number}.service" for number in range(50)]
        scene.answers["ListUnitsByNames"] = lambda body: ("a(ssssssouso)", [[_path(row(name)) for name in body[0]]])
        units = look(Bus(scene.address), names, files=(), running=names)
        assert [unit.name for unit in units] == names
        assert scene.called == ["ListUnitsByNames"]

    def test_only_young_services_are_asked_for_their_restarts(
        self, scene: Scene, invocations: Callable[[str, float], None]
    ) -> None:
        invocations("old.service", 3600)
        for name in ("fresh.service", "loop.service"):
            invocations(name, 1)
        answers = {"loop.service": {"NRestarts": ("u", 7), "RestartUSec": ("t", 3_000_000)}}
        now = int(time.monotonic() * 1e6)
        answers["loop.service"]["ActiveEnterTimestampMonotonic"] = ("t", now - 1_500_000)
        for name in ("ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic"):
            answers["loop.service"][name] = ("t", 0)
        scene.answers["ListUnitsByNames"] = lambda body: ("a(ssssssouso)", [[_path(row(name)) for name in body[0]]])
        counts = iter([("u", 0), ("u", 7)])

        def get(body: list[Any]) -> tuple[str, list[Any]]:
            value = next(counts) if body[1] == "NRestarts" else answers["loop.service"][body[1]]
            from dbus_fast import Variant

            return "v", [Variant(*value)]

        scene.answers["Get"] = get
        names = ["old.service", "fresh.service", "loop.service", "x.socket"]
        old, fresh, loop, other = look(Bus(scene.address), names, files=(), running=names)
        assert [unit.unproved for unit in (old, fresh, other)] == [0, 0, 0]
        assert (loop.restarts, loop.restart_delay) == (7, 3.0)
        assert 8 < loop.unproved < 8.5
        assert scene.called == ["ListUnitsByNames", *["Get"] * 6]

    @pytest.mark.parametrize(("ended", "looping"), [(0, False), (1_000_000, True), (60_000_000, False)])
    def test_one_that_is_restarted_while_it_is_asked_for(self, scene: Scene, ended: int, looping: bool) -> None:
        """Its next process runs by then, and has not ended: nothing is known of the last one."""
        from dbus_fast import Variant

        began = 5_000_000
        values = {
            "NRestarts": ("u", 7),
            "RestartUSec": ("t", 3_000_000),
            "ActiveEnterTimestampMonotonic": ("t", began),
            "ExecMainStartTimestampMonotonic": ("t", began),
            "ExecMainExitTimestampMonotonic": ("t", ended and began + ended),
        }
        rows = [_path(row("loop.service", "activating", "auto-restart"))]
        scene.answers["ListUnitsByNames"] = lambda body: ("a(ssssssouso)", [rows])
        scene.answers["Get"] = lambda body: ("v", [Variant(*values[body[1]])])
        (unit,) = look(Bus(scene.address), ["loop.service"], files=(), running=["loop.service"])
        assert unit.looping is looping

    def test_a_unit_that_is_not_there_may_have_a_file(self, scene: Scene) -> None:
        gone = [_path(row(name, "inactive", "dead", "not-found")) for name in ("a.service", "b.service")]
        scene.answers["ListUnitsByNames"] = lambda body: ("a(ssssssouso)", [gone])
        scene.answers["GetUnitFileState"] = lambda body: ("s", ["disabled" if body[0] == "a.service" else ""])
        found = look(Bus(scene.address), ["a.service", "b.service"], files=(), running=())
        assert [unit.exists for unit in found] == [True, False]

    @pytest.mark.parametrize(
        ("text", "ago", "writing"), [("", 0, True), ("[Service]\n", 0, True), ("", 60, False), (None, 0, False)]
    )
    def test_a_file_that_masked_it_may_have_its_text_by_now(
        self,
        scene: Scene,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        text: str | None,
        ago: float,
        writing: bool,
    ) -> None:
        """Systemd takes an empty file for masked; it may be written after systemd answers, and before we look."""
        etc, lib = tmp_path / "etc", tmp_path / "lib"
        monkeypatch.setattr(units_module, "FOLDERS", (str(etc), str(lib)))
        for folder in (etc, lib):
            folder.mkdir()
        file = etc / "a.service"
        if text is None:
            file.symlink_to("/dev/null")
            (lib / "a.service").write_text("[Service]\n")
        else:
            file.write_text(text)
            os.utime(file, (time.time() - ago,) * 2)
        scene.answers["ListUnitsByNames"] = lambda body: ("a(ssssssouso)", [[_path(row("a.service", load="masked"))]])
        scene.answers["GetUnitFileState"] = lambda body: ("s", ["masked"])
        (unit,) = look(Bus(scene.address), ["a.service"], files=["a.service"], running=())
        assert unit.half_written is writing


def _path(values: list[Any]) -> list[Any]:
    values[6] = "/org/freedesktop/systemd1/unit/x"
    return values


class TestNews:
    def play(
        self, scene: Scene, steps: Callable[[], None], *units: str, last: str = "last.service", times: int = 1
    ) -> list[str]:
        """What is marked by these steps, after all that connecting has marked; ``times`` with the last of it."""
        scene.answers["ListUnitsByNames"] = lambda body: (
            "a(ssssssouso)", [[_path(row("ssh.service" if name == "sshd.service" else name)) for name in body[0]]],
        )  # fmt: skip
        marks: list[str] = []
        failures: list[BaseException] = []

        async def run() -> None:
            source = UnitSource(marks.append, failures.append, scene.address)
            for unit in (*units, "last.service"):
                source.watch(unit, [UnitChanged(unit)])
            await _when(lambda: SHUTDOWN in marks if SHUTDOWN in units else "last.service" in marks)
            marks.clear()
            await asyncio.to_thread(steps)
            await asyncio.to_thread(scene.tell, "JobRemoved", "uoss", [1, "/job", "last.service", "done"])
            await _when(lambda: marks.count(last) >= times)
            source.close()

        asyncio.run(run())
        assert failures == []
        return marks[:-1] if marks.count("last.service") == 1 else marks

    def changes(self, scene: Scene, unit: str, state: str, job: int = 0) -> None:
        from dbus_fast import Variant

        changed = {"ActiveState": Variant("s", state), "Job": Variant("(uo)", [job, "/"])}
        label = unit.replace(".", "_2e")
        scene.tell(
            "PropertiesChanged", "sa{sv}as", [f"{SYSTEMD}.Unit", changed, []], f"{MANAGER_PATH}/unit/{label}",
            "org.freedesktop.DBus.Properties",
        )  # fmt: skip

    @pytest.mark.parametrize(("state", "job", "marked"), [
        ("active", 0, True), ("inactive", 0, True), ("failed", 0, True), ("inactive", 5, False),
        ("activating", 0, False), ("deactivating", 0, False), ("reloading", 0, False),
    ])  # fmt: skip
    def test_only_what_a_unit_comes_to_rest_in(self, scene: Scene, state: str, job: int, marked: bool) -> None:
        marks = self.play(scene, lambda: self.changes(scene, "web.service", state, job), "web.service", "other.service")
        assert marks == (["web.service"] if marked else [])

    def test_a_crash_loop_is_told_of_now_and_then(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """News makes a resource that was given up be tried anew, so a loop's own must not come for ever."""
        monkeypatch.setattr(dbus, "_LOOP_TOLD_EVERY", 1.0)

        def ends() -> None:
            from dbus_fast import Variant

            changed = {"ActiveState": Variant("s", "activating"), "SubState": Variant("s", "auto-restart")}
            path = f"{MANAGER_PATH}/unit/web_2eservice"
            interface = "org.freedesktop.DBus.Properties"
            scene.tell("PropertiesChanged", "sa{sv}as", [f"{SYSTEMD}.Unit", changed, []], path, interface)

        def loop() -> None:
            for _ in range(20):
                ends()
                self.changes(scene, "web.service", "active")

        assert self.play(scene, loop, "web.service") == ["web.service"] * 2
        assert self.play(scene, lambda: (loop(), time.sleep(1.3)), "web.service") == ["web.service"] * 3

    def test_the_end_of_a_job_and_an_alias(self, scene: Scene) -> None:
        def steps() -> None:
            scene.tell("JobNew", "uos", [1, "/job", "ssh.service"])
            scene.tell("JobRemoved", "uoss", [1, "/job", "ssh.service", "done"])

        assert self.play(scene, steps, "sshd.service", "web.service") == ["sshd.service"]

    def test_unit_files_are_news_for_all_but_not_of_a_shutdown(self, scene: Scene) -> None:
        def steps() -> None:
            scene.tell("UnitFilesChanged", "", [])
            scene.tell("Reloading", "b", [True])

        assert sorted(self.play(scene, steps, "a.service", "b.service", SHUTDOWN, times=2)) == [
            "a.service", "b.service", "last.service", "last.service",
        ]  # fmt: skip

    def test_a_shutdown_is_heard_as_it_begins(self, scene: Scene) -> None:
        steps = [lambda: scene.tell("JobNew", "uos", [1, "/job", SHUTDOWN])]
        assert self.play(scene, steps[0], SHUTDOWN) == [SHUTDOWN]

    def test_systemd_started_anew_is_news_for_all(self, scene: Scene) -> None:
        def steps() -> None:
            scene.vanish()
            scene.appear()
            until(lambda: scene.called.count("Subscribe") == 2)

        assert "a.service" in self.play(scene, steps, "a.service", SHUTDOWN, last=SHUTDOWN)

    def test_without_a_bus_it_fails_once_and_says_that_this_may_be_a_shutdown(self, scene: Scene) -> None:
        scene.answers["ListUnitsByNames"] = lambda body: ("a(ssssssouso)", [[_path(row(name)) for name in body[0]]])
        marks: list[str] = []
        failures: list[BaseException] = []

        async def run() -> None:
            source = UnitSource(marks.append, failures.append, scene.address)
            source.watch("down", [UnitChanged(SHUTDOWN)])
            await _when(lambda: marks == ["down"])
            await asyncio.to_thread(scene.end)
            await _when(lambda: failures)
            source.close()

        asyncio.run(run())
        assert marks == ["down", "down"]
        assert len(failures) == 1


async def _when(what: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < end, "not in time"
        await asyncio.sleep(0.002)


class TestReadingUnitFilesAgain:
    def test_one_that_had_begun_before_is_not_enough_and_one_that_begins_later_is(self) -> None:
        begun, go_on, done = threading.Semaphore(0), threading.Semaphore(0), []

        class Slow:
            def ask(self, asked: list[Call], seconds: float) -> list[Any]:
                begun.release()
                assert go_on.acquire(timeout=DEADLINE)
                done.append(asked[0].member)
                return [None]

        slow: Any = Slow()
        threads = [threading.Thread(target=apply._reload, args=(slow,)) for _ in range(4)]
        threads[0].start()
        assert begun.acquire(timeout=DEADLINE)
        wanted = apply._turns.begun
        for thread in threads[1:]:  # all of these want it while the first is being done
            thread.start()
        until(lambda: apply._turns.begun == wanted and sum(thread.is_alive() for thread in threads) == 4)
        time.sleep(0.1)  # lets them come as far as they can
        go_on.release(4)
        for thread in threads:
            thread.join(DEADLINE)
        assert done == ["Reload"] * 2
