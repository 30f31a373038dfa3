"""One encrypted value: ``ENC[AES256:…]``.

Between the colon and the bracket is standard base64 of 12 bytes of nonce, the ciphertext and 16 bytes of tag, made with
AES-256-GCM and no associated data. The AES key is the SHA-256 of the key's text in UTF-8.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import re
from base64 import b64decode, b64encode

from converge.secrets.errors import SecretError

SEALED = re.compile(r"ENC\[AES256:([^\]\s]*)\]")
_NONCE = 12
_TAG = 16
_SHORTEST_KEY = 8
"""Characters of a key's text below which it is refused: it could be found by trying."""
_SHORTEST_NEW_KEY = 16


class Key:
    """The text that values are encrypted with. It does not show itself."""

    __slots__ = ("origin", "text")

    def __init__(self, text: str, origin: str) -> None:
        self.text = text
        self.origin = origin
        """Where it is from, for a person."""
        if not text:
            raise SecretError(f"the key from {origin} is empty; make one with 'converge secret keygen'")
        self._must_have(_SHORTEST_KEY)

    def must_be_strong(self) -> None:
        """Raises SecretError where it is too short for anything new to be encrypted with it."""
        self._must_have(_SHORTEST_NEW_KEY)

    def _must_have(self, length: int) -> None:
        if len(self.text) < length:
            raise SecretError(
                f"the key from {self.origin} has only {len(self.text)} characters, and could be found by trying; "
                f"it takes {length}: make one with 'converge secret keygen'"
            )

    def aes(self) -> bytes:
        """The 32 bytes for AES."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).digest()

    def __repr__(self) -> str:
        return f"Key(from {self.origin})"


def is_sealed(text: str) -> bool:
    """Whether this is meant to be an encrypted value."""
    return text.strip().startswith("ENC[")


def seal(value: str, key: Key) -> str:
    """Encrypt a text; each time with another nonce."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    return f"ENC[AES256:{b64encode(nonce + AESGCM(key.aes()).encrypt(nonce, value.encode(), None)).decode()}]"


def unseal(text: str, key: Key) -> str:
    """Decrypt a value. Raises SecretError, whose sentence is the end of one that names the value."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    data = parse(text)
    try:
        value = AESGCM(key.aes()).decrypt(data[:_NONCE], data[_NONCE:], None)
    except InvalidTag:
        raise SecretError(
            f"cannot be decrypted with the key from {key.origin}: it was made with another key, or is damaged"
        ) from None
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise SecretError("is not UTF-8 text once it is decrypted") from None


def parse(text: str) -> bytes:
    """The bytes of a value: nonce, ciphertext and tag. Raises SecretError as :func:`unseal` does."""
    found = SEALED.fullmatch(text.strip())
    if found is None:
        raise SecretError("is not of the form ENC[AES256:…]")
    try:
        data = b64decode(found[1], validate=True)
    except binascii.Error:
        raise SecretError("is damaged: what is in the brackets is not base64") from None
    if len(data) < _NONCE + _TAG:
        raise SecretError("is damaged: it is too short to be an encrypted value")
    return data
