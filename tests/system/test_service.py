"""Services on a booted systemd: brought about, guarded against other tools, and left alone where others are at work."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

UNIT = """
[Service]
ExecStart=/bin/sleep infinity
{more}
[Install]
WantedBy=multi-user.target
"""
PATH = "/etc/converge/services.py"
MANY = 15


def blueprint(*lines: str) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f'from converge import Run, blueprint, service_active\n\n@blueprint("s")\ndef s(r: Run) -> None:\n{body}\n'


def until(what: Callable[[], object], deadline: float = 20.0) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, "not in time"
        time.sleep(0.01)
    return time.monotonic() - began


def put_unit(machine: Any, name: str, more: str = "", text: str = UNIT) -> None:
    machine.write(f"/etc/systemd/system/{name}", text.format(more=more))


def state(machine: Any, *names: str) -> list[str]:
    return machine.run("systemctl", "is-active", *names, check=False).stdout.split()


def enabled(machine: Any, name: str) -> str:
    return machine.run("systemctl", "is-enabled", name, check=False).stdout.strip()


def show(machine: Any, name: str, *properties: str) -> list[str]:
    return machine.run("systemctl", "show", "--value", f"-p{','.join(properties)}", name).stdout.split("\n\n")


def once(machine: Any, check: bool = True) -> dict[str, Any]:
    done = machine.converge("--out", "json", "serve", "--timeout", "1s", "--detailed-exit-codes", PATH, check=False)
    assert done.stdout, done.stderr
    return {"exit": done.returncode, **json.loads(done.stdout)}


def plan(machine: Any) -> dict[str, Any]:
    done = machine.converge("--out", "json", "plan", "--detailed-exit-codes", PATH, check=False)
    assert done.stdout, done.stderr
    return {"exit": done.returncode, **json.loads(done.stdout)}


def of(run: dict[str, Any], id: str) -> dict[str, Any]:
    return next(resource for resource in run["resources"] if resource["id"] == id)


def kill(machine: Any, name: str) -> None:
    """As the kernel does where memory is short."""
    (pid,) = show(machine, name, "MainPID")
    machine.run("kill", "-KILL", pid.strip())


class Daemon:
    """``converge serve`` as a unit of the machine's own systemd."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine

    def said(self) -> str:
        return self.machine.run("journalctl", "-u", "guard", "--no-pager", "-o", "cat").stdout

    def wait_for(self, text: str, times: int = 1, deadline: float = 20.0) -> None:
        try:
            until(lambda: self.said().count(text) >= times, deadline)
        except AssertionError:
            raise AssertionError(f"{text!r} is not in:\n{self.said()}") from None


@contextmanager
def guarding(machine: Any) -> Iterator[Daemon]:
    machine.run(
        "systemd-run", "-q", "--collect", "--unit=guard",
        str(machine.python), "-m", "converge", "--out", "serial", "serve", PATH,
    )  # fmt: skip
    daemon = Daemon(machine)
    daemon.wait_for("WATCHING")
    yield daemon
    machine.run("systemctl", "stop", "guard")


def reaction(machine: Any, name: str) -> float:
    """Milliseconds between the unit being down and systemd starting it again: all but the service's own part."""
    text = machine.run(
        "systemctl", "show", "-pInactiveEnterTimestampMonotonic", "-pInactiveExitTimestampMonotonic", name
    ).stdout
    stamps = dict(line.split("=") for line in text.splitlines())
    return (int(stamps["InactiveExitTimestampMonotonic"]) - int(stamps["InactiveEnterTimestampMonotonic"])) / 1000


