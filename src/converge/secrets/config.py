"""Configuration with secrets: tables of values from Python, or from files, which age or SOPS may have encrypted."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from converge.secrets import SecretError
from converge.secrets.keys import Keys
from converge.secrets.sops import ENDINGS, decrypt_sops

_AGE = ".age"


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
    return path.endswith((_AGE, *ENDINGS))


def read_layer(path: str, keys: Keys) -> Layer:
    """Read a file. Raises SecretError, without anything of its content."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise SecretError(f"the config {path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if path.endswith(_AGE):
        data = _decrypt_age(data, path, keys)
    elif path.endswith(ENDINGS):
        decrypted = decrypt_sops(path, keys)
        if not isinstance(decrypted, bytes):
            return Layer(os.path.basename(path), decrypted)
        data = decrypted
    try:
        return Layer(os.path.basename(path), tomllib.loads(data.decode()))
    except tomllib.TOMLDecodeError as error:
        # What it says of the text around it could be a value; only the place is passed on.
        place = "".join(re.findall(r" \(at [a-z0-9, ]+\)$", str(error)))
        raise SecretError(f"the config {path} is not valid TOML{place}") from None
    except UnicodeDecodeError:
        raise SecretError(f"the config {path} is not UTF-8 text") from None


def _decrypt_age(data: bytes, path: str, keys: Keys) -> bytes:
    try:
        import pyrage
    except ImportError:
        raise SecretError(
            f"the config {path} is encrypted with age, and that takes a package; pip install 'converge[age]'"
        ) from None
    identities = []
    for line in keys.age_identities():
        try:
            identities.append(pyrage.x25519.Identity.from_str(line))
        except pyrage.IdentityError:
            raise SecretError("the age identity is damaged; it is a line that begins with AGE-SECRET-KEY-1") from None
    try:
        return bytes(pyrage.decrypt(data, identities))
    except pyrage.DecryptError:
        raise SecretError(
            f"the config {path} cannot be decrypted: it was made for another age identity, or is damaged"
        ) from None
