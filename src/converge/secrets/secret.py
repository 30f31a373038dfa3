"""The type of a secret value."""

from __future__ import annotations

from converge.secrets.redaction import HIDDEN


class Secret(str):
    """Text that does not show itself.

    It can be put into other text, encoded and hashed like any text, and what it is put into has the true value. It is
    not shown where values are shown to a person: in representations, as those of containers and in messages about
    values that are no good. Whatever else converge puts out passes through the redactor that learned it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return self.reveal()

    def reveal(self) -> str:
        """The value, as plain text."""
        return str.__str__(self)
