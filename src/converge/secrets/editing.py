"""Editing a file with its values laid open, in a private folder that is gone afterwards."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from converge.secrets import SecretError
from converge.secrets.cipher import Key
from converge.secrets.replacing import read_text, replace_text
from converge.secrets.sealed_text import closed, opened

_IN_MEMORY = ("tmpfs", "ramfs")


def edit(path: str, key: Key) -> bool:
    """Let a person edit the file; returns whether it was changed. Raises SecretError, and then it is as it was."""
    before = read_text(path)
    laid_open = opened(before, key)
    with _private_folder() as folder:
        copy = os.path.join(folder, os.path.basename(path))
        with open(copy, "w", encoding="utf-8", newline="") as file:
            file.write(laid_open)
        while True:
            _run_editor(copy)
            try:
                after = closed(read_text(copy), before, key)
                break
            except SecretError as error:
                if not _asked_again(error):
                    raise
    if read_text(path) != before:
        raise SecretError(f"{path} was changed by somebody else in the meantime; it was left as it is")
    if after == before:
        return False
    replace_text(path, after)
    return True


def _run_editor(copy: str) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        # The editor talks to the terminal itself, so it is not run as other commands are.
        done = subprocess.run([*shlex.split(command), copy], check=False)
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
