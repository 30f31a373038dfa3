"""Files encrypted as a whole with age (https://age-encryption.org/v1)."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from converge.secrets.errors import SecretError
from converge.secrets.keys import Keys

if TYPE_CHECKING:
    import pyrage

ENDING = ".age"
_BINARY = b"age-encryption.org/v1\n"
_ARMOUR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_STANZA = re.compile(rb"^-> (\S+)", re.MULTILINE)


def is_age(path: str, data: bytes) -> bool:
    """Whether age made this file, or its name says so."""
    return path.endswith(ENDING) or data.startswith((_BINARY, _ARMOUR))


def decrypt_age(data: bytes, path: str, keys: Keys) -> bytes:
    """What is in the file. Raises SecretError."""
    return _decrypted(data, path, keys)[0]


def open_age(data: bytes, path: str, keys: Keys) -> tuple[bytes, pyrage.x25519.Identity]:
    """What is in the file, and the identity that it was made for. Raises SecretError where that is not the only one.

    A file does not say for whom it was made, only for how many: written anew, it would shut the others out.
    """
    content, identity = _decrypted(data, path, keys)
    # Grease is there so that readers learn to skip what they do not know (rage makes some).
    recipients = [kind for kind in _STANZA.findall(_header(data)) if not kind.endswith(b"-grease")]
    if recipients != [b"X25519"]:
        raise SecretError(
            f"{path} was made for {len(recipients)} recipients, and does not say for whom; to change it, decrypt it "
            f"with 'age -d -i IDENTITY {path}', and encrypt it for all of them with 'age -r RECIPIENT -r …'"
        )
    return content, identity


def seal_age(content: bytes, identity: pyrage.x25519.Identity, before: bytes) -> bytes:
    """The content for the owner of an identity, as text where the file was text ``before``."""
    import pyrage

    return bytes(pyrage.encrypt(content, [identity.to_public()], armored=before.startswith(_ARMOUR)))


def _header(data: bytes) -> bytes:
    if data.startswith(_ARMOUR):
        data = b64decode(b"".join(data.strip().splitlines()[1:-1]))
    return data.partition(b"\n---")[0]


def _decrypted(data: bytes, path: str, keys: Keys) -> tuple[bytes, pyrage.x25519.Identity]:
    try:
        import pyrage
    except ImportError:
        raise SecretError(
            f"{path} is encrypted with age, and that takes a package; pip install 'converge[age]'"
        ) from None
    for line in keys.age_identities():
        try:
            identity = pyrage.x25519.Identity.from_str(line)
        except pyrage.IdentityError:
            raise SecretError("the age identity is damaged; it is a line that begins with AGE-SECRET-KEY-1") from None
        try:
            return bytes(pyrage.decrypt(data, [identity])), identity
        except pyrage.DecryptError:
            continue
    raise SecretError(f"{path} cannot be decrypted: it was made for another age identity, or is damaged")
