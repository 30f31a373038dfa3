"""Edits a file with its values decrypted, in a private temporary directory."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from converge.secrets.age import ENDING, is_age, open_age, seal_age
from converge.secrets.cipher import Key
from converge.secrets.config import place_in_toml
from converge.secrets.errors import SecretError
from converge.secrets.files import read_text, replace_bytes
from converge.secrets.keys import Keys
from converge.secrets.sealed_text import closed, opened
from converge.secrets.sops import refuse_sops

_IN_MEMORY = ("tmpfs", "ramfs")


def edit(path: str, key: Key) -> bool:
    """Let a person edit the file; returns whether it was changed. Raises SecretError, and then it is as it was."""
    before = _read(path)
    text = _text(before, path)
    return _edit(path, before, opened(text, key), lambda after: closed(after, text, key).encode())


def edit_age(path: str, keys: Keys) -> bool:
    """The same for a file that age encrypts as a whole."""
    before = _read(path)
    content, identity = open_age(before, path, keys)

    def close(after: str) -> bytes:
        if path.endswith(f".toml{ENDING}"):
            _must_be_toml(after)
        return before if after.encode() == content else seal_age(after.encode(), identity, before)

    return _edit(path, before, _text(content, path), close)


def is_age_file(path: str) -> bool:
    """Whether :func:`edit_age` is for this file."""
    return is_age(path, _read(path))


def _edit(path: str, before: bytes, laid_open: str, close: Callable[[str], bytes]) -> bool:
    """Edit what ``laid_open`` has; ``close`` makes of that what stands in the file."""
    after = _edited(os.path.basename(path).removesuffix(ENDING), laid_open, close)
    if _read(path) != before:
        raise SecretError(f"{path} was changed by somebody else in the meantime; it was left as it is")
    if after == before:
        return False
    replace_bytes(path, after)
    return True


def refuse_sops_file(path: str) -> None:
    """Raises SecretError for a file that only sops can edit: none of our values are in it."""
    refuse_sops(path, _read(path).decode("utf-8", "replace"))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _text(data: bytes, path: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{path} is not UTF-8 text") from None


def _must_be_toml(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SecretError(f"what was written is not valid TOML{place_in_toml(error)}") from None


def _edited(name: str, laid_open: str, close: Callable[[str], bytes]) -> bytes:
    with _private_folder() as folder:
        copy = os.path.join(folder, name)
        with open(copy, "w", encoding="utf-8", newline="") as file:
            file.write(laid_open)
        while True:
            _run_editor(copy)
            try:
                return close(read_text(copy))
            except SecretError as error:
                if not _asked_again(error):
                    raise


def _run_editor(copy: str) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        # The editor talks to the terminal itself, so it is not run as other commands are.
        env = {name: value for name, value in os.environ.items() if name != "CONVERGE_KEY"}
        done = subprocess.run([*shlex.split(command), copy], env=env, check=False)
    except (OSError, ValueError) as error:
        raise SecretError(f"the editor {command} cannot be run: {error}; set EDITOR") from error
    if done.returncode != 0:
        raise SecretError(f"the editor ended with exit status {done.returncode}, so nothing was changed")


def _asked_again(error: SecretError) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{error}\nPress Enter to edit it again, or q and Enter to leave the file as it was: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == ""


@contextmanager
def _private_folder() -> Iterator[str]:
    """A folder that only we can enter, in memory where there is such a place, gone afterwards whatever happens."""
    folder = tempfile.mkdtemp(prefix="converge-edit-", dir=_memory())
    stopping = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        for number, former in stopping.items():
            signal.signal(number, former)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _memory() -> str | None:
    """A folder in memory, so that nothing is written to a disk; None where there is none."""
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm", "/run"):  # noqa: S108 - it is made private
        if folder and os.access(folder, os.W_OK | os.X_OK) and _file_system(folder) in _IN_MEMORY:
            return folder
    return None


def _file_system(folder: str) -> str:
    """The type of the file system that a folder is on."""
    found, kind = "", ""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                _, point, type_, *_ = line.split(" ")
                inside = folder == point or folder.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(found):
                    found, kind = point, type_
    except FileNotFoundError:
        return ""
    return kind
