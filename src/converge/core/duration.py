"""Durations as people write them: ``500ms``, ``30s``, ``5m``, ``1h``."""

from __future__ import annotations

import math
import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PATTERN = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def parse_duration(value: float | str) -> float:
    """Seconds. A bare number means seconds. Raises ValueError with a sentence that says what would do."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"a duration is a number of seconds or text such as 30s, not {value!r}")
    if isinstance(value, int | float):
        return _positive(_as_float(value), value)
    text = value.strip()
    if text == "0":
        return 0.0
    parts = _PATTERN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{value!r} is not a duration; write it as 500ms, 30s, 5m or 1h")
    return _positive(sum(float(number) * _UNITS[unit] for number, unit in parts), value)


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _positive(seconds: float, value: float | str) -> float:
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{value!r} is not a duration; it must be zero or more")
    return seconds


def show_duration(seconds: float) -> str:
    """For a person: ``3 ms``, ``1.2 s``, ``4 m 10 s``."""
    if seconds < 0.0095:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest} s"
