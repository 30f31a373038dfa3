"""One daemon for a blueprint on a machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from converge.errors import AlreadyRunning
from converge.paths import ensure_dir, runtime_dir


@contextmanager
def hold(name: str, wanted: str) -> Iterator[None]:
    """Hold this blueprint's lock. Raises AlreadyRunning, with who holds it. The kernel frees it, however we end."""
    path = os.path.join(ensure_dir(runtime_dir()), f"{name}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 4096, 0).decode(errors="replace").strip() or "another process"
            raise AlreadyRunning(
                f"the blueprint {name} is served already, by {holder} (lock: {path}); stop that one first"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}: converge serve {wanted}".encode(errors="replace"), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
