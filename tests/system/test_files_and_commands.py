"""Files and commands, guarded on a real system by a daemon that its own systemd runs."""

from __future__ import annotations

import json
import time
from typing import Any

SITE = """
from converge import Run, blueprint

@blueprint("site")
def site(r: Run) -> None:
    r.directory("/srv/site", mode=0o755)
    conf = r.file("/srv/site/server.conf", content="listen 8080\\n", mode=0o644)
    r.exec("reload", ["/bin/sh", "-c", "date >>/srv/site/reloads"], only_on=conf)
"""
UNIT = """
[Service]
ExecStart={python} -m converge --out serial serve /etc/converge/site.py
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
"""


def until(what: Any, deadline: float = 20.0) -> float:  # Any: whatever the test asks
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, "not in time"
        time.sleep(0.01)
    return time.monotonic() - began


def test_a_daemon_run_by_systemd_guards_files_also_after_a_reboot(machine: Any) -> None:
    machine.write("/etc/converge/site.py", SITE)
    machine.write(
        "/etc/systemd/system/converge.service",
        UNIT.format(python=machine.python) + "[Install]\nWantedBy=multi-user.target\n",
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", "converge")
    until(lambda: machine.run("test", "-e", "/srv/site/reloads", check=False).returncode == 0)
    machine.run("sh", "-c", "echo tampered >/srv/site/server.conf")
    took = until(lambda: machine.read("/srv/site/server.conf") == "listen 8080\n")
    print(f"right again after {took * 1000:.0f} ms, as seen from outside the container")
    until(lambda: len(machine.read("/srv/site/reloads").splitlines()) == 2)
    log = machine.run("journalctl", "-u", "converge", "--no-pager").stdout
    assert "WATCHING 3 resources" in log

    machine.power_off()
    machine.boot()
    until(lambda: "WATCHING" in machine.run("journalctl", "-b", "-u", "converge", "--no-pager").stdout)
    assert len(machine.read("/srv/site/reloads").splitlines()) == 2, "nothing was due"
    machine.run("rm", "-r", "/srv/site")
    until(lambda: machine.run("test", "-e", "/srv/site/server.conf", check=False).returncode == 0)


def test_stopping_the_service_is_clean(machine: Any) -> None:
    machine.write("/etc/converge/site.py", SITE)
    machine.run("systemd-run", "--unit=guard", str(machine.python), "-m", "converge", "serve", "/etc/converge/site.py")
    until(lambda: machine.run("test", "-e", "/srv/site/server.conf", check=False).returncode == 0)
    machine.run("systemctl", "stop", "guard")
    assert machine.run("systemctl", "is-failed", "guard", check=False).stdout == "inactive\n"


def test_once_for_an_image(machine: Any) -> None:
    machine.write("/etc/converge/site.py", SITE)
    first = machine.converge("--out", "json", "serve", "--timeout", "100ms", "/etc/converge/site.py")
    again = machine.converge("--out", "json", "serve", "--timeout", "100ms", "/etc/converge/site.py")
    assert json.loads(first.stdout)["summary"]["changed"] == 3
    assert "changed" not in json.loads(again.stdout)["summary"]