def test_a_blueprint_of_services_converges_and_is_kept(machine: Any) -> None:
    for number in range(MANY):
        put_unit(machine, f"many{number}.service")
    put_unit(machine, "beat.timer", text="[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=timers.target\n")
    put_unit(machine, "beat.service")
    put_unit(machine, "inst@.service")
    put_unit(machine, "gone.service")
    machine.write("/usr/lib/systemd/system/free.service", UNIT.format(more=""))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", "gone")
    machine.write(PATH, blueprint(
        f'for n in range({MANY}): r.service(f"many{{n}}", state="running", enable=True)',
        'r.service("beat.timer", state="running", enable=True)',
        'r.service("inst@one", state="running", enable=True)',
        'r.service("gone.service", state="stopped", enable=False)',
        'r.service("never-there", state="stopped", enable=False)',
        'r.service("banned", masked=True)',
        'r.service("free", state="running", enable=True, masked=False)',
        'r.service("sshd", state="running", enable=True)',
    ))  # fmt: skip
    planned = plan(machine)
    assert planned["exit"] == 5, planned
    assert planned["summary"]["pending"] == MANY + 5
    assert state(machine, "many0", "gone") == ["inactive", "active"]

    first = once(machine)
    assert first["exit"] == 2, first
    assert first["summary"]["changed"] == MANY + 5
    assert state(machine, "many0", "beat.timer", "inst@one", "gone") == ["active", "active", "active", "inactive"]
    assert [enabled(machine, name) for name in ("many3", "beat.timer", "inst@one", "gone", "banned")] == [
        "enabled", "enabled", "enabled", "disabled", "masked",
    ]  # fmt: skip
    again = once(machine)
    assert again["exit"] == 0, again
    assert plan(machine)["exit"] == 0

    with guarding(machine) as daemon:
        stopped = []
        for number in range(MANY):
            machine.run("systemctl", "stop", f"many{number}")
            until(lambda name=f"many{number}": state(machine, name) == ["active"])
            stopped.append(reaction(machine, f"many{number}"))
        print(f"stopped, and started again after: p50 {statistics.median(stopped):.1f} ms, most {max(stopped):.1f} ms")

        killed = []
        for number in range(5):
            kill(machine, f"many{number}")
            until(lambda name=f"many{number}": state(machine, name) == ["active"])
            killed.append(reaction(machine, f"many{number}"))
        print(f"killed, and started again after: p50 {statistics.median(killed):.1f} ms")

        machine.run("systemctl", "start", "gone")
        print(f"started, and stopped again after {until(lambda: state(machine, 'gone') == ['inactive']) * 1000:.0f} ms")
        machine.run("systemctl", "disable", "many5")
        print(
            f"disabled, and enabled again after {until(lambda: enabled(machine, 'many5') == 'enabled') * 1000:.0f} ms"
        )
        machine.run("rm", "/etc/systemd/system/multi-user.target.wants/many6.service")
        took = until(lambda: enabled(machine, "many6") == "enabled")
        print(f"its link removed, and enabled again after {took * 1000:.0f} ms")
        machine.run("systemctl", "enable", "gone")
        until(lambda: enabled(machine, "gone") == "disabled")
        machine.run("systemctl", "unmask", "banned")
        print(f"unmasked, and masked again after {until(lambda: enabled(machine, 'banned') == 'masked') * 1000:.0f} ms")
        machine.run("systemctl", "mask", "free")
        print(f"masked, and enabled again after {until(lambda: enabled(machine, 'free') == 'enabled') * 1000:.0f} ms")
        assert state(machine, "free") == ["active"]

        # Its file is edited; systemd is told, or not. That is no drift, and it is started by the new one.
        put_unit(machine, "many7.service", "Environment=A=b")
        machine.run("systemctl", "daemon-reload")
        put_unit(machine, "many8.service", "Environment=A=b")
        # One empties its file first, as a shell does, and is slow to write it. Empty, systemd takes it for masked.
        path = "/etc/systemd/system/many9.service"
        machine.run("sh", "-c", f'text=$(cat {path}); : > {path}; sleep 0.7; echo "$text" > {path}')
        for name in ("many7", "many8"):
            kill(machine, name)
            until(lambda name=name: show(machine, name, "Environment", "ActiveState") == ["A=b\nactive\n"])
        assert not re.search(r"service:\S+ failed", daemon.said()), daemon.said()


