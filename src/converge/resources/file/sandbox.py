"""The sandbox in which templates are rendered: one may lie where others than the blueprint's author can write it.

A template reaches what it is given, changes none of it, reaches no Python behind it, and computes nothing so large that
the whole daemon would wait for it: a single operation of Python lets no other thread go on.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any, ClassVar, Final

from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

_MOST_BITS: Final = 100_000
"""Of a number that a template computes."""
_MOST_ITEMS: Final = 10_000_000
"""Of a text or list that a template makes by multiplication."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's own, with a limit for what one operation makes."""

    intercepted_binops: ClassVar[frozenset[str]] = frozenset(("**", "*"))  # type: ignore[misc]  # Jinja's is no ClassVar

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # Any: as Jinja has it
        """Raises SecurityError where the result would be too large."""
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            _refuse(left.bit_length() * abs(right) > _MOST_BITS)
        elif operator == "*" and isinstance(left, int) and isinstance(right, int):
            _refuse(left.bit_length() + right.bit_length() > _MOST_BITS)
        elif operator == "*":
            for items, times in ((left, right), (right, left)):
                if isinstance(items, Sized) and isinstance(times, int):
                    _refuse(len(items) * times > _MOST_ITEMS)
        return super().call_binop(context, operator, left, right)


def _refuse(too_large: bool) -> None:
    if too_large:
        raise SecurityError("a template makes nothing that large")
