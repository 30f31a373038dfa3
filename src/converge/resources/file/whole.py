"""Testing the whole configuration of a program with a new file in place, before the file goes live.

Where mounts can be made, the command runs in a mount namespace of its own, in which the file's directory already has
the new file; nobody else sees it. Elsewhere the new file takes the old one's place for the test, and goes again if the
command refuses it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from converge.core.errors import ResourceError
from converge.host.fs.atomic import Replacement, temporary_name
from converge.host.fs.dirfd import sync_directory
from converge.host.fs.errors import explain
from converge.host.fs.flags import open_flags
from converge.host.fs.place import look
from converge.host.state_dirs import ensure_dir, runtime_dir
from converge.resources.file.validate_command import command_words, validate

if TYPE_CHECKING:
    from converge.resources.file.file import File

_APART = "the whole configuration with the new file (in a private mount namespace)"
_LIVE = "the whole configuration with the new file (which was live for the test)"
_LOCK = open_flags("O_RDWR", "O_CREAT", "O_NOFOLLOW", "O_CLOEXEC")


def publish_tested(file: File, replacement: Replacement) -> None:
    """Let the new file take its name once the command has accepted the whole configuration with it.

    Raises ResourceError where it does not; all is then as before.
    """
    with _one_at_a_time(command_words(file.validate or ())[0]):
        if _accepted_apart(file, replacement):
            replacement.publish()
        else:
            _publish_for_test(file, replacement)


@contextmanager
def _one_at_a_time(program: str) -> Iterator[None]:
    """Until the file is live: two that are sound alone may not be so together. Holds for other processes too."""
    import fcntl

    name = f"validate-{os.path.basename(program)[:100]}.lock"
    handle = os.open(os.path.join(ensure_dir(runtime_dir()), name), _LOCK, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _accepted_apart(file: File, replacement: Replacement) -> bool:
    """Whether it was tested in a mount namespace. False where none is to be had."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    from converge.resources.file.namespace import Unavailable, with_new_file

    try:
        with_new_file(file.folder(), replacement, lambda: validate(file, what=_APART))
    except Unavailable:
        return False
    return True


def _publish_for_test(file: File, replacement: Replacement) -> None:
    """Let it take its name, and give that back to the old file if the command refuses."""
    folder, name = replacement.folder, replacement.name
    old = temporary_name(name)
    existed = _keep(file, folder, old)
    new = os.fstat(replacement.handle)
    try:
        replacement.publish()
        try:
            validate(file, what=_LIVE)
        except BaseException:
            now = look(folder, name)
            if now is not None and os.path.samestat(now, new):  # else somebody else has changed it since
                _put_back(folder, name, old if existed else None)
            raise
    finally:
        if existed:
            with suppress(FileNotFoundError):
                os.unlink(old, dir_fd=folder)


def _keep(file: File, folder: int, old: str) -> bool:
    """Give the old file a second name, so that renaming is all it takes to bring it back. False: there is none."""
    try:
        os.link(file.name(), old, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        why = explain(error, file.at)
        raise ResourceError(f"the old file cannot be kept under a second name during the test: {why}") from error
    return True


def _put_back(folder: int, name: str, old: str | None) -> None:
    if old is None:
        os.unlink(name, dir_fd=folder)
    else:
        os.rename(old, name, src_dir_fd=folder, dst_dir_fd=folder)
    sync_directory(folder)
