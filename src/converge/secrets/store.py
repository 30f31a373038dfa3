"""Looks up and decrypts secrets in the registered configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from converge.core.errors import nearest
from converge.host.trust import Trust
from converge.secrets.cipher import is_sealed, parse, unseal
from converge.secrets.config import Layer, is_encrypted, read_layer
from converge.secrets.errors import SecretError
from converge.secrets.forms import SHORTEST
from converge.secrets.keys import Keys
from converge.secrets.redaction import Redactor
from converge.secrets.secret import Secret


class Store:
    """Finds secrets by name: in the files of the command line first, then in what was registered last."""

    def __init__(
        self, redactor: Redactor, *, key: str | None = None, pretend: bool = False, trust: Trust | None = None
    ) -> None:
        self._redactor = redactor
        self._keys = Keys(key)
        self._pretend = pretend
        self._trust = trust or Trust()
        """For another machine: no key is asked for, and nothing is decrypted."""
        self._first: list[Layer] = []
        self._layers: list[Layer] = []
        self._unseen = False
        """Whether there may be values that only the other machine has."""
        self._files: set[str] = set()

    def files(self) -> set[str]:
        """The files that its values were made of; a change of one calls for loading the blueprint again."""
        return self._files | self._keys.files

    def add_first(self, paths: Sequence[str]) -> None:
        """Register the files of the command line. Raises SecretError."""
        for path in paths:
            self._first += self._read(path)

    def add(self, source: str | Mapping[str, object]) -> None:
        """Register a file by its full path, or a table. Raises SecretError."""
        if isinstance(source, str):
            self._layers[:0] = self._read(source)
        else:
            self._layers.insert(0, Layer("the blueprint's own table", source))

    def _read(self, path: str) -> Iterator[Layer]:
        self._files.add(path)
        if self._pretend and (is_encrypted(path) or not os.path.exists(path)):
            self._unseen = True
        else:
            self._trust.require(path)
            yield read_layer(path, self._keys)

    def get(self, name: str) -> Secret:
        """The value of a dotted name. Raises SecretError, with a sentence that names it."""
        for layer in (*self._first, *self._layers):
            value = layer.find(name)
            if value is not None:
                return self._secret(f"the secret {name} ({layer.origin})", name, value)
        if self._unseen:
            return self._pretended(name)
        if not self._first and not self._layers:
            raise SecretError(
                f'the secret {name}: no config is registered; name one with r.config("secrets.toml") or --config'
            )
        names = {each for layer in (*self._first, *self._layers) for each in layer.names()}
        origins = " or ".join(dict.fromkeys(layer.origin for layer in (*self._first, *self._layers)))
        raise SecretError(f"the secret {name} is not in {origins}{nearest(name, names)}")

    def _secret(self, named: str, name: str, value: object) -> Secret:
        if isinstance(value, Mapping):
            raise SecretError(f"{named} is a table; name a value in it")
        if not isinstance(value, str):
            raise SecretError(f"{named} is no text but a value of type {type(value).__name__}; put it in quotes")
        try:
            if is_sealed(value):
                if self._pretend:
                    parse(value)
                    return self._pretended(name)
                key = self._keys.key()
                self._redactor.learn(key.text)
                value = unseal(value, key)
        except SecretError as error:
            # Of the value it is said that it "is damaged"; of the key, a sentence of its own.
            joint = " " if str(error).startswith(("is ", "cannot ")) else ": "
            raise SecretError(f"{named}{joint}{error}") from None
        must_be_hidable(value, named)
        self._redactor.learn(value)
        return Secret(value)

    def _pretended(self, name: str) -> Secret:
        """Treated like the true value, so that the same is a mistake."""
        made = stand_in(name)
        self._redactor.learn(made)
        return made


def must_be_hidable(value: str, named: str) -> None:
    """Raises SecretError where a value is too short to be a secret."""
    if len(value.strip()) < SHORTEST:
        raise SecretError(
            f"{named} has fewer than {SHORTEST} characters: so little can be guessed, and cannot be hidden where it is "
            "shown"
        )


def stand_in(name: str) -> Secret:
    """In the place of a value that is not known here; of a form that also passes for the hash of a password."""
    return Secret(f"$secret${name}")
