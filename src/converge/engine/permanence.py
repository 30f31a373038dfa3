"""Classifies failures that time alone does not change, so that a one-off run does not wait for them."""

from __future__ import annotations

import errno
from typing import Final

from converge.core.errors import NotYet, Permanent, Refusal

_REFUSALS: Final = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSYS, errno.EOPNOTSUPP))


def is_permanent(error: BaseException | None) -> bool:
    """Whether something on the machine has to change first; that may be another resource of the same run."""
    while error is not None:
        if isinstance(error, Permanent | NotYet | Refusal):
            return True
        if isinstance(error, OSError) and error.errno in _REFUSALS:
            return True
        error = error.__cause__
    return False
