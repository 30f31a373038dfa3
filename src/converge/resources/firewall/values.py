"""Ports and addresses: as they are declared, and as spans of numbers that can be compared."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""The first and the last."""
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def port_list(given: int | str | Sequence[int | str]) -> Sequence[int | str]:
    """One or many, as many."""
    return (given,) if isinstance(given, int | str) else given


def address_list(given: str | Sequence[str]) -> Sequence[str]:
    """One or many, as many."""
    return (given,) if isinstance(given, str) else given


def ports(given: int | str) -> Span:
    """A port or a range of them. Raises ValueError with a sentence."""
    first, dash, last = str(given).partition("-")
    try:
        span = _digits(first), _digits(last if dash else first)
    except ValueError:
        raise ValueError(f"port takes a number or a range such as 8000-8010, not {given!r}") from None
    if not (1 <= span[0] <= 65535 and 1 <= span[1] <= 65535):
        raise ValueError(f"port takes 1 to 65535, not {given}")
    if span[0] > span[1]:
        raise ValueError(f"the range of ports {given} runs backwards; write {span[1]}-{span[0]}")
    return span


def _digits(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same numbers in as few spans as possible, in order."""
    result: list[Span] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1] + 1:
            result[-1] = result[-1][0], max(last, result[-1][1])
        else:
            result.append((first, last))
    return result


def of_version(given: str | Sequence[str], version: int) -> Iterator[Network]:
    """The networks of one family, in as few as possible."""
    networks = [ipaddress.ip_network(text) for text in address_list(given)]
    if version == 4:
        yield from ipaddress.collapse_addresses(net for net in networks if isinstance(net, ipaddress.IPv4Network))
    else:
        yield from ipaddress.collapse_addresses(net for net in networks if isinstance(net, ipaddress.IPv6Network))


def versions(given: str | Sequence[str]) -> set[int]:
    """4, 6 or both."""
    return {ipaddress.ip_network(text).version for text in address_list(given)}
