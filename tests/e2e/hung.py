"""A mount that never answers, as that of a server that is gone: FUSE without anybody behind it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

_INIT = 26
_DETACH = 2


@contextlib.contextmanager
def hung_mount(point: Path) -> Iterator[None]:
    """Whoever touches what is at or below ``point`` waits until the end of this."""
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        pytest.skip("it needs root and FUSE")
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    if libc.mount(b"converge-hung", os.fsencode(point), b"fuse", 0, options.encode()):
        error = ctypes.get_errno()
        os.close(device)
        pytest.skip(f"FUSE cannot be mounted here: {os.strerror(error)}")

    def greet() -> None:
        request = os.read(device, 1 << 17)
        _, opcode, unique = struct.unpack_from("=IIQ", request)
        assert opcode == _INIT
        body = struct.pack("=IIIIHHII36x", 7, 31, 0, 0, 16, 12, 1 << 16, 1)
        os.write(device, struct.pack("=IiQ", 16 + len(body), 0, unique) + body)

    greeter = threading.Thread(target=greet)
    greeter.start()
    greeter.join(10)
    try:
        yield
    finally:
        libc.umount2(os.fsencode(point), _DETACH)
        os.close(device)
