"""Settings of the kernel of a booted machine: converged, tampered with by sysctl, and kept in one file with others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

BLUEPRINT = "/etc/converge/kernel.py"
FILE = "/etc/sysctl.d/99-converge.conf"
# In a container only the network's settings can be written: they belong to it alone.
SETTINGS = """
from converge import Run, blueprint

@blueprint("kernel")
def kernel(r: Run) -> None:
    r.sysctl("net.ipv4.ip_default_ttl", 77, limit=1000.0)
    r.sysctl("net.ipv4.tcp_rmem", "4096\\t100000  200000", limit=1000.0)
    r.sysctl("net/ipv4/conf/lo/forwarding", 0, limit=1000.0)
    r.sysctl("net.ipv4.ping_group_range", "0 10", persist=False)
    r.sysctl("net.ipv4.ip_local_reserved_ports", "8080,8081,9000-9002", persist=False)
    r.sysctl("net.ipv4.tcp_retries2", "0x9", persist=False)
    r.sysctl("net.ipv4.tcp_retries1", "04", persist=False)
    r.sysctl("net.ipv4.tcp_syncookies", state="absent")
"""
LATE = """
    r.sysctl("net.ipv4.conf.late/1.forwarding", 1)
    r.sysctl("net.ipv4.nosuch", 1)
    r.sysctl("net.ipv4.tcp_max_syn_backlog", "many")
"""


def until(what: Callable[[], Any], deadline: float = 20.0) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, "not in time"
        time.sleep(0.005)
    return time.monotonic() - began


def live(machine: Any, path: str) -> str:
    return " ".join(machine.read(f"/proc/sys/{path}").split())


def nothing_to_do(machine: Any) -> None:
    again = machine.converge("serve", BLUEPRINT, "--timeout", "1s", "--detailed-exit-codes", check=False)
    assert again.returncode == 0, again.stdout
    plan = machine.converge("plan", BLUEPRINT, "--detailed-exit-codes", check=False)
    assert plan.returncode == 0, plan.stdout


def guard(machine: Any) -> None:
    command = (str(machine.python), "-m", "converge", "--out", "serial", "serve", "--max-retries", "0", BLUEPRINT)
    machine.run("systemd-run", "--unit=guard", *command)
    until(lambda: "WATCHING" in machine.run("journalctl", "-u", "guard", "--no-pager").stdout)


def test_settings_are_put_right_live_and_in_their_file(machine: Any) -> None:
    machine.write(FILE, "# ours\nkernel.sysrq=1\nnet/ipv4/tcp_syncookies = 1\n-net.ipv4.ip_default_ttl = 1\n")
    machine.write(BLUEPRINT, SETTINGS)
    first = machine.converge("serve", BLUEPRINT, "--timeout", "1s", "--detailed-exit-codes", check=False)
    assert first.returncode == 2, first.stdout
    lines = machine.read(FILE)
    assert lines == (
        "# ours\nkernel.sysrq=1\nnet.ipv4.ip_default_ttl = 77\n"
        "net.ipv4.tcp_rmem = 4096 100000 200000\nnet.ipv4.conf.lo.forwarding = 0\n"
    )
    assert live(machine, "net/ipv4/tcp_rmem") == "4096 100000 200000"
    assert live(machine, "net/ipv4/ping_group_range") == "0 10"
    nothing_to_do(machine)

    guard(machine)
    machine.run("sysctl", "-w", "net.ipv4.ip_default_ttl=12")
    took = until(lambda: live(machine, "net/ipv4/ip_default_ttl") == "77")
    print(f"sysctl -w: right again after {took * 1000:.0f} ms, as seen from outside the container")
    machine.run("sysctl", "-w", "net.ipv4.tcp_rmem=4096 4096 4096")
    until(lambda: live(machine, "net/ipv4/tcp_rmem") == "4096 100000 200000")
    machine.run("sed", "-i", "s/= 77/= 78/", FILE)
    took = until(lambda: machine.read(FILE) == lines)
    print(f"sed -i: right again after {took * 1000:.0f} ms, as seen from outside the container")
    machine.run("rm", FILE)
    until(lambda: "net.ipv4.conf.lo.forwarding = 0\n" in machine.run("cat", FILE, check=False).stdout)
    machine.run("sh", "-c", f"echo net.ipv4.tcp_syncookies=0 >>{FILE}")
    until(lambda: "syncookies" not in machine.read(FILE))
    # One setting changes others, of which the kernel says nothing: those are polled.
    other = "cd /proc/sys/net/ipv4; echo 0 >ip_forward; echo 1 >ip_forward; cat conf/lo/forwarding"
    until(lambda: machine.run("sh", "-c", other).stdout == "1\n")  # unless it is put right within that moment
    took = until(lambda: live(machine, "net/ipv4/conf/lo/forwarding") == "0", 45)
    print(f"what the kernel changes by itself: right again after {took:.0f} s")
    assert "warning" not in machine.run("journalctl", "-u", "guard", "--no-pager").stdout
    machine.run("systemctl", "stop", "guard")
    nothing_to_do(machine)


def test_what_the_kernel_lacks_or_refuses_is_said(machine: Any) -> None:
    machine.write(BLUEPRINT, SETTINGS + LATE)
    guard(machine)
    log = machine.run("journalctl", "-u", "guard", "--no-pager").stdout
    assert "there is no network interface late.1" in log
    assert "the kernel has no setting net.ipv4.nosuch" in log
    assert "the kernel does not take 'many' for net.ipv4.tcp_max_syn_backlog" in log
    assert f"declared at {BLUEPRINT}:15" in log
    assert live(machine, "net/ipv4/ip_default_ttl") == "77"
    assert "many" not in machine.read(FILE)
    assert "late" not in machine.read(FILE)
    # It comes, and its setting with it.
    machine.run("ip", "link", "add", "late.1", "type", "veth", "peer", "name", "other")
    took = until(lambda: live(machine, "net/ipv4/conf/late.1/forwarding") == "1")
    print(f"a setting that comes late: right after {took * 1000:.0f} ms, as seen from outside the container")
    until(lambda: "net.ipv4.conf.late/1.forwarding = 1\n" in machine.read(FILE))
    # sysctl(8) reads the file as we mean it.
    machine.run("sh", "-c", "systemctl stop guard; echo 0 >/proc/sys/net/ipv4/conf/late.1/forwarding")
    assert "late/1.forwarding = 1" in machine.run("sysctl", "-p", FILE).stdout
    assert live(machine, "net/ipv4/conf/late.1/forwarding") == "1"
