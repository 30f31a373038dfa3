"""Keys: ``net.ipv4.conf.eth0/1.forwarding``, ``net/ipv4/conf/eth0.1/forwarding`` and the path that both mean."""

from __future__ import annotations

import re

LIVE = "/proc/sys"

_LINK = re.compile(r"net/ipv[46]/(?:conf|neigh)/([^/]+)/")
_FOR_ALL = ("all", "default")


def parts(key: str) -> list[str]:
    """The names in the path below /proc/sys. As sysctl(8): whichever of ``.`` and ``/`` comes first separates."""
    dot, slash = key.find("."), key.find("/")
    if slash < 0 or 0 <= dot < slash:
        key = key.translate({ord("."): "/", ord("/"): "."})
    return key.split("/")


def canonical(key: str) -> str:
    """One spelling for all that mean the same: with dots between the names, and a slash for a dot in a name."""
    return ".".join(part.replace(".", "/") for part in parts(key))


def path(key: str) -> str:
    """Where the live value is."""
    return f"{LIVE}/{'/'.join(parts(key))}"


def mistake(key: str) -> str | None:
    """What is wrong with a key, as a sentence; None for nothing."""
    names = parts(key)
    if not key or any(name in ("", ".", "..") for name in names):
        return f"{key!r} is no key; write it as sysctl does, such as net.ipv4.ip_forward"
    if not key.isprintable() or any(c.isspace() or c in "=*?[#;" for c in key) or key.startswith("-"):
        return f"{key!r} has characters that no key has"
    if len(names) < 2:
        return f"{key!r} is only the first part of a key; write all of it, such as net.ipv4.ip_forward"
    return None


def link(key: str) -> str | None:
    """The network interface that the key belongs to; None where there is none."""
    found = _LINK.match("/".join(parts(key)))
    return found[1] if found and found[1] not in _FOR_ALL else None
