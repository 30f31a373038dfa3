"""Open connections: read from the kernel's socket tables, and let through by rules that fit them and nothing else."""

import ipaddress
import socket
import sys

from hypothesis import given
from hypothesis import strategies as st

from converge.resources.firewall.nftables import live
from converge.resources.firewall.nftables.live import Connection, connected

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"


def written(address: str, port: int) -> str:
    """As /proc/net/tcp has it."""
    packed = ipaddress.ip_address(address).packed
    words = [packed[at : at + 4] for at in range(0, len(packed), 4)]
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"


def line(ours: tuple[str, int], theirs: tuple[str, int], state: str = "01") -> str:
    return (
        f"   7: {written(*ours)} {written(*theirs)} {state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0"
    )


ADDRESSES = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)
PORTS = st.integers(1, 65535)


@given(st.one_of(*(st.tuples(a, PORTS, a, PORTS) for a in ADDRESSES)), st.sampled_from(["tcp", "udp"]))
def test_a_connection_is_read_as_it_is(key: tuple[str, int, str, int], protocol: str) -> None:
    found = list(connected(protocol, [HEADING, line(key[:2], key[2:])]))
    address = ipaddress.ip_address(key[0])
    if address.is_loopback or getattr(address, "ipv4_mapped", None):
        return
    assert found in ([Connection(protocol, address.version, key)], [])


def test_what_is_no_connection_is_none() -> None:
    ours, theirs = ("192.0.2.1", 22), ("192.0.2.9", 5)
    for state in ("06", "07", "0A"):
        assert not list(connected("tcp", [line(ours, theirs, state)]))
    assert not list(connected("udp", [line(ours, theirs, "07")]))
    assert not list(connected("tcp", [line(("127.0.0.1", 22), ("127.0.0.1", 5)), line(ours, ("0.0.0.0", 0))]))
    # A handshake under way, and an end.
    for state in ("02", "03", "04", "08", "0C"):
        assert list(connected("tcp", [line(ours, theirs, state)]))


def test_an_ipv4_connection_of_a_socket_for_both() -> None:
    (found,) = connected("tcp", [line(("::ffff:192.0.2.1", 22), ("::ffff:192.0.2.9", 5))])
    assert found == Connection("tcp", 4, ("192.0.2.1", 22, "192.0.2.9", 5))


def test_the_real_table() -> None:
    """Connections within the machine need no allowance: the loopback interface has its own."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert all(found.elements[0] != "127.0.0.1" for found in live.connections())
