"""``converge secret keygen|encrypt|decrypt|edit|rotate``"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments
    from converge.secrets.cipher import Key

NAME = "secret"
HELP = "keys, and encrypted values for blueprints"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Its own commands. A value is never an option: those are seen by everybody on the machine."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=type(parser))

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=_ACTIONS[name])
        return command

    add("keygen", "make a key; print it, or put it into a new file that only you can read").add_argument(
        "key_file", nargs="?", metavar="FILE", help="such as /etc/converge/key"
    )
    add("encrypt", "encrypt a value that is typed or piped in, and print ENC[…]")
    add("decrypt", "decrypt an ENC[…] that is typed or piped in, and print the value")
    add("edit", "edit a file in $EDITOR with its values laid open").add_argument("file", metavar="FILE")
    rotate = add("rotate", "encrypt all values of a file with another key")
    rotate.add_argument("file", metavar="FILE")
    rotate.add_argument("--new-key-file", required=True, metavar="KEYFILE", help="the key from now on")


def run(arguments: Arguments) -> int:
    """Do it; returns the exit code."""
    return arguments.action(arguments)


def _key(arguments: Arguments) -> Key:
    import os

    from converge.secrets.keys import Keys

    key = Keys(os.environ.pop("CONVERGE_KEY", None)).key()  # an editor is not to find it in its environment
    arguments.redactor.learn(key.text)
    return key


def _keygen(arguments: Arguments) -> int:
    import os
    import secrets

    from converge.secrets.files import create_private

    key = secrets.token_urlsafe(32)
    path = arguments.key_file
    if path is None:
        print(key)
        return exit_codes.OK
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    create_private(path, key + "\n")
    print(f"made {path}; keep a copy in a safe place: without it, nothing can be decrypted", file=sys.stderr)
    return exit_codes.OK


def _encrypt(arguments: Arguments) -> int:
    from converge.secrets.cipher import seal
    from converge.secrets.store import must_be_hidable

    key = _key(arguments)
    key.must_be_strong()
    value = _value("Value: ", twice=True)
    must_be_hidable(value, "the value")
    print(seal(value, key))
    return exit_codes.OK


def _decrypt(arguments: Arguments) -> int:
    from converge.secrets.cipher import unseal
    from converge.secrets.errors import SecretError

    key = _key(arguments)
    try:
        print(unseal(_value("ENC[…]: ", twice=False), key))
    except SecretError as error:
        raise SecretError(f"the value {error}") from None
    return exit_codes.OK


def _edit(arguments: Arguments) -> int:
    from converge.secrets.editing import edit, edit_age, is_age_file, refuse_sops_file
    from converge.secrets.keys import Keys

    path = arguments.file
    if is_age_file(path):
        changed = edit_age(path, Keys())
    else:
        refuse_sops_file(path)
        changed = edit(path, _key(arguments))
    print(f"{path} was {'changed' if changed else 'left as it was'}", file=sys.stderr)
    return exit_codes.OK


def _rotate(arguments: Arguments) -> int:
    from converge.secrets.editing import is_age_file, refuse_sops_file
    from converge.secrets.errors import SecretError
    from converge.secrets.files import read_text, replace_text
    from converge.secrets.keys import key_from_file
    from converge.secrets.sealed_text import resealed

    path = arguments.file
    if is_age_file(path):
        raise SecretError(f"{path} is encrypted with age as a whole; encrypt it for another recipient with age itself")
    refuse_sops_file(path)
    new = key_from_file(arguments.new_key_file)
    arguments.redactor.learn(new.text)
    try:
        text, count = resealed(read_text(path), _key(arguments), new)
    except SecretError as error:
        raise SecretError(f"{path}: {error}; nothing was changed") from None
    if count:
        replace_text(path, text)
    values = f"{count} value{'s' * (count != 1)}"
    print(f"{path}: {values} encrypted with the key from {arguments.new_key_file}", file=sys.stderr)
    return exit_codes.OK


def _value(prompt: str, *, twice: bool) -> str:
    """What is piped in, without its last line end, or typed without being shown."""
    from converge.secrets.errors import SecretError

    if not sys.stdin.isatty():
        try:
            return sys.stdin.read().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise SecretError("what was piped in is not UTF-8 text") from None
    import getpass

    value = getpass.getpass(prompt)
    if twice and getpass.getpass("Once more: ") != value:
        raise SecretError("the two are not the same; nothing was encrypted")
    return value


_ACTIONS = {"keygen": _keygen, "encrypt": _encrypt, "decrypt": _decrypt, "edit": _edit, "rotate": _rotate}
