"""Gradual rollout: maps each machine to a stable shard from 0 to 99.

The number is made from the hardware serial, so that it outlives reinstallation and is the same that the machine had
under the Go tool of this name. A shard with a name has numbers of its own, so that it is not always the same machines
that come first.
"""

from __future__ import annotations

import hashlib

from converge.host.serial import _PLACEHOLDERS

_VENDORS = ("0000-00", "googlec", "paralle", "qemu-", "virtual", "vmware-", "vmx")
"""How the serials of virtual machines begin: Azure, Google Compute Engine, Parallels, QEMU, VirtualBox, VMware (twice).

Of these, the first 7 characters that a plain shard goes by say nothing about the single machine.
"""


def shard_bucket(serial: str, *, of: str = "", revision: str | int = "") -> int:
    """0 to 99, evenly spread over the machines of a fleet.

    The plain one is that of the Go tool: SHA-256 of the first 7 characters of the trimmed serial; its first 8 bytes,
    big-endian, modulo 100. One that has a name or a revision is made of ``NAME``, ``REVISION`` and the whole trimmed
    serial, with a line feed after each of the first two, in the same way.
    """
    text = serial.strip()
    text = f"{of}\n{revision}\n{text}" if of or revision != "" else text[:7]
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % 100


def in_shard_with_serial(percent: int, serial: str, *, of: str = "", revision: str | int = "") -> bool:
    """Whether a machine with this serial is among the first ``percent`` of a hundred. Placeholders never are.

    Raises ValueError where :func:`mistake` has something to say.
    """
    if wrong := mistake(percent, of, revision):
        raise ValueError(wrong)
    if percent in (0, 100):
        return percent == 100
    return serial.strip().casefold() not in _PLACEHOLDERS and shard_bucket(serial, of=of, revision=revision) < percent


def mistake(percent: object, of: object, revision: object) -> str | None:
    """What is wrong with how a shard is described, as a sentence; None for nothing."""
    if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= 100:
        return f"a shard is a whole number of percent from 0 to 100, not {percent!r}"
    if not isinstance(of, str) or not of.isprintable():
        return f"of= is the name of a shard, one line of text, not {of!r}"
    if isinstance(revision, bool) or not isinstance(revision, str | int) or not str(revision).isprintable():
        return f"revision= is a number or one line of text, not {revision!r}"
    return None


def vendors_prefix(serial: str) -> str:
    """What a plain shard takes of this serial, where all machines of a vendor have the same; otherwise ""."""
    start = serial.strip()[:7]
    return start if start.casefold().startswith(_VENDORS) else ""
