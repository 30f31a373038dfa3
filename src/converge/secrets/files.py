"""Atomic writes of files with secrets, readable only by those who could read them before."""

from __future__ import annotations

import os

from converge.host.fs.atomic import Replacement
from converge.host.fs.dirfd import Directories, sync_directory
from converge.host.fs.os_errors import doing
from converge.host.fs.place import look
from converge.secrets.errors import SecretError


def read_text(path: str) -> str:
    """A file's text. Raises SecretError."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError:
        raise SecretError(f"{path} is not UTF-8 text") from None


def replace_text(path: str, text: str) -> None:
    """Put other text into a file, which keeps owner, mode and attributes."""
    replace_bytes(path, text.encode())


def replace_bytes(path: str, data: bytes) -> None:
    """The same, for what is no text."""
    folder, _, name = os.path.realpath(path).rpartition("/")
    with Directories() as directories:
        handle = directories.open(folder or "/")
        new = Replacement(handle, name)
        try:
            with doing("writing it anew", path):
                new.write(data)
                new.dress(look(handle, name), None, None, None)
                new.sync()
                new.publish()
                sync_directory(handle)
        finally:
            new.discard()


def create_private(path: str, text: str) -> None:
    """Make a file that only we can read. Raises SecretError where there is one already."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise SecretError(f"{path} exists already, and may still be needed to decrypt; choose another name") from None
    with doing("writing it", path), open(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
