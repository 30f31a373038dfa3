"""Parameters of blueprints: a function's arguments after ``r``, checked against their annotations.

What comes from outside (``--set``, a file of values) and what ``r.include`` passes goes through the same readers.
"""

from __future__ import annotations

from converge.blueprints.parameters.binding import bind, signature
from converge.blueprints.parameters.converters import Text
from converge.blueprints.parameters.values import Value, values_from

__all__ = ["Text", "Value", "bind", "signature", "values_from"]
