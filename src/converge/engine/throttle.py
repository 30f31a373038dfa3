"""Per-resource rate limit, backoff and debounce. None of them delays another resource."""

from __future__ import annotations

from converge.engine.node import Node, Verdict
from converge.engine.settings import Settings

_ROUNDING = 1e-9
"""Keeps a rounding error of the clock from costing another round."""
_MANY = 256
"""Resources without a first look that are worth putting a second look off for."""
_WINDOWS = 4
"""Windows, of half a second each, for which it is put off at most."""


def coalesced(node: Node, settings: Settings, now: float) -> float:
    """When news that comes now is acted on: at once, or at the end of the window that earlier news opened."""
    if now < node.window_end:
        return node.window_end
    node.window_end = now + settings.coalesce
    return now


def expect_echo(node: Node, settings: Settings, now: float) -> None:
    """Our own apply will be heard by the sources; that is worth one check, at the end of the window."""
    node.quiet_until = node.window_end = now + settings.coalesce
    if node.dirty:
        node.due = max(node.due, node.window_end)


def can_wait(node: Node, settings: Settings, now: float, others: int) -> bool:
    """Whether a look at what we have just put right comes after the first look at so many others, at most 2 s later."""
    if others < _MANY or node.dependents or node.verdict is not Verdict.RIGHT:
        return False
    return now < node.quiet_until + _WINDOWS * settings.coalesce


def retry_delay(node: Node, settings: Settings) -> float:
    """Seconds until the next attempt, after ``node.attempts`` failed ones."""
    first = node.resource.retry_delay_seconds()
    first = settings.backoff_first if first is None else first
    return min(first * 2.0 ** (node.attempts - 1), settings.backoff_most)


def repair_rate(node: Node, settings: Settings) -> float:
    """Repairs in a second that news from outside may cause, after the first few."""
    limit = node.resource.limit
    return 1.0 / settings.refill if limit is None else float(limit)


def limit_begins(node: Node, settings: Settings, now: float) -> bool:
    """Note that its rate limit holds a repair back; returns whether that is new, rather than one more of a series."""
    calm = (settings.burst + 1.0) / repair_rate(node, settings)
    begins = now - node.rate_limited_at > calm
    node.rate_limited_at = now
    return begins


def rate_limit_delay(node: Node, settings: Settings, now: float) -> float:
    """Seconds until the resource may be repaired because of news from outside; 0 uses up one of its tokens."""
    rate = repair_rate(node, settings)
    node.tokens = min(settings.burst, node.tokens + (now - node.tokens_at) * rate)
    node.tokens_at = now
    if node.tokens >= 1.0 - _ROUNDING:
        node.tokens -= 1.0
        return 0.0
    return (1.0 - node.tokens) / rate
