"""Configuration with secrets: Python tables, or files in plain text or encrypted with age or SOPS."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from converge.secrets import age
from converge.secrets.errors import SecretError
from converge.secrets.keys import Keys
from converge.secrets.sops import ENDINGS, decrypt_sops


class Layer(NamedTuple):
    """The values of one source."""

    origin: str
    values: Mapping[str, object]

    def find(self, name: str) -> object | None:
        """The value of a dotted name; None where there is none."""
        value: object = self.values
        for part in name.split("."):
            if not isinstance(value, Mapping):
                return None
            value = value.get(part)
        return value

    def names(self) -> Iterator[str]:
        """The dotted names of all values."""
        yield from _names(self.values, "")


def _names(table: Mapping[str, object], before: str) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"


def is_encrypted(path: str) -> bool:
    """Whether the file as a whole takes a key, as its name says."""
    return path.endswith((age.ENDING, *ENDINGS))


def read_layer(path: str, keys: Keys) -> Layer:
    """Read a file. Raises SecretError, without anything of its content."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise SecretError(f"the config {path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if path.endswith(age.ENDING):
        try:
            data = age.decrypt_age(data, path, keys)
        except SecretError as error:
            raise SecretError(f"the config {error}" if str(error).startswith(path) else str(error)) from None
    elif path.endswith(ENDINGS):
        decrypted = decrypt_sops(path, keys)
        if not isinstance(decrypted, bytes):
            return Layer(os.path.basename(path), decrypted)
        data = decrypted
    try:
        return Layer(os.path.basename(path), tomllib.loads(data.decode()))
    except tomllib.TOMLDecodeError as error:
        raise SecretError(f"the config {path} is not valid TOML{place_in_toml(error)}") from None
    except UnicodeDecodeError:
        raise SecretError(f"the config {path} is not UTF-8 text") from None


def place_in_toml(error: tomllib.TOMLDecodeError) -> str:
    """Where a mistake is. What the error says of the text around it could be a value; only the place is passed on."""
    return "".join(re.findall(r" \(at [a-z0-9, ]+\)$", str(error)))