def test_what_cannot_be_is_said_clearly(machine: Any) -> None:
    put_unit(machine, "dies.service", text="[Service]\nExecStart=/bin/sh -c 'echo no such port >&2; exit 3'\n")
    put_unit(machine, "again.service", text="[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=10ms\n")
    put_unit(machine, "ends.service", text="[Service]\nType=oneshot\nExecStart=/bin/true\n")
    put_unit(machine, "fixed.service", text="[Service]\nExecStart=/bin/sleep infinity\n")
    put_unit(machine, "broken.service", text="[Service]\nExecStart=sleep\\n\nType=simple\nRestart=sometimes\n[Unit\n")
    put_unit(machine, "unmet.service", "[Unit]\nConditionPathExists=/nowhere")
    put_unit(machine, "banned.service")
    put_unit(machine, "freed.service")
    put_unit(machine, "slow.service", "TimeoutStartSec=20\nExecStartPre=/bin/sleep 30")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "mask", "--runtime", "freed")
    machine.run("sh", "-c", "mv /etc/systemd/system/banned.service /usr/lib/systemd/system/ && systemctl mask banned")
    machine.write(PATH, blueprint(
        'r.service("dies", state="running", retry=0)',
        'r.service("again", state="running", retry=0)',
        'r.service("ends", state="running", retry=0)',
        'r.service("fixed", enable=True, retry=0)',
        'r.service("broken", state="running", retry=0)',
        'r.service("unmet", state="running", retry=0)',
        'r.service("banned", state="running", retry=0)',
        'r.service("freed", state="running", masked=False, enable=True, retry=0)',
        'r.service("slow", state="running", timeout="1s", retry=0)',
        'r.service("nowhere", state="running", retry=0)',
    ))  # fmt: skip
    done = once(machine)
    error = {resource["id"]: resource.get("error", resource["status"]) for resource in done["resources"]}
    print("\n".join(f"{id}: {text}" for id, text in error.items()))
    assert (
        "dies.service ended right after it was started: its process ended with exit status 3" in error["service:dies"]
    )
    assert "no such port" in error["service:dies"]
    # systemd starts it again by itself, until that was too often.
    said = "again.service (ended right after|did not start: .* too often|keeps restarting)"
    assert re.search(said, error["service:again"])
    assert "runs once and ends (Type=oneshot without RemainAfterExit=yes)" in error["service:ends"]
    assert "has no [Install] section, so it is started by other units only" in error["service:fixed"]
    assert "systemd cannot load broken.service" in error["service:broken"]
    assert "a Condition…= of its unit file does not hold" in error["service:unmet"]
    assert "is masked, so it cannot be started; masked=False has it unmasked" in error["service:banned"]
    assert error["service:freed"] == "changed"
    assert "slow.service did not come up within 1 s" in error["service:slow"]
    assert error["service:nowhere"] == "unit nowhere.service does not exist"
    assert enabled(machine, "freed") == "enabled"

    # systemd itself has given up by now; that is respected, and said.
    until(lambda: show(machine, "again", "ActiveState") == ["failed\n"])
    machine.write(PATH, blueprint('r.service("again", state="running", retry=0)'))
    assert "it was started too often in a short time" in of(once(machine), "service:again")["error"]


