"""A server's worth of everything, all in sync: what a plan of it starts, and how soon drift is undone."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

PREPARE = r"""
set -e
for n in $(seq 100); do
  printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
    >/etc/systemd/system/s$n.service
done
systemctl daemon-reload
mkdir -p /etc/converge
dpkg-query -f '${Package}\n' -W | head -200 >/etc/converge/packages
sysctl -a 2>/dev/null | grep -E '^net\.ipv4\.(conf|neigh)\.' | grep -v -e stable_secret -e base_reachable_time \
  | head -100 >/etc/converge/sysctls
"""
SITE = r"""
from pathlib import Path
from converge import Run, blueprint

@blueprint("server")
def server(r: Run) -> None:
    for name in Path("/etc/converge/packages").read_text().split():
        r.package(name)
    for n in range(1, 101):
        r.service(f"s{n}", state="running", enable=True, limit=100.0)
        r.firewall(f"f{n}", port=10000 + n, source=f"10.0.{n}.0/24", limit=100.0)
    for n in range(50):
        r.user(f"user{n}", shell="/bin/sh", limit=100.0)
    for line in Path("/etc/converge/sysctls").read_text().splitlines():
        key, _, value = line.partition(" = ")
        r.sysctl(key, value)
"""
COUNT = r"""
import sys, time
started = []
STARTS = ("subprocess.Popen", "os.fork", "os.posix_spawn")
sys.addaudithook(lambda name, _: started.append(name) if name in STARTS else None)
from converge.cli import main
began = time.perf_counter()
code = main(sys.argv[1:])
print(len(started), time.perf_counter() - began, code, file=sys.stderr)
"""
AT = "/etc/converge/server.py"
ROUNDS = 15


def until(what: Callable[[], Any], said: str, deadline: float = 60.0) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, f"not in time: {said}"
    return time.monotonic() - began


def test_a_servers_worth(machine: Any) -> None:
    machine.run("sh", "-c", PREPARE)
    machine.write(AT, SITE)
    done = machine.converge("--out", "json", "serve", "--timeout", "1s", AT, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == 0, [each for each in found["resources"] if each.get("error")][:5]
    total = found["summary"]["total"]

    seconds = []
    for _ in range(5):
        plan = machine.run(
            str(machine.python), "-c", COUNT, "plan", "--detailed-exit-codes", "--out", "json", AT, check=False
        )
        processes, took, code = plan.stderr.split()
        assert (int(code), plan.returncode) == (0, 0), plan.stdout
        assert int(processes) <= 2
        seconds.append(float(took))
    print(f"plan of {total} resources: {processes} processes, {min(seconds):.2f} s at best of {len(seconds)}")

    machine.run("systemd-run", "--unit=guard", str(machine.python), "-m", "converge", "--out", "serial", "serve", AT)
    journal = ("journalctl", "-u", "guard", "--no-pager", "-o", "cat")
    until(lambda: "WATCHING" in machine.run(*journal).stdout, "WATCHING")
    for what, command, holds in (
        ("service", "systemctl stop s{}", "systemctl -q is-active s{}"),
        ("user", "usermod -s /bin/bash user{}", "grep -q ^user{}:.*:/bin/sh$ /etc/passwd"),
        ("firewall rule", "nft flush table inet converge", "nft list table inet converge | grep -q 'dport 1000{} '"),
    ):
        took = []
        for number in range(1, ROUNDS + 1):
            machine.run("sh", "-c", command.format(number % 9 + 1))
            took.append(until(lambda: _holds(machine, holds.format(number % 9 + 1)), what))  # noqa: B023 - asked at once
            time.sleep(0.7)  # each its own drift, not one more of the last one's window
        print(f"{what}: right again p50 {statistics.median(took) * 1000:.0f} ms, max {max(took) * 1000:.0f} ms "
              "after the other tool had ended, the looking included")  # fmt: skip


def _holds(machine: Any, condition: str) -> bool:
    return bool(machine.run("sh", "-c", condition, check=False).returncode == 0)
