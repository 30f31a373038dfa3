"""A machine that is really rebooted, by a daemon that its own systemd runs, and what comes after it."""

from __future__ import annotations

import time
from typing import Any

SITE = """
from converge import Run, blueprint

@blueprint("site")
def site(r: Run) -> None:
    settings = r.file("/etc/kernel.conf", content="quiet\\n", mode=0o644)
    kernel = r.reboot("kernel", reason="new kernel settings", only_on=settings, delay="3s")
    r.exec("after", "cp /proc/sys/kernel/random/boot_id /srv/after", creates="/srv/after", depends_on=kernel)
    r.exec("beside", "cp /proc/sys/kernel/random/boot_id /srv/beside", creates="/srv/beside")
    r.reboot("updates", reason="updates of the system", when_exists="/run/reboot-required")
"""
ONCE = """
from converge import Run, blueprint

@blueprint("once")
def once(r: Run) -> None:
    first = r.reboot("first", reason="a fresh start")
    r.exec("after", "cp /proc/sys/kernel/random/boot_id /srv/after", creates="/srv/after", depends_on=first)
"""
UNIT = """
[Service]
ExecStart={python} -m converge --out serial serve /etc/converge/site.py
[Install]
WantedBy=multi-user.target
"""


def until(what: Any, deadline: float = 30.0) -> float:  # Any: whatever the test asks
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, "not in time"
        time.sleep(0.01)
    return time.monotonic() - began


def there(machine: Any, path: str) -> bool:
    return bool(machine.run("test", "-e", path, check=False).returncode == 0)


def boot_id(machine: Any) -> str:
    return str(machine.read("/proc/sys/kernel/random/boot_id"))


def serve(machine: Any, blueprint: str) -> None:
    machine.write("/etc/converge/site.py", blueprint)
    machine.write("/etc/systemd/system/converge.service", UNIT.format(python=machine.python))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", "converge")


def watching(machine: Any) -> bool:
    return "WATCHING" in machine.run("journalctl", "-b", "-u", "converge", "--no-pager").stdout


def test_a_change_that_calls_for_a_reboot_gets_one_and_what_depends_on_it_comes_after(machine: Any) -> None:
    machine.write("/etc/converge/site.py", SITE)
    plan = machine.converge("plan", "/etc/converge/site.py")
    assert "because of file:/etc/kernel.conf" in plan.stdout
    before = boot_id(machine)
    serve(machine, SITE)
    until(lambda: there(machine, "/srv/beside"))
    assert not there(machine, "/srv/after"), "what depends on a reboot that is due waits"
    began = time.monotonic()
    machine.wait_until_off()
    print(f"off {time.monotonic() - began:.1f} s later, of which 3 s were asked for")
    machine.boot()
    until(lambda: watching(machine))
    assert machine.read("/srv/beside") == before
    assert machine.read("/srv/after") == boot_id(machine) != before

    # It does not do so again, nor does another daemon that comes later.
    machine.run("systemctl", "stop", "converge")
    done = machine.converge("serve", "--timeout", "1s", "--detailed-exit-codes", "/etc/converge/site.py", check=False)
    assert done.returncode == 0, done.stdout
    done = machine.converge("plan", "--detailed-exit-codes", "/etc/converge/site.py", check=False)
    assert done.returncode == 0, done.stdout

    # A package manager at work keeps the machine up; when it is done, a file that calls for a reboot has its way.
    apt = machine.start("systemd-inhibit", "--what=shutdown", "--who=APT", "--mode=block", "sleep", "1000")
    until(lambda: "APT" in machine.run("systemd-inhibit", "--list", "--no-pager").stdout)
    machine.run("systemctl", "start", "converge")
    until(lambda: watching(machine))
    second = boot_id(machine)
    machine.run("touch", "/run/reboot-required")
    until(lambda: there(machine, "/var/lib/converge/reboot-updates.json"))
    plan = machine.converge("plan", "/etc/converge/site.py")
    assert "reboot: pending: updates of the system" in plan.stdout, plan.stdout
    assert boot_id(machine) == second
    apt.kill()
    apt.wait()
    machine.run("pkill", "sleep")
    began = time.monotonic()
    machine.wait_until_off()
    print(f"off {time.monotonic() - began:.1f} s after the package manager was done")
    machine.boot()
    until(lambda: watching(machine))
    assert boot_id(machine) != second
    assert not there(machine, "/run/reboot-required")
    log = machine.run("journalctl", "--no-pager", "-t", "systemd-logind").stdout
    assert log.count("System is rebooting (new kernel settings)") == 1
    assert log.count("System is rebooting (updates of the system)") == 1


def test_a_reboot_without_a_reason_is_made_once(machine: Any) -> None:
    machine.write("/etc/converge/site.py", ONCE)
    plan = machine.converge("plan", "--detailed-exit-codes", "/etc/converge/site.py", check=False)
    assert plan.returncode == 5
    assert "reboot: pending: a fresh start" in plan.stdout
    before = boot_id(machine)
    serve(machine, ONCE)
    machine.wait_until_off()
    machine.boot()
    until(lambda: watching(machine))
    assert machine.read("/srv/after") == boot_id(machine) != before
    machine.run("systemctl", "restart", "converge")
    until(lambda: machine.run("journalctl", "-b", "-u", "converge", "--no-pager").stdout.count("WATCHING") == 2)
    machine.run("systemctl", "stop", "converge")
    for command in (["plan"], ["serve", "--timeout", "1s"]):
        done = machine.converge(*command, "--detailed-exit-codes", "/etc/converge/site.py", check=False)
        assert done.returncode == 0, done.stdout
