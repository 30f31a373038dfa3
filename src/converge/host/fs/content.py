"""File content: in memory while small, streamed otherwise."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

from converge.core.errors import ResourceError
from converge.host.fs.errors import shown
from converge.host.fs.flags import open_flags

READ = open_flags("O_RDONLY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC")


SMALL = 1 << 20
"""Up to this size content is held in memory; it is also the piece in which larger content is read."""


@dataclass(frozen=True, slots=True)
class Large:
    """Content too big to hold. ``open`` gives a new descriptor each time it is read."""

    size: int
    open: Callable[[], int]

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, in pieces of one size."""
        handle = self.open()
        try:
            while piece := read(handle, SMALL):
                yield piece
        finally:
            os.close(handle)


Content: TypeAlias = bytes | Large


def read(handle: int, size: int) -> bytes:
    """So many bytes, or fewer where the file ends."""
    piece = os.read(handle, size)
    if len(piece) == size or not piece:
        return piece
    parts = [piece]
    missing = size - len(piece)
    while missing and (piece := os.read(handle, missing)):
        parts.append(piece)
        missing -= len(piece)
    return b"".join(parts)


def encoded(content: str | bytes) -> bytes:
    """Text as it is written into the file."""
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")


def size_of(content: Content) -> int:
    """Its length in bytes."""
    return len(content) if isinstance(content, bytes) else content.size


def pieces(content: Content) -> Iterator[bytes]:
    """Its bytes, in pieces of one size."""
    if isinstance(content, Large):
        yield from content.pieces()
    elif len(content) <= SMALL:
        yield content
    else:
        yield from (content[at : at + SMALL] for at in range(0, len(content), SMALL))


def same(one: Content, other: Content) -> bool:
    """Whether two contents are equal."""
    if isinstance(one, bytes) and isinstance(other, bytes):
        return one == other
    if size_of(one) != size_of(other):
        return False
    return all(mine == theirs for mine, theirs in zip_longest(pieces(one), pieces(other)))


def digest(content: Content) -> str:
    """The SHA-256 of it, in hexadecimal."""
    total = hashlib.sha256()
    for piece in pieces(content):
        total.update(piece)
    return total.hexdigest()


def whole(content: Content) -> bytes:
    """All of it in memory, for edits."""
    return content if isinstance(content, bytes) else b"".join(content.pieces())


def current(folder: int, name: str) -> tuple[Content, os.stat_result]:
    """What a regular file holds now, and the status of the very file that was read."""
    handle = os.open(name, READ, dir_fd=folder)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size <= SMALL:
            return read(handle, SMALL), status
    finally:
        os.close(handle)
    return Large(status.st_size, lambda: _open_same(name, folder, status)), status


def _open_same(name: str, folder: int, known: os.stat_result) -> int:
    handle = os.open(name, READ, dir_fd=folder)
    if os.path.samestat(known, os.fstat(handle)):
        return handle
    os.close(handle)
    raise ResourceError(f"{shown(name)} was replaced while it was read")
