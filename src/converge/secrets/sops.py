"""Configuration files encrypted with SOPS, decrypted by the sops program."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from converge.secrets.errors import SecretError
from converge.secrets.keys import Keys

_PARSED = (".sops.yaml", ".sops.yml", ".sops.json")
_WHOLE = ".sops.toml"
"""SOPS has no TOML of its own: it encrypts such a file as a whole."""
ENDINGS = (*_PARSED, _WHOLE)
_VALUE = "ENC[AES256_GCM,"
_TAKES = 60.0
"""Seconds that sops may take; keys may be with a service far away."""
_LONGEST = 4 * 1024 * 1024
_AGE_KEYS = ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD")
_WHY = {
    # cmd/sops/codes/codes.go of SOPS 3.11
    25: "a value in it is damaged",
    51: "it was changed without sops",
    52: "it was changed without sops",
    128: "none of the keys that it was encrypted for can be had here; 'sops decrypt' says which it tried",
}


def decrypt_sops(path: str, keys: Keys) -> bytes | Mapping[str, object]:
    """The text of a TOML file, or the values of another. Raises SecretError, without anything of its content."""
    from converge.core.errors import NotYet, ResourceError
    from converge.host import process
    from converge.host.process.variables import ours

    output = "binary" if path.endswith(_WHOLE) else "json"
    # The old spelling, which every version of sops 3 knows.
    argv = ["sops", "--decrypt", "--output-type", output, os.path.abspath(path)]
    try:
        result = process.run(argv, env=_environment(keys), keep=ours(), timeout=_TAKES, limit=_LONGEST, errors=False)
    except NotYet:
        raise SecretError(
            f"the config {path} is encrypted with SOPS, and that takes the program sops; install it, or put it in PATH"
        ) from None
    except (ResourceError, PermissionError) as error:
        raise SecretError(f"the config {path} cannot be decrypted: {error}") from None
    if result.timed_out:
        raise SecretError(f"the config {path} cannot be decrypted: sops did not end within {_TAKES:g} s")
    if result.returncode != 0:
        why = _WHY.get(result.returncode, f"it is no file of sops, or sops cannot read it ({result.ending()})")
        raise SecretError(f"the config {path} cannot be decrypted: {why}")
    if output == "binary":
        return result.output.encode()
    return _values(result.output, path)


def refuse_sops(path: str, text: str) -> None:
    """Raises SecretError for what only sops can edit, or give to another key."""
    if path.endswith(ENDINGS) or _VALUE in text:
        raise SecretError(
            f"{path} is encrypted with SOPS; edit it with 'sops {path}', and change its keys with sops too"
        )


def _environment(keys: Keys) -> dict[str, str]:
    """SOPS uses the age identity that age files are decrypted with, unless it is told of another."""
    if any(os.environ.get(name) for name in _AGE_KEYS) or not keys.has_age_identity():
        return {}
    return {"SOPS_AGE_KEY": "\n".join(keys.age_identities())}


def _values(text: str, path: str) -> Mapping[str, object]:
    try:
        values = json.loads(text)
    except ValueError:
        raise SecretError(f"the config {path} is longer than {_LONGEST // 1024**2} MB") from None
    if not isinstance(values, dict):
        raise SecretError(f"the config {path} is no table of names and values")
    return values
