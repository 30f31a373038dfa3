"""Exit codes. 2 to 5 are only used with ``--detailed-exit-codes``."""

from __future__ import annotations

from typing import Final

OK: Final = 0
ERROR: Final = 1
CHANGED: Final = 2
SOME_FAILED: Final = 3
ALL_FAILED: Final = 4
PENDING: Final = 5
NOT_ROOT: Final = 10
BLUEPRINT_NOT_FOUND: Final = 11
