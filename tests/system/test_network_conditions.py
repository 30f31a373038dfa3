"""Gates that wait for the network of a booted machine, with real pairs of interfaces."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

BLUEPRINT = "/etc/converge/gates.py"
GATES = """
from converge import Run, blueprint, network_interface, network_reachable

@blueprint("gates")
def gates(r: Run) -> None:
    r.file("/srv/uplink", content="up", condition=network_interface("uplink0"))
    r.file("/srv/both", content="up", condition=network_interface("uplink0") & network_interface("uplink1"))
    r.file("/srv/server", content="up", condition=network_reachable("10.9.0.2", 7777))
    r.file("/srv/either", content="up", condition=network_reachable("10.9.0.2", 7777) | network_interface("uplink1"))
    r.file("/srv/gone", content="up", condition=~network_interface("lo"))
"""
SERVER = "import socket, time; s = socket.create_server(('10.9.0.2', 7777)); time.sleep(600)"


def until(what: Callable[[], Any], deadline: float = 20.0) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, "not in time"
        time.sleep(0.005)
    return time.monotonic() - began


def there(machine: Any, name: str) -> bool:
    done: int = machine.run("test", "-e", f"/srv/{name}", check=False).returncode
    return done == 0


def test_gates_open_when_the_network_is_there(machine: Any) -> None:
    machine.write(BLUEPRINT, GATES)
    command = (str(machine.python), "-m", "converge", "--out", "serial", "serve", BLUEPRINT)
    machine.run("systemd-run", "--unit=guard", *command)
    until(lambda: "WATCHING" in machine.run("journalctl", "-u", "guard", "--no-pager").stdout)
    log = machine.run("journalctl", "-u", "guard", "--no-pager").stdout
    assert "waits until (network_interface(uplink0) & network_interface(uplink1)) holds" in log
    assert "waits until network_reachable(10.9.0.2, 7777) holds" in log

    # It exists, then it is up, then it has its link: the other end is up too.
    machine.run("ip", "netns", "add", "far")
    machine.run("ip", "link", "add", "uplink0", "type", "veth", "peer", "name", "peer0", "netns", "far")
    machine.run("ip", "link", "set", "uplink0", "up")
    machine.run("ip", "addr", "add", "10.9.0.1/24", "dev", "uplink0")
    assert not there(machine, "uplink")
    machine.run("ip", "-n", "far", "link", "set", "peer0", "up")
    took = until(lambda: there(machine, "uplink"))
    print(f"an interface that comes up: noticed after {took * 1000:.0f} ms, as seen from outside the container")
    assert not there(machine, "both")

    # Lost, while the other comes; met again, and once more under another name.
    machine.run("ip", "link", "del", "uplink0")
    machine.run("ip", "link", "add", "uplink1", "type", "veth", "peer", "name", "peer1", "netns", "far")
    machine.run("ip", "link", "set", "uplink1", "up")
    machine.run("ip", "-n", "far", "link", "set", "peer1", "up")
    until(lambda: there(machine, "either"))
    assert not there(machine, "both")
    machine.run("ip", "link", "add", "other0", "type", "veth", "peer", "name", "peer0", "netns", "far")
    machine.run("ip", "link", "set", "other0", "name", "uplink0")
    machine.run("ip", "addr", "add", "10.9.0.1/24", "dev", "uplink0")
    machine.run("ip", "link", "set", "uplink0", "up")
    machine.run("ip", "-n", "far", "addr", "add", "10.9.0.2/24", "dev", "peer0")
    machine.run("ip", "-n", "far", "link", "set", "peer0", "up")
    until(lambda: there(machine, "both"))

    assert not there(machine, "server")
    machine.run("systemd-run", "--unit=server", "ip", "netns", "exec", "far", str(machine.python), "-c", SERVER)
    took = until(lambda: there(machine, "server"))
    print(f"a server that comes: noticed after {took:.1f} s")
    assert not there(machine, "gone")
    # Once open, a gate stays open.
    machine.run("sh", "-c", "ip link del uplink1; rm /srv/both")
    until(lambda: there(machine, "both"))
    machine.run("systemctl", "stop", "guard", "server")
