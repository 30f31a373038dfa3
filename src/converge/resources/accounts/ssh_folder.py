"""The ``.ssh`` of a user, as root has to treat it: everything in it may be a trap that the user set."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from converge.core.change import Change
from converge.core.errors import NotYet, Refusal, ResourceError
from converge.host.fs.atomic import Replacement, looks_temporary
from converge.host.fs.dirfd import Directories, is_empty, sync_directory
from converge.host.fs.flags import open_flags
from converge.host.fs.metadata import set_metadata, show_mode
from converge.host.fs.owners import owner_name
from converge.host.fs.place import look, type_name
from converge.host.fs.trust import TOP, is_public, trusted

if TYPE_CHECKING:
    import pwd

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_PLACE = open_flags("O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")
_READ = open_flags("O_RDONLY", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC")
_LARGEST = 4 << 20
"""Bytes that are read; sshd goes through the file at each login, so no real one is near it."""


class SshFolder:
    """Reached by descriptors only, so that what was looked at is what is changed, whatever is renamed meanwhile."""

    def __init__(self, account: pwd.struct_passwd) -> None:
        self.account = account
        self.path = f"{account.pw_dir.rstrip('/')}/{FOLDER}"
        self._directories = Directories()
        self._handle: int | None = None

    def __enter__(self) -> SshFolder:
        try:
            home = self._home()
            if look(home, FOLDER) is not None:
                self._handle = self._open(home)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._directories.__exit__(kind, error, trace)

    # --- looking ------------------------------------------------------------------------------------------

    def lines(self) -> list[str]:
        """What is in the file; nothing where there is none."""
        there = self._look()
        if self._handle is None or there is None:
            return []
        self._refuse(there)
        file = os.open(FILE, _READ, dir_fd=self._handle)
        try:
            self._refuse(os.fstat(file))
            text = os.read(file, _LARGEST)
        finally:
            os.close(file)
        if len(text) == _LARGEST:
            raise ResourceError(f"{self.path}/{FILE} is too large to be a list of keys")
        lines = text.decode("utf-8", "surrogateescape").split("\n")
        return lines[:-1] if lines[-1] == "" else lines

    def is_there(self) -> bool:
        """Whether there is a file."""
        return self._look() is not None

    def metadata_changes(self, *, must_exist: bool) -> Iterator[Change]:
        """What differs in owner and mode of the folder and of the file."""
        if self._handle is None:
            if must_exist:
                yield Change("folder", None, self.path, "create")
            return
        yield from self._differences(FOLDER, os.fstat(self._handle), FOLDER_MODE)
        file = self._look()
        if file is not None:
            yield from self._differences(FILE, file, FILE_MODE)

    def _differences(self, what: str, status: os.stat_result, mode: int) -> Iterator[Change]:
        if status.st_uid != self.account.pw_uid:
            yield Change(f"{what} owner", owner_name(status.st_uid), self.account.pw_name)
        if stat.S_IMODE(status.st_mode) != mode:
            yield Change(f"{what} mode", show_mode(stat.S_IMODE(status.st_mode)), show_mode(mode))

    def _look(self) -> os.stat_result | None:
        return None if self._handle is None else look(self._handle, FILE)

    # --- changing -----------------------------------------------------------------------------------------

    def make(self) -> None:
        """Have the folder, the user's own and nobody else's."""
        handle = self._made()
        set_metadata(handle, os.fstat(handle), self.account.pw_uid, self.account.pw_gid, FOLDER_MODE)

    def _made(self) -> int:
        if self._handle is None:
            home = self._home()
            os.mkdir(FOLDER, FOLDER_MODE, dir_fd=home)
            self._handle = self._open(home)
            if not trusted(os.fstat(self._handle).st_uid) or not is_empty(self._handle):
                raise ResourceError(f"{self.path} was replaced by another directory while it was made")
            sync_directory(home)
        return self._handle

    def write(self, lines: list[str]) -> None:
        """Put a new file in the old one's place, complete before it has the name."""
        handle = self._made()
        old = look(handle, FILE)
        if old is not None:
            self._refuse(old)
        new = Replacement(handle, FILE)
        try:
            new.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
            new.dress(old, self.account.pw_uid, self.account.pw_gid, FILE_MODE)
            new.sync()
            new.publish()
            sync_directory(handle)
        finally:
            new.discard()

    def own(self) -> None:
        """Give the file that is there its owner and its mode."""
        file = os.open(FILE, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._made())
        try:
            status = os.fstat(file)
            self._refuse(status)
            set_metadata(file, status, self.account.pw_uid, self.account.pw_gid, FILE_MODE)
        finally:
            os.close(file)

    # --- distrust -----------------------------------------------------------------------------------------

    def _home(self) -> int:
        home = self.account.pw_dir
        if not home.startswith("/") or home.rstrip("/") == "":
            raise ResourceError(f"user {self.account.pw_name} has no home directory of their own, but {home!r}")
        try:
            return self._directories.open(home.rstrip("/"))
        except FileNotFoundError:
            user = self.account.pw_name
            raise NotYet(
                f"the home directory {home} does not exist; create_home=True of r.user makes it", f"user:{user}"
            ) from None

    def _open(self, home: int) -> int:
        status = os.stat(FOLDER, dir_fd=home, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            raise Refusal(f"{self.path} is a {type_name(status.st_mode)}; remove it, it must be a directory")
        handle = os.open(FOLDER, _PLACE, dir_fd=home)
        try:
            self._refuse_foreign_folder(handle)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _refuse_foreign_folder(self, handle: int) -> None:
        """A folder of somebody else may be any folder, moved here to be given away; an empty one is harmless."""
        owner = os.fstat(handle).st_uid
        if owner == self.account.pw_uid:
            return
        try:
            held = os.listdir(f"/proc/self/fd/{handle}")
        except PermissionError:
            held = []  # not for us to read, nor to change
        others = [name for name in held if name != FILE and not looks_temporary(name)]
        if owner != 0 or others:
            raise Refusal(
                f"{self.path} belongs to {owner_name(owner)}; give it to {self.account.pw_name}, or remove it"
            )

    def _is_roots(self) -> bool:
        """Whether the user can have moved nothing into the folder."""
        if self._handle is None:
            return False
        folder = os.fstat(self._handle)
        return folder.st_uid == 0 and not folder.st_mode & 0o022

    def _refuse(self, status: os.stat_result) -> None:
        """What would show or give somebody else's file to the user."""
        path = f"{self.path}/{FILE}"
        if not stat.S_ISREG(status.st_mode):
            raise Refusal(f"{path} is a {type_name(status.st_mode)}; remove it, it must be a file")
        if status.st_uid == self.account.pw_uid:
            return
        if status.st_uid != 0 or status.st_nlink > 1 or not (is_public(TOP, status) or self._is_roots()):
            raise Refusal(
                f"{path} belongs to {owner_name(status.st_uid)}, and {self.account.pw_name} may have moved it there; "
                f"remove it, or give it to {self.account.pw_name} if it is the right one"
            )


FOLDER = ".ssh"


FILE = "authorized_keys"