def test_a_failed_reload_leaves_the_old_configuration_and_says_why(machine: Any) -> None:
    refuses = "ExecReload=/bin/sh -c 'echo unknown directive in line 7 >&2; exit 1'"
    put_unit(machine, "refuses.service", refuses)
    put_unit(machine, "needs.service", "[Unit]\nRequires=fails.service\nAfter=fails.service")
    put_unit(machine, "fails.service", text="[Service]\nType=oneshot\nExecStart=/bin/false\n")
    put_unit(machine, "changed.service")
    machine.run("mkdir", "-p", "/etc/systemd/system/changed.service.d")
    put_unit(machine, "changed.service.d/wrong.conf", text="[Service]\nExecStart=\nExecStart=/bin/false\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "refuses")
    machine.write("/etc/refuses.conf", "1")
    lines = [
        'conf = r.file("/etc/refuses.conf", content="2")',
        'r.service("refuses", state="running", reload_on=conf, retry=0)',
        'r.service("needs", state="running", retry=0)',
        'r.service("changed", state="running", retry=0)',
    ]
    machine.write(PATH, blueprint(*lines))
    began = starts(machine, "refuses")
    error = {resource["id"]: resource.get("error", resource["status"]) for resource in once(machine)["resources"]}
    print("\n".join(f"{id}: {text}" for id, text in error.items()))
    assert "refuses.service could not be reloaded; it still runs with the old" in error["service:refuses"]
    assert "unknown directive in line 7" in error["service:refuses"]
    assert starts(machine, "refuses") == began
    assert "fails.service, which it needs, failed" in error["service:needs"]
    assert "/changed.service.d/wrong.conf changes what its unit file says" in error["service:changed"]


def test_what_systemctl_can_enable_is_enabled(machine: Any) -> None:
    instance = UNIT.replace("WantedBy=multi-user.target", "WantedBy=multi-user.target\nDefaultInstance=one")
    put_unit(machine, "tmpl@.service", text=instance)
    put_unit(machine, "bare@.service")
    put_unit(machine, "aliased.service")
    machine.run("ln", "-s", "/etc/systemd/system/aliased.service", "/etc/systemd/system/other.service")
    script = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: oldstyle\n# Required-Start:\n# Required-Stop:\n"
    script += "# Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n# Short-Description: old\n### END INIT INFO\nexit 0\n"
    machine.write("/etc/init.d/oldstyle", script)
    machine.run("chmod", "755", "/etc/init.d/oldstyle")
    machine.run("systemctl", "daemon-reload")
    machine.write(PATH, blueprint(
        'r.service("tmpl@", enable=True)',
        'r.service("bare@", enable=True, retry=0)',
        'r.service("aliased", enable=True, state="running")',
        'r.service("oldstyle", enable=True)',
    ))  # fmt: skip
    first = once(machine)
    status = {resource["id"]: resource["status"] for resource in first["resources"]}
    assert status == {
        "service:tmpl@": "changed", "service:bare@": "failed", "service:aliased": "changed",
        "service:oldstyle": "changed",
    }, first  # fmt: skip
    assert "a template, which needs DefaultInstance= to be enabled" in of(first, "service:bare@")["error"]
    assert machine.run("test", "-L", "/etc/systemd/system/multi-user.target.wants/tmpl@one.service").returncode == 0
    assert enabled(machine, "oldstyle") == "enabled"
    second = once(machine)
    assert {each["status"] for each in second["resources"] if each["id"] != "service:bare@"} == {"ok"}, second
    machine.write(PATH, blueprint('r.service("tmpl@", enable=False)', 'r.service("oldstyle", enable=False)'))
    assert [each["status"] for each in once(machine)["resources"]] == ["changed", "changed"]
    assert enabled(machine, "oldstyle") == "disabled"


def test_a_unit_and_its_files_come_and_go_in_order(machine: Any) -> None:
    unit = "[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"
    machine.write(PATH, blueprint(
        'app = r.service("app", state="running", enable=True)',
        f'r.file("/etc/systemd/system/app.service", content="{unit}", mode=0o644)',
        'r.file("/etc/app.conf", content="1")',
    ))  # fmt: skip
    planned = of(plan(machine), "service:app")
    assert planned["status"] == "pending"
    assert planned["reason"] == "after file:/etc/systemd/system/app.service", planned
    first = once(machine)
    assert [resource["status"] for resource in first["resources"]] == ["changed"] * 3, first
    assert (state(machine, "app"), enabled(machine, "app")) == (["active"], "enabled")
    assert once(machine)["exit"] == 0

    # A drop-in is written, systemd is told of it, and the service runs with it.
    machine.write(PATH, blueprint(
        'r.directory("/etc/systemd/system/app.service.d")',
        'more = r.file("/etc/systemd/system/app.service.d/more.conf", content="[Service]\\nEnvironment=A=b\\n")',
        'r.service("app", state="running", enable=True, restart_on=more)',
    ))  # fmt: skip
    before = show(machine, "app", "MainPID")
    assert of(once(machine), "service:app")["status"] == "changed"
    assert show(machine, "app", "MainPID") != before
    assert show(machine, "app", "Environment") == ["A=b\n"]
    assert once(machine)["exit"] == 0

    machine.write(PATH, blueprint(
        'r.file("/etc/systemd/system/app.service", state="absent")',
        'r.service("app", state="stopped", enable=False)',
    ))  # fmt: skip
    assert of(plan(machine), "service:app")["status"] == "pending"
    last = once(machine)
    assert [resource["id"] for resource in last["resources"] if resource["status"] == "changed"] == [
        "service:app", "file:/etc/systemd/system/app.service",
    ], last  # fmt: skip
    assert state(machine, "app") == ["inactive"]
    assert machine.run("find", "/etc/systemd/system", "-name", "app.service").stdout == ""
    assert once(machine)["exit"] == 0


def starts(machine: Any, name: str) -> int:
    """How often systemd has begun to start a unit."""
    text = machine.run("journalctl", "-u", name, "-o", "json", "--no-pager").stdout
    messages = [json.loads(line)["MESSAGE"] for line in text.splitlines()]
    return sum(message.startswith("Starting ") for message in messages)


def test_other_peoples_work_is_left_to_them(machine: Any) -> None:
    slow = "Type=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'sleep 1; systemd-notify --ready; sleep infinity'\n"
    put_unit(machine, "slow.service", text=f"[Service]\n{slow}")
    put_unit(machine, "web.service", "ExecReload=/bin/sh -c 'echo reloaded >>/tmp/reloads'")
    put_unit(machine, "plain.service")
    put_unit(machine, "gate.service")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "slow")
    machine.write("/etc/web.conf", "1")
    machine.write(PATH, blueprint(
        'r.service("slow", state="running", limit=100)',
        'conf = r.file("/etc/web.conf", content="1")',
        'r.service("web", state="running", reload_on=conf, limit=100)',
        'r.service("plain", state="running", restart_on=conf, limit=100)',
        'r.file("/tmp/gated", content="", condition=service_active("gate"))',
    ))  # fmt: skip
    with guarding(machine) as daemon:
        # A person restarts it, which takes a second; then starts it anew.
        began = starts(machine, "slow")
        machine.run("systemctl", "restart", "slow")
        machine.run("systemctl", "try-restart", "slow")
        assert starts(machine, "slow") == began + 2
        assert "service:slow" not in "".join(line for line in daemon.said().splitlines() if " changed" in line)
        machine.run("systemctl", "stop", "slow")
        until(lambda: state(machine, "slow") == ["active"])
        assert starts(machine, "slow") == began + 3

        # Reactions: one reload and one restart for one change.
        pid = show(machine, "plain", "MainPID")
        web = show(machine, "web", "MainPID")
        machine.write("/etc/web.conf", "2")
        until(lambda: machine.run("cat", "/tmp/reloads", check=False).stdout == "reloaded\n")
        until(lambda: show(machine, "plain", "MainPID") not in (pid, ["0\n"]))
        assert show(machine, "web", "MainPID") == web

        # A condition that holds later.
        assert machine.run("test", "-e", "/tmp/gated", check=False).returncode == 1
        machine.run("systemctl", "start", "gate")
        took = until(lambda: machine.run("test", "-e", "/tmp/gated", check=False).returncode == 0)
        print(f"what waits for a service is there {took * 1000:.0f} ms after that has started")

        # While packages are being changed, a service that is down is none of our business.
        hold = "import fcntl, sys; f = open('/var/lib/dpkg/lock', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); "
        hold += "print(flush=True); sys.stdin.read()"
        with subprocess.Popen(
            machine._inside([str(machine.python), "-c", hold]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as lock:
            assert lock.stdin is not None
            assert lock.stdout is not None
            lock.stdout.readline()
            machine.run("systemctl", "stop", "plain")
            machine.run("systemctl", "stop", "web")
            machine.run("systemctl", "start", "web")
            # Another one shows that news is being worked on meanwhile.
            machine.run("rm", "/tmp/gated")
            until(lambda: machine.run("test", "-e", "/tmp/gated", check=False).returncode == 0)
            assert state(machine, "plain") == ["inactive"]
            lock.stdin.close()
            took = until(lambda: state(machine, "plain") == ["active"])
            print(f"started {took * 1000:.0f} ms after the package manager was done")

        # systemd re-executes itself; then the bus goes away and comes back.
        machine.run("systemctl", "daemon-reexec")
        machine.run("systemctl", "stop", "web")
        print(f"after daemon-reexec: {until(lambda: state(machine, 'web') == ['active']) * 1000:.0f} ms")
        machine.run("systemctl", "restart", "dbus")
        daemon.wait_for("news from the system stopped")
        daemon.wait_for("news from the system is back")
        machine.run("systemctl", "stop", "web")
        print(f"after restart of dbus: {until(lambda: state(machine, 'web') == ['active']) * 1000:.0f} ms")
        machine.run("systemctl", "stop", "plain")
        until(lambda: state(machine, "plain") == ["active"])
        assert not re.search(r"service:\S+ failed", daemon.said()), daemon.said()


LOOPS = {
    "loop": "Type=simple\nExecStart=/bin/sh -c 'echo the port is taken; sleep 0.1; exit 7'\nRestartSec=3",
    "slower": "Type=simple\nExecStart=/bin/sh -c 'echo the port is taken; sleep 2; exit 7'\nRestartSec=1",
    "says-so": "Type=notify\nNotifyAccess=all\nRestartSec=3\n"
    "ExecStart=/bin/sh -c 'echo the port is taken; systemd-notify --ready; sleep 0.5; exit 7'",
}


def test_a_crash_loop_is_never_right(machine: Any) -> None:
    for name, how in LOOPS.items():
        text = f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n{how}\n"
        put_unit(machine, f"{name}.service", text=text)
    put_unit(machine, "healthy.service", "Restart=always")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "--no-block", "healthy", *LOOPS)
    until(lambda: all(int(show(machine, name, "NRestarts")[0]) >= 2 for name in LOOPS))
    lines = [f'r.service("{name}", state="running", retry=0)' for name in (*LOOPS, "healthy")]
    lines += [f'r.file("/tmp/after-{name}", content="", depends_on=["service:{name}"])' for name in (*LOOPS, "healthy")]
    lines += [
        f'r.file("/tmp/gated-{name}", content="", retry=0, condition=service_active("{name}"))'
        for name in (*LOOPS, "healthy")
    ]
    machine.write(PATH, blueprint(*lines))
    kill(machine, "healthy")
    planned = plan(machine)
    assert not [name for name in LOOPS if of(planned, f"service:{name}")["status"] == "ok"]

    run = once(machine)
    assert run["exit"] == 3
    for name in LOOPS:
        failed = of(run, f"service:{name}")
        assert failed["status"] == "failed"
        assert re.search(
            rf"{name}.service keeps restarting: systemd restarted it \d+ times, and it ended again after "
            r"\d+\.\d s(; its process ended with exit status 7)?",
            failed["error"],
        )
        assert "the port is taken" in failed["error"]
        assert of(run, f"file:/tmp/after-{name}")["status"] == "skipped"
        assert machine.run("test", "-e", f"/tmp/after-{name}", check=False).returncode == 1
        assert machine.run("test", "-e", f"/tmp/gated-{name}", check=False).returncode == 1
    assert of(run, "service:healthy")["status"] == "ok", "it was killed once, and has run since"
    assert machine.run("ls", "/tmp/after-healthy", "/tmp/gated-healthy").returncode == 0

    # What heals is right, and what waited for it goes on.
    put_unit(machine, "loop.service", "Restart=always")
    machine.write(PATH, blueprint(*(line for line in lines if "loop" in line)))
    machine.run("systemctl", "daemon-reload")
    assert once(machine)["exit"] == 2
    assert machine.run("ls", "/tmp/after-loop", "/tmp/gated-loop").returncode == 0
    assert once(machine)["exit"] == 0


def test_a_loop_that_begins_with_our_start_is_noticed(machine: Any) -> None:
    for name, how in LOOPS.items():
        text = f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n{how}\n"
        put_unit(machine, f"{name}.service", text=text)
    put_unit(machine, "fresh.service", "Restart=always")
    machine.write(PATH, blueprint('r.service("fresh", state="running")'))
    began = time.monotonic()
    assert once(machine)["exit"] == 2
    assert time.monotonic() - began < 6, "a healthy start is waited for no longer"
    for name in ("loop", "says-so"):
        machine.write(PATH, blueprint(f'r.service("{name}", state="running", retry=0)'))
        run = once(machine)
        assert run["exit"] in (3, 4), name
        assert "the port is taken" in of(run, f"service:{name}")["error"]


def put_package(machine: Any, version: int) -> str:
    """A package whose scripts stop and start its service as Debian's do, each taking its time."""
    folder = f"/root/pkg-{version}"
    scripts = {
        "prerm": "systemctl stop srv; sleep 0.5",
        "postinst": "sleep 0.5; systemctl daemon-reload; systemctl start srv",
    }
    control = f"Package: srv\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: a service\n"
    machine.write(f"{folder}/DEBIAN/control", control)
    for name, script in scripts.items():
        machine.write(f"{folder}/DEBIAN/{name}", f"#!/bin/sh\n{script}\n", 0o755)
    machine.write(f"{folder}/usr/lib/systemd/system/srv.service", UNIT.format(more=f"Environment=VERSION={version}"))
    machine.run("dpkg-deb", "--build", folder, f"/root/srv-{version}.deb")
    return f"/root/srv-{version}.deb"


def test_an_upgrade_stops_and_starts_its_service_itself(machine: Any) -> None:
    old, new = put_package(machine, 1), put_package(machine, 2)
    machine.run("dpkg", "-i", old)
    machine.write(PATH, blueprint('r.service("srv", state="running")'))
    with guarding(machine) as daemon:
        machine.run("dpkg", "-i", new)
        assert show(machine, "srv", "Environment") == ["VERSION=2\n"]
        log = machine.run("journalctl", "-u", "srv", "-o", "cat", "--no-pager").stdout
        assert log.count("Started srv.service") == 2, "by the two installations, and nobody else"
        machine.run("systemctl", "stop", "srv")
        daemon.wait_for("service:srv changed: state stopped -> running")
        assert daemon.said().count("service:srv changed") == 1, daemon.said()


def test_nothing_is_started_while_the_machine_goes_down(machine: Any) -> None:
    put_unit(machine, "app.service", "ExecStopPost=/bin/sh -c 'rm /run/marker; sleep 1'")
    put_unit(machine, "other.service")
    machine.write(PATH, blueprint(
        'r.service("app", state="running", enable=True)',
        'r.service("other", state="running", enable=True)',
        'r.exec("marker", ["sh", "-c", "echo once >>/var/ran; touch /run/marker"], creates="/run/marker")',
    ))  # fmt: skip
    # It stays until it is killed at the very end, so that it sees all of the shutdown.
    machine.write(
        "/etc/systemd/system/guard.service",
        "[Unit]\nDefaultDependencies=no\n[Service]\n"
        f"ExecStart={machine.python} -m converge --out serial serve {PATH}\n",
    )
    machine.run("mkdir", "-p", "/var/log/journal")
    machine.run("systemctl", "restart", "systemd-journald")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "guard")
    daemon = Daemon(machine)
    daemon.wait_for("WATCHING")
    assert state(machine, "app", "other") == ["active", "active"]
    machine.power_off()
    machine.boot()
    log = machine.run("journalctl", "-b", "-1", "-o", "cat", "--no-pager").stdout
    assert "the machine is shutting down; nothing more is started" in log, log
    going = log[log.index("the machine is shutting down; nothing more is started") :]
    assert "Stopped app.service" in going
    assert "Started app.service" not in going
    ours = machine.run("journalctl", "-b", "-1", "-u", "guard", "-o", "cat", "--no-pager").stdout
    assert not re.search(r"(service|exec):\S+ (changed|failed)", ours.partition("the machine is shutting down")[2]), (
        ours
    )
    assert machine.read("/var/ran") == "once\n", "the marker was removed while the machine went down"


COUNTED = """
import sys
begun = []
starts = ("subprocess.Popen", "os.fork", "os.posix_spawn")
sys.addaudithook(lambda event, _: begun.append(event) if event in starts else None)
from converge.cli import main
code = main(["--out", "json", "plan", "--detailed-exit-codes", sys.argv[1]])
print(code, len(begun), file=sys.stderr)
"""


def test_a_hundred_services_are_looked_at_at_once(machine: Any) -> None:
    for number in range(100):
        put_unit(machine, f"many{number}.service")
    machine.write(PATH, blueprint('for n in range(100): r.service(f"many{n}", state="running", enable=True)'))
    began = time.monotonic()
    assert once(machine)["summary"]["changed"] == 100
    print(f"a hundred services enabled and started in {time.monotonic() - began - 1:.1f} s")
    done = machine.run(str(machine.python), "-c", COUNTED, PATH)
    assert done.stderr == "0 0\n", "not all in sync, or a process was started"
    print(f"a plan of a hundred services takes {json.loads(done.stdout)['summary']['duration_ms']} ms, and no process")
    assert once(machine)["exit"] == 0
