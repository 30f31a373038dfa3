"""Errors of secrets."""

from __future__ import annotations

from converge.core.errors import ConvergeError


class SecretError(ConvergeError):
    """A secret, or the key to it, cannot be had. The sentence names it and never says its value."""
