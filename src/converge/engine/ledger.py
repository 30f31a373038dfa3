"""The ledger: pending refreshes on disk, so that they survive failure, kill and reboot.

A debt is written down *before* the change that causes it is applied, and struck out after the refresh succeeded. So a
crash at any point can only cause one refresh too many, never one too few.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable

from converge.core.errors import ConvergeError
from converge.host.fs.flags import open_flags
from converge.host.fs.os_errors import doing
from converge.host.state_dirs import ensure_dir, state_dir

# Without the last, Windows takes bytes as text.
_FLAGS = open_flags("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY")


class Ledger:
    """Who owes a refresh because of whom. This one only remembers; see :class:`FileLedger`."""

    def __init__(self) -> None:
        self._debts: dict[str, set[str]] = {}
        self._unsaved = False

    def debts(self, debtor: str) -> set[str]:
        return set(self._debts.get(debtor, ()))

    def owe(self, debtor: str, cause: str) -> None:
        causes = self._debts.setdefault(debtor, set())
        if cause not in causes:
            causes.add(cause)
            self._unsaved = True

    def settle(self, debtor: str, causes: Iterable[str]) -> None:
        owed = self._debts.get(debtor, set())
        if not owed.isdisjoint(causes):
            owed.difference_update(causes)
            self._unsaved = True
        if not owed:
            self._debts.pop(debtor, None)

    def keep_only(self, debtors: Iterable[str]) -> None:
        """Forget those that the blueprint no longer has."""
        for gone in set(self._debts) - set(debtors):
            self.settle(gone, self.debts(gone))

    def save(self) -> None:
        """Make durable what changed since the last time. Raises OSError."""
        self._unsaved = False


class FileLedger(Ledger):
    """A ledger in a file, replaced atomically."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        with contextlib.suppress(FileNotFoundError):
            self._read()

    def _read(self) -> None:
        with doing("reading which refreshes are due", self._path), open(self._path, "rb") as file:
            text = file.read()
        try:
            self._debts = {str(debtor): set(map(str, causes)) for debtor, causes in json.loads(text).items()}
        except (ValueError, AttributeError, TypeError) as error:
            raise ConvergeError(
                f"{self._path} is damaged ({error}); it lists restarts that are still due: look at it, then remove it"
            ) from error

    def save(self) -> None:
        if not self._unsaved:
            return
        with doing("writing which refreshes are due", self._path):
            text = json.dumps({debtor: sorted(causes) for debtor, causes in sorted(self._debts.items())})
            temporary = f"{self._path}.new"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o600)
            with open(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, self._path)
            if sys.platform != "win32":  # where a folder cannot be opened, and need not be
                folder = os.open(os.path.dirname(self._path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        super().save()


def open_ledger(name: str) -> FileLedger:
    """The ledger of a blueprint, for its daemon."""
    return FileLedger(os.path.join(ensure_dir(state_dir()), f"{name}.refreshes.json"))


def read_ledger(name: str) -> Ledger:
    """What a daemon would find due, for plan: makes nothing, and knows nothing where it may not read."""
    ledger = Ledger()
    with contextlib.suppress(PermissionError):
        ledger._debts = FileLedger(os.path.join(state_dir(), f"{name}.refreshes.json"))._debts
    return ledger
