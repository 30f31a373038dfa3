"""Whether the network is there: on this machine's own loopback."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest

from converge import network_interface, network_reachable
from converge.core.trigger import Every, LinkChanged


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_an_interface() -> None:
    assert network_interface("lo").met()
    assert not network_interface("nosuch0").met()
    assert (~network_interface("nosuch0") & network_interface("lo")).met()
    assert list(network_interface("lo").triggers()) == [LinkChanged("lo")]
    assert str(network_interface("lo")) == "network_interface(lo)"


def test_a_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert network_reachable("127.0.0.1", port).met()
    assert not network_reachable("127.0.0.1", port).met()
    assert not network_reachable("no-such-host.invalid", 22).met()
    assert list(network_reachable("127.0.0.1", 22).triggers()) == [Every(5.0), LinkChanged()]


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a" * 16, 3])
def test_what_is_no_interface(name: Any) -> None:
    with pytest.raises(ValueError, match="network_interface"):
        network_interface(name)


@pytest.mark.parametrize(
    ("host", "port"), [("", 1), (" ", 1), (None, 1), ("a", 0), ("a", 65536), ("a", "22"), ("a", True)]
)
def test_what_cannot_be_reached(host: Any, port: Any) -> None:
    with pytest.raises(ValueError, match="network_reachable"):
        network_reachable(host, port)
