"""libnftables, through its own JSON: commands go in and what there is comes out, without a process."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from converge.core.errors import NotYet

Json: TypeAlias = dict[str, Any]  # Any: what libnftables says is looked at where it is read
TABLE: Final[Json] = {"family": "inet", "name": "converge"}
LOCK: Final = threading.RLock()
"""Held from a look at the table until the change that follows from it; and during each call, as not all versions of
the library bear several at once."""

_NETLINK_NETFILTER: Final = 12
_LIBRARY: Final = "libnftables.so.1"
# nftables/libnftables.h: handles; JSON; priorities, protocols, symbols and times as numbers, so that neither the
# version of nftables nor files such as /etc/services make a difference; no elements of sets, which may be many.
_OUTPUT: Final = 1 << 3 | 1 << 4 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11


class NftError(Exception):
    """What nftables said."""


def run(commands: Sequence[Json]) -> list[Json]:
    """One transaction: all of it is done, or nothing. Raises NftError, or NotYet where libnftables is missing."""
    with LOCK:
        output = _run(_library(), json.dumps({"nftables": commands}).encode())
    objects: list[Json] = json.loads(output)["nftables"] if output else []
    return objects


def _run(library: ctypes.CDLL, commands: bytes) -> bytes:
    _need_netlink()
    context = library.nft_ctx_new(0)
    try:
        library.nft_ctx_output_set_flags(context, _OUTPUT)
        library.nft_ctx_buffer_output(context)
        library.nft_ctx_buffer_error(context)
        if library.nft_run_cmd_from_buffer(context, commands):
            said = library.nft_ctx_get_error_buffer(context).decode(errors="replace")
            raise NftError(_first_sentence(said))
        output: bytes = library.nft_ctx_get_output_buffer(context)
        return output
    finally:
        library.nft_ctx_free(context)


def _need_netlink() -> None:
    """Where no such socket can be had, the library would end our whole process."""
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER).close()
    except OSError as error:
        raise NftError(f"the kernel gives no way to its packet filter ({error.strerror})") from error


def list_table() -> list[Json] | None:
    """All in our table; None where it does not exist. Raises as :func:`run`."""
    try:
        return run([{"list": {"table": TABLE}}])
    except NftError:
        # This fails too where it is not the table that is missing.
        tables = [each["table"] for each in run([{"list": {"tables": None}}]) if "table" in each]
        if not any(TABLE.items() <= table.items() for table in tables):
            return None
    return run([{"list": {"table": TABLE}}])  # it came between the two looks


def _first_sentence(said: str) -> str:
    """``internal:0:0-0: Error: No such file or directory`` and more lines, as what a person needs of it."""
    line = next(filter(None, said.splitlines()), "it did not say why")
    return line.partition("Error: ")[2] or line


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise NotYet(f"{_LIBRARY} is not installed; install the package nftables", "package:nftables") from error
    library.nft_ctx_new.argtypes, library.nft_ctx_new.restype = [ctypes.c_uint32], ctypes.c_void_p
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        function = getattr(library, name)
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    return library


def readable() -> bool:
    """Whether we may look at the kernel's tables; it tells them to root alone."""
    return os.geteuid() == 0
