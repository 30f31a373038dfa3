"""The packet filter of a booted machine: converged, tampered with by nft, and never shutting the administrator out."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

BLUEPRINT = "/etc/converge/wall.py"
HEAD = """
from converge import Run, blueprint

@blueprint("wall")
def wall(r: Run) -> None:
"""
RULES = (
    HEAD
    + """
    fast = {"limit": 1000.0}
    r.firewall("web", port=[80, 443, "8000-8010"], **fast)
    r.firewall("dns", port=53, protocol="both", source=["10.0.0.0/8", "2001:db8::/32", "10.1.0.0/16"], **fast)
    r.firewall("neighbours", port=[9, "10-12"], dest=["10.0.1.0/24", "10.0.2.0/24", "10.9.9.9"], action="block", **fast)
    r.firewall("bad guy", protocol="any", source="203.0.113.7", action="block", order=-10, **fast)
    r.firewall("telnet", port=23, action="reject", **fast)
    r.firewall("snmp", port=161, protocol="udp", action="reject", source="192.0.2.0/24", interface="lo", **fast)
    r.firewall("ping", protocol="icmp", interface="eth*", **fast)
    r.firewall("mail", direction="outbound", port=25, action="block", dest="0.0.0.0/0", **fast)
    r.firewall("old", port=1, state="absent", **fast)
"""
)
OTHERS = """
table inet others {
    chain input {
        type filter hook input priority 5
        tcp dport 99 counter accept comment "mine"
    }
}
"""
# Measured inside, since a look from outside costs more than the repair.
MEASURE = """
import subprocess, sys, time
from converge.resources.firewall.nftables import nft

def rules():
    table = nft.list_table() or ()
    return [{key: value for key, value in content.items() if key != "handle"}
            for each in table for kind, content in each.items() if kind != "metainfo"]

right = rules()
for _ in range(int(sys.argv[1])):
    subprocess.run(sys.argv[2:], check=True)
    began = time.monotonic()
    while rules() != right:
        assert time.monotonic() - began < 20, 'not in time'
        time.sleep(0.0005)
    print(time.monotonic() - began)
    time.sleep(0.7)  # longer than the window in which one more look is all that several changes get
