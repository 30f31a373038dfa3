"""Caches shared by the checks or applies of one batch."""

from __future__ import annotations

from types import TracebackType

from converge.host.fs.dirfd import Directories
from converge.host.fs.owners import Names


class Batch:
    """What lives as long as one call of ``check_many`` or ``apply_many``: open directories and known names."""

    def __init__(self) -> None:
        self.directories = Directories()
        self.sources = Directories()
        """Those that content is read from."""
        self.names = Names()
        self.missing = ""
        """The path at which a quick look has just found nothing."""
        self.without_lists: set[int] = set()
        """Devices whose file systems have no access lists."""
        self.made_as_wanted: set[tuple[str, int]] = set()
        """Folders and modes of which a new file has shown that it gets that mode there, whatever umask and ACLs say."""

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.directories.__exit__(kind, error, trace)
        self.sources.__exit__(kind, error, trace)
