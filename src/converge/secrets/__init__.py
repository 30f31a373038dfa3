"""Secrets: values that a blueprint uses and no output shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from converge.secrets.redaction import Redactor

if TYPE_CHECKING:
    from converge.host.trust import Trust
    from converge.secrets.store import Store


class Secrets:
    """What one run of a blueprint has to do with secrets. Until it asks for one, that is nothing."""

    def __init__(
        self,
        redactor: Redactor | None = None,
        *,
        config: Sequence[str] = (),
        key: str | None = None,
        pretend: bool = False,
        trust: Trust | None = None,
    ) -> None:
        self.redactor = Redactor() if redactor is None else redactor
        self._config = config
        self._key = key
        self._pretend = pretend
        self._trust = trust
        self._store: Store | None = None

    def store(self) -> Store:
        """Where they are found. Raises SecretError where a file of the command line cannot be read."""
        if self._store is None:
            from converge.secrets.store import Store

            self._store = Store(self.redactor, key=self._key, pretend=self._pretend, trust=self._trust)
            self._store.add_first(self._config)
        return self._store

    def files(self) -> frozenset[str]:
        """The files that they were read from."""
        return frozenset() if self._store is None else frozenset(self._store.files())
