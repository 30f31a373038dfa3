"""Engine settings and their defaults. All times are in seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def default_parallel() -> int:
    """Threads for blocking work. They mostly wait for disks and other programs, so there are more than cores."""
    return max(8, min(32, 8 * (os.cpu_count() or 1)))


@dataclass(frozen=True, slots=True)
class Settings:
    """See SPEC for what each is for; the command line sets the first five."""

    timeout: float = 0.0
    """serve ends once nothing has changed for so long; 0: it stays."""
    resource_timeout: float = 300.0
    max_retries: int = 3
    parallel: int = field(default_factory=default_parallel)
    coalesce: float = 0.5
    """After a first piece of news, what follows within this window becomes one more check at its end."""
    backoff_first: float = 5.0
    backoff_most: float = 300.0
    burst: float = 3.0
    """Repairs of one resource that may follow each other at once."""
    refill: float = 10.0
    """After a burst, one repair in so many seconds."""
    stop_grace: float = 30.0
    """How long running applies may take to finish when we are told to stop."""
