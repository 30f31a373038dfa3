"""Detects trees that somebody else is changing at this moment."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Final, NoReturn

from converge.core.errors import Busy, Refusal

QUIET: Final = 2.0
"""Seconds without a change after which a tree is taken to be as somebody left it."""
_MOST: Final = 2000
"""Directories that are looked at."""


def is_stirred(path: str) -> bool:
    """Whether anything came, went or was given away in it just now, as far as its directories tell, breadth first."""
    now = time.time()
    folders = deque([path])
    for _ in range(_MOST):
        if not folders:
            return False
        folder = folders.popleft()
        try:
            if abs(now - os.stat(folder, follow_symlinks=False).st_ctime) < QUIET:
                return True
            with os.scandir(folder) as entries:
                folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return True
        except OSError:
            continue  # what cannot be looked into is as it is, or too deep for a path
    return False


def refuse_to_lose(path: str, why: str) -> NoReturn:
    """Raise Refusal, or Busy while somebody is at work there: what they leave may need no advice."""
    if is_stirred(path):
        raise Busy(f"somebody is at work in {path}", again=0.2)
    raise Refusal(why)
