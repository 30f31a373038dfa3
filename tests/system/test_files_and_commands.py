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
DIFFERING = """
from converge import Run, blueprint

@blueprint("site")
def site(r: Run) -> None:
    r.file("/srv/a.conf", content="listen 8080;\\nroot /srv;\\n", why="ticket 4711")
    r.file("/srv/b.conf", content="".join(f"new {n}\\n" for n in range(1000)))
    r.file("/srv/c.conf", content="ours\\n", noop=True)
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


def test_the_journal_shows_what_was_changed_in_entries_of_a_line(machine: Any) -> None:
    machine.write("/etc/converge/site.py", DIFFERING)
    machine.write("/srv/a.conf", "listen 80;\nroot /srv;\n")
    machine.write("/srv/b.conf", "".join(f"old {number}\n" for number in range(1000)))
    machine.write("/srv/c.conf", "theirs\n")
    machine.converge("serve", "--timeout", "100ms", "/etc/converge/site.py")
    entries = [
        json.loads(line)["MESSAGE"]
        for line in machine.run("journalctl", "-t", "converge", "-o", "json", "--no-pager").stdout.splitlines()
    ]
    begin = entries.index("file:/srv/a.conf changed: content (why: ticket 4711)")
    assert entries[begin + 1 : begin + 7] == [
        "  --- now",
        "  +++ wanted",
        "  @@ -1,2 +1,2 @@",
        "  -listen 80;",
        "  +listen 8080;",
        "   root /srv;",
    ]
    assert "file:/srv/c.conf differs, and is only checked (noop): content theirs -> ours" in entries
    assert len([entry for entry in entries if entry.startswith(("  -old", "  +new"))]) < 20
    assert not [entry for entry in entries if "\\n" in entry or "\n" in entry]
    assert any(entry.startswith("watching 3 resources: 2 changed, 1 pending in ") for entry in entries)
