"""The protocol of event sources. A source serves one trigger type; its events carry no state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from converge.core.errors import Severity

Mark: TypeAlias = Callable[[str], None]
"""Called on the event loop with the key of what should be looked at again."""

Report: TypeAlias = Callable[[Severity, str], None]
"""Called with a sentence for a person: a limit reached, a file system that sends no news."""


class Source(Protocol):
    """Watches triggers for keys (resource ids), on the running asyncio loop.

    ``watch`` replaces what the key was watched for; an empty set of triggers ends it. A source that breaks raises
    from none of these: it calls the ``failed`` callback it was made with, once, and is then closed and made anew by
    the engine. One that cannot even be made raises OSError from its constructor.
    """

    def watch(self, key: str, triggers: Iterable[object]) -> None: ...

    def close(self) -> None: ...
