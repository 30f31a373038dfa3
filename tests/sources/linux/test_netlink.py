"""News of the packet filter and of the network: messages as the kernel sends them, and a kernel that sends them."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.trigger import LinkChanged
from converge.sources.linux.links import LinkNews
from converge.sources.linux.netlink import attributes, messages, text
from converge.sources.linux.nftables import is_about_us


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, content: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(content), kind, 0, 0, 0) + content + bytes(-len(content) % 4)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=9))))))
def test_what_is_packed_is_read(packed: list[tuple[int, list[tuple[int, bytes]]]]) -> None:
    datagram = b"".join(message(kind, b"".join(attribute(*each) for each in inner)) for kind, inner in packed)
    assert [(kind, list(attributes(content, 0))) for kind, content in messages(datagram)] == packed


@given(st.binary(max_size=80))
def test_nonsense_is_survived(datagram: bytes) -> None:
    for kind, content in messages(datagram):
        list(attributes(content, 4))
        is_about_us(kind, content)


NEWTABLE, DELTABLE, NEWRULE, NEWSETELEM, NEWGEN = (0xA00 | number for number in (0, 2, 6, 12, 15))
INET, IPV4 = 1, 2


@pytest.mark.parametrize(
    ("kind", "family", "table", "ours"),
    [
        (NEWTABLE, INET, b"converge\0", True),
        (DELTABLE, INET, b"converge\0", True),
        (NEWRULE, INET, b"converge\0", True),
        (NEWSETELEM, INET, b"converge\0", True),
        (NEWRULE, INET, b"others\0", False),
        (NEWRULE, IPV4, b"converge\0", False),
        (NEWGEN, INET, b"converge\0", False),
        (0x100, INET, b"converge\0", False),  # connection tracking sends on another subsystem
    ],
)
def test_only_our_table_is_news(kind: int, family: int, table: bytes, ours: bool) -> None:
    content = bytes([family, 0, 0, 0]) + attribute(2, b"chain\0") + attribute(1, table)
    assert is_about_us(kind, content) is ours


def test_text_ends_at_its_nul() -> None:
    assert text(b"eth0\0\xff") == "eth0"


RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR = 16, 17, 20


def link(index: int, name: str) -> bytes:
    return struct.pack("=BxHiII", 0, 1, index, 0, 0) + attribute(3, name.encode() + b"\0")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_which_keys_a_link_is_news_for() -> None:
    marks: list[str] = []

    def heard(source: LinkNews, kind: int, content: bytes) -> list[str]:
        marks.clear()
        source._heard(kind, content)
        return sorted(marks)

    async def main() -> None:
        source = LinkNews(marks.append, lambda error: None)
        try:
            source.watch("one", [LinkChanged("conv1")])
            source.watch("two", [LinkChanged("conv2")])
            source.watch("any", [LinkChanged(), LinkChanged("conv1")])
            assert heard(source, RTM_NEWLINK, link(9_000_001, "conv1")) == ["any", "one"]
            assert heard(source, RTM_NEWLINK, link(9_000_001, "conv2")) == ["any", "one", "two"], "it was renamed"
            assert heard(source, RTM_NEWADDR, b"\0" * 8) == ["any"]
            assert heard(source, RTM_DELLINK, link(9_000_001, "conv2")) == ["any", "two"]
            source.watch("any", [])
            source.watch("two", [])
            assert heard(source, RTM_NEWLINK, link(9_000_001, "conv2")) == []
            source._lost()
            assert marks == ["one"]
        finally:
            source.close()
            source.close()

    asyncio.run(main())


# In a network of its own: nothing of it is to be seen outside.
REAL = """
import asyncio, socket, subprocess, sys
from converge.core.trigger import LinkChanged
from converge.sources.linux.links import LinkNews

async def main():
    marks, failures = [], []
    source = LinkNews(marks.append, failures.append)
    source.watch("lo", [LinkChanged("lo")])
    source.watch("other", [LinkChanged("other")])
    source.watch("any", [LinkChanged()])

    async def until(wanted):
        async with asyncio.timeout(20):
            while not wanted <= set(marks):
                await asyncio.sleep(0.001)
        found = set(marks)
        marks.clear()
        return found

    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    assert await until({"lo", "any"}) == {"lo", "any"}
    subprocess.run(["ip", "addr", "add", "192.0.2.1/32", "dev", "lo"], check=True)
    assert await until({"any"}) == {"any"}
    await asyncio.sleep(0)
    marks.clear()
    # The queue overflows: who knows what is lost, so all is looked at.
    source._groups._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    many = "".join(f"addr add 198.51.{n // 200}.{n % 200}/32 dev lo\\n" for n in range(400))
    subprocess.run(["ip", "-batch", "-"], input=many, text=True, check=True)
    assert "other" in await until({"other"})
    assert not failures
    source.close()

asyncio.run(main())
"""


def in_a_network_of_its_own(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["unshare", "--net", *command], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can make a network of its own")
@pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("ip")), reason="unshare or ip is not installed")
def test_the_kernel_tells() -> None:
    if in_a_network_of_its_own(["true"]).returncode:
        pytest.skip("no network of its own can be had here")
    done = in_a_network_of_its_own([sys.executable, "-c", REAL])
    assert done.returncode == 0, done.stderr