"""


def until(what: Callable[[], Any], deadline: float = 20.0) -> None:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, "not in time"
        time.sleep(0.01)


def converged(machine: Any) -> None:
    """A second run finds nothing to do, nor does plan."""
    again = machine.converge("serve", BLUEPRINT, "--timeout", "1s", "--detailed-exit-codes", check=False)
    assert again.returncode == 0, again.stdout
    planned(machine)


def planned(machine: Any) -> None:
    """Nothing differs."""
    plan = machine.converge("plan", BLUEPRINT, "--detailed-exit-codes", check=False)
    assert plan.returncode == 0, plan.stdout


def guard(machine: Any) -> None:
    machine.run(
        "systemd-run", "--unit=guard", str(machine.python), "-m", "converge", "--out", "serial", "serve", BLUEPRINT
    )
    until(lambda: "WATCHING" in machine.run("journalctl", "-u", "guard", "--no-pager").stdout)


def chain(machine: Any, name: str = "input") -> str:
    listed: str = machine.run("nft", "-a", "list", "chain", "inet", "converge", name).stdout
    return listed


def names(machine: Any) -> list[str]:
    """Of the declared rules that came in, in the order in which the kernel looks at them, each once."""
    found = re.findall(r'comment "converge rule \S+ \S+ ([^"]+)"', chain(machine))
    return list(dict.fromkeys(found))


def handle(machine: Any, words: str) -> str:
    line = next(line for line in chain(machine).splitlines() if words in line)
    return line.rpartition("handle ")[2]


def test_rules_are_put_right_whoever_changes_them(machine: Any) -> None:
    machine.write("/root/others.nft", OTHERS)
    machine.write("/root/measure.py", MEASURE)
    machine.run("nft", "-f", "/root/others.nft")
    machine.write(BLUEPRINT, RULES)
    first = machine.converge("serve", BLUEPRINT, "--timeout", "1s", "--detailed-exit-codes", check=False)
    assert first.returncode == 2, first.stdout
    converged(machine)
    in_order = ["bad guy", "web", "dns", "neighbours", "telnet", "snmp", "ping"]
    assert names(machine) == in_order
    assert "tcp dport { 80, 443, 8000-8010 } accept" in chain(machine)
    assert "ip6 saddr 2001:db8::/32 udp dport 53 accept" in chain(machine)
    assert "tcp dport 23 reject with tcp reset" in chain(machine)
    assert "ipv4 tcp dport 25 drop" in chain(machine, "output")
    assert "policy accept" in chain(machine)

    guard(machine)
    for what, tamper in {
        "nft flush ruleset": "nft flush ruleset",
        "nft delete table": "nft delete table inet converge",
        "nft delete rule": "nft delete rule inet converge input handle $(nft -a list chain inet converge input"
        " | sed -n 's/.*telnet.* handle //p')",
        "nft chain without hook": "nft flush chain inet converge output; nft delete chain inet converge output;"
        " nft add chain inet converge output",
        "nft dormant table": "nft add table inet converge '{ flags dormant; }'",
    }.items():
        rounds = "11" if what == "nft flush ruleset" else "3"
        said = machine.run(str(machine.python), "/root/measure.py", rounds, "sh", "-ec", tamper).stdout
        took = sorted(float(line) * 1000 for line in said.split())
        print(f"{what}: right again after {took[len(took) // 2]:.0f} ms (p50), {took[-1]:.0f} ms at most")
        assert names(machine) == in_order, what

    # What others have put into the kernel is not touched, neither in their tables nor in ours.
    machine.run("nft", "-f", "/root/others.nft")
    machine.run("nft", "insert", "rule", "inet", "converge", "input", "tcp", "dport", "77", "accept")
    machine.run("nft", "delete", "rule", "inet", "converge", "input", "handle", handle(machine, "telnet"))
    until(lambda: names(machine) == in_order)
    assert "tcp dport 77 accept" in chain(machine)
    assert "tcp dport 99 counter" in machine.run("nft", "list", "table", "inet", "others").stdout

    # The same comment on another rule, and a rule that is moved.
    comment = re.search(r'comment ("converge rule 0 [^"]* web")', chain(machine))
    assert comment is not None
    web = handle(machine, comment[1])
    replaced = f"replace rule inet converge input handle {web} tcp dport 1-65535 accept comment {comment[1]}"
    machine.run("nft", "-f", "-", text=replaced)
    until(lambda: "1-65535" not in chain(machine) and names(machine) == in_order)
    moved = f"add rule inet converge input tcp dport {{ 80, 443, 8000-8010 }} accept comment {comment[1]}\n"
    machine.run(
        "nft", "-f", "-", text=f"delete rule inet converge input handle {handle(machine, comment[1])}\n" + moved
    )
    until(lambda: names(machine) == in_order)
    planned(machine)

    # What the blueprint does not declare any more goes; what it declares in another order moves.
    shorter = re.sub(r".*telnet.*\n", "", RULES).replace('"ping", ', '"ping", order=-20, ')
    machine.write(BLUEPRINT, shorter)
    until(lambda: names(machine) == ["ping", "bad guy", "web", "dns", "neighbours", "snmp"])
    planned(machine)
    machine.run("systemctl", "stop", "guard")


SSH = """
set -e
ip netns add client
ip link add outside type veth peer name inside netns client
ip addr add 10.9.0.1/24 dev outside
ip -6 addr add fd09::1/64 dev outside nodad
ip link set outside up
ip -n client addr add 10.9.0.2/24 dev inside
ip -n client -6 addr add fd09::2/64 dev inside nodad
ip -n client link set inside up
mkdir -p -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
"""
SERVER = """
import socket, socketserver, threading
class Reply(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(b"hello")
class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
servers = [Server(("::", port), Reply) for port in (8080, 8081)]
for server in servers[1:]: threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
"""
CLIENT = "import socket, sys; print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).recv(5).decode())"
BLOCKED = HEAD + '    r.firewall("app", port=8080)\n    r.firewall_policy("inbound", "block")\n'


def reaches(machine: Any, port: int, address: str = "10.9.0.1") -> bool:
    command = ("ip", "netns", "exec", "client", str(machine.python), "-c", CLIENT, address, str(port))
    done: subprocess.CompletedProcess[str] = machine.run(*command, check=False)
    return done.stdout == "hello\n"


def login(machine: Any, port: int = 22) -> subprocess.Popen[str]:
    """A session of the administrator's: what is typed comes back."""
    options = (
        "-oStrictHostKeyChecking=no",
        "-oUserKnownHostsFile=/dev/null",
        "-oBatchMode=yes",
        "-oConnectTimeout=5",
        "-q",
    )
    ssh = ("ip", "netns", "exec", "client", "ssh", *options, f"-p{port}", "root@10.9.0.1", "cat")
    return subprocess.Popen(
        machine._inside(ssh), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def says(session: subprocess.Popen[str], words: str) -> str:
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(words + "\n")
    session.stdin.flush()
    return session.stdout.readline()


def test_a_blocking_policy_never_shuts_the_administrator_out(machine: Any) -> None:
    machine.run("sh", "-c", SSH)
    machine.write("/root/server.py", SERVER)
    machine.run("systemd-run", "--unit=server", str(machine.python), "/root/server.py")
    until(lambda: reaches(machine, 8080) and reaches(machine, 8081))
    session = login(machine)
    assert says(session, "before") == "before\n"

    machine.write(BLUEPRINT, BLOCKED)
    guard(machine)
    assert "policy drop" in chain(machine)
    assert says(session, "after") == "after\n"
    another = login(machine)
    assert says(another, "a new one") == "a new one\n"
    assert reaches(machine, 8080)
    assert not reaches(machine, 8081)
    # Neighbours are found anew, or IPv6 would end here.
    machine.run("ip", "-6", "neigh", "flush", "dev", "outside")
    machine.run("ip", "-n", "client", "-6", "neigh", "flush", "dev", "inside")
    assert reaches(machine, 8080, "fd09::1")
    assert not reaches(machine, 8081, "fd09::1")
    planned(machine)

    # Somebody opens it, and takes what protects the session.
    machine.run("nft", "add", "chain", "inet", "converge", "input", "{ policy accept; }")
    until(lambda: "policy drop" in chain(machine))
    machine.run("nft", "flush", "chain", "inet", "converge", "input")
    until(lambda: "established" in chain(machine) and "dport 22 accept" in chain(machine))
    assert says(session, "still") == "still\n"

    # The server is given another port: that is open before anybody restarts it.
    machine.run("sh", "-c", "echo Port 2222 >/etc/ssh/sshd_config.d/port.conf")
    until(lambda: re.search(r"dport \{ 22, 2222 \} accept", chain(machine)))
    machine.run("systemctl", "restart", "ssh")
    assert says(session, "restarted") == "restarted\n"
    third = login(machine, 2222)
    assert says(third, "by the new port") == "by the new port\n"

    # Back to an open machine.
    machine.write(BLUEPRINT, BLOCKED.replace('"block"', '"allow"'))
    until(lambda: "policy accept" in chain(machine))
    until(lambda: "established" not in chain(machine))
    assert reaches(machine, 8081)
    planned(machine)
    for each in (session, another, third):
        assert each.stdin is not None
        each.stdin.close()
        assert each.wait(10) == 0
    machine.run("systemctl", "stop", "guard", "server")


LIVE = """
import ctypes, json, os, socket, subprocess, sys, time

libc = ctypes.CDLL(None, use_errno=True)
HERE, CLIENT = os.open("/proc/self/ns/net", os.O_RDONLY), os.open("/run/netns/client", os.O_RDONLY)
PLACES = {"10.9.0.1": HERE, "fd09::1": HERE, "10.9.0.2": CLIENT, "fd09::2": CLIENT}

def made(address, kind):
    assert libc.setns(PLACES[address], 0x40000000) == 0
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    libc.setns(HERE, 0x40000000)
    made.settimeout(1.5)
    return made

def opened(kind, server, client, port):
    listener = made(server, kind)
    listener.bind((server, port))
    other = made(client, kind)
    if kind == socket.SOCK_STREAM:
        listener.listen()
        other.connect((server, port))
        return listener.accept()[0], other
    other.connect((server, port))
    other.send(b"hello")
    listener.connect(listener.recvfrom(5)[1])
    return listener, other

def says(one, other):
    try:
        one.send(b"word")
        return other.recv(4) == b"word"
    except OSError:
        return False

def loops(one, other):
    return all(says(*pair) for pair in ((one, other), (other, one)) * 2)

def again(one, other):
    ours, theirs = one.getsockname(), one.getpeername()
    for each in (one, other):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, sys.byteorder) + bytes(4))
        each.close()
    listener, other = made(ours[0], socket.SOCK_STREAM), made(theirs[0], socket.SOCK_STREAM)
    listener.bind(ours)
    listener.listen()
    other.bind(theirs)
    time.sleep(11)  # nf_conntrack_tcp_timeout_close
    try:
        other.connect(ours)
        return True
    except OSError:
        return False

pairs, port = {}, 7000
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for server, client in (("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")):
        for first in (server, client):
            for ends in ((server, client), (client, server)):
                port += 1
                one, other = opened(kind, *ends, port)
                name = f"{kind.name} {ends[0]}:{port}, {first} speaks first"
                pairs[name] = (one, other) if first == ends[0] else (other, one)
done = subprocess.run([sys.executable, "-m", "converge", "--out", "serial", "serve", sys.argv[1], "--timeout", "1s"])
assert done.returncode == 0
cut = [name for name, pair in pairs.items() if not loops(*pair)]
new = []
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for server, client in (("10.9.0.1", "10.9.0.2"), ("fd09::2", "fd09::1"), ("10.9.0.2", "10.9.0.1")):
        port += 1
        try:
            new.append(loops(*opened(kind, server, client, port)))
        except OSError:
            new.append(False)
# The very ports of one that was open, once it has ended: a first packet of the other side is a new connection.
name, (one, other) = next(iter(pairs.items()))
print(json.dumps({"cut": cut, "new": new, "again": again(one, other)}))
"""


@pytest.mark.parametrize("blocked", [("inbound",), ("outbound",), ("inbound", "outbound")], ids="+".join)
@pytest.mark.parametrize("loose", [1, 0], ids=["loose", "strict"])
def test_the_first_policy_cuts_no_connection(machine: Any, blocked: tuple[str, ...], loose: int) -> None:
    """Connections that no conntrack has seen, idle while the policy comes; either end speaks first afterwards."""
    machine.run("sh", "-c", SSH)
    machine.run("sh", "-c", f"echo {loose} >/proc/sys/net/netfilter/nf_conntrack_tcp_loose", check=False)
    machine.write(
        BLUEPRINT, HEAD + "".join(f'    r.firewall_policy("{each}", "block", keep_ssh=False)\n' for each in blocked)
    )
    machine.write("/root/live.py", LIVE)
    said = json.loads(machine.run(str(machine.python), "/root/live.py", BLUEPRINT).stdout.splitlines()[-1])
    assert said["cut"] == []
    # To us, to them, to us; what the policy does not block may pass.
    inward, outward = "inbound" not in blocked, "outbound" not in blocked
    assert said["new"] == [inward, outward, outward] * 2
    assert said["again"] is ("inbound" not in blocked)
    planned(machine)
    machine.run("nft", "flush", "ruleset")


KEPT = (
    HEAD
    + """
    web = r.firewall("web", port=[80, 443], source=["10.0.0.0/8", "fe80::/10"])
    closed = r.firewall_policy("inbound", "block")
    keep = "nft list table inet converge >/etc/nftables.converge"
    r.exec("keep rules", keep, shell=True, only_on=[web, closed])
    r.file("/etc/nftables.conf", line='include "/etc/nftables.converge"')
"""
)


def test_rules_that_were_kept_in_a_file_are_right_at_boot(machine: Any) -> None:
    machine.write(BLUEPRINT, KEPT)
    machine.run("systemctl", "enable", "nftables")
    machine.converge("serve", BLUEPRINT, "--timeout", "1s")
    kept = machine.run("nft", "list", "table", "inet", "converge").stdout
    machine.power_off()
    machine.boot()
    assert machine.run("nft", "list", "table", "inet", "converge").stdout == kept
    converged(machine)


BAD = (
    HEAD
    + """
    r.firewall("good", port=80)
    r.firewall("nowhere", port=81, interface="eht0")
    r.firewall_policy("outbound", "allow")
"""
)

# The folders of our Python may be closed to others, so it is started as root.
AS_NOBODY = """
import os
from converge.resources.firewall import Firewall
from converge.resources.firewall.nftables import rules
rule = Firewall("any")
rule.check()
os.setresuid(65534, 65534, 65534)
(change,) = rule.check()
print(f"{change.action}: {change.from_}")
"""


def test_what_is_wrong_is_said_and_the_rest_goes_on(machine: Any) -> None:
    machine.write(BLUEPRINT, BAD)
    said = machine.converge("--out", "serial", "serve", BLUEPRINT, "--timeout", "1s", "--max-retries", "0", check=False)
    assert said.returncode == 1
    assert "there is no network interface eht0" in said.stdout
    assert f"{BLUEPRINT}:8" in said.stdout
    assert names(machine) == ["good"]

    # The interface comes: no more than its news is needed.
    guard(machine)
    machine.run("ip", "link", "add", "eht0", "type", "veth", "peer", "name", "eht1")
    until(lambda: names(machine) == ["good", "nowhere"])
    machine.run("systemctl", "stop", "guard")

    # Others than root may not look, and are told so.
    said = machine.run(str(machine.python), "-c", AS_NOBODY).stdout
    assert said == "unknown: unknown (only root can read the firewall)\n"

    # Without the library, the package that has it is named.
    machine.run("sh", "-c", "mv /usr/lib/*/libnftables.so.1* /root/; ldconfig")
    plan = machine.converge("--out", "serial", "plan", BLUEPRINT, check=False)
    assert "install the package nftables" in plan.stdout
