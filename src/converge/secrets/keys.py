"""Finds the key that decrypts values, and the age identity."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from converge.host.trust import weaknesses
from converge.secrets.cipher import Key
from converge.secrets.errors import SecretError

_LONGEST = 64 * 1024
_COMMAND_TAKES = 60.0
"""Seconds that CONVERGE_KEY_COMMAND may take."""
_AGE_IDENTITY = "age-identity"


def config_dir() -> Path:
    """Where the key is looked for when nothing says where it is."""
    if os.geteuid() == 0:
        return Path("/etc/converge")
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "converge"


class Keys:
    """Finds the key when it is first needed: the first of these that is given decides, and no other is tried.

    1. ``CONVERGE_KEY``: the key itself. 2. ``CONVERGE_KEY_FILE``: a file with it. 3. ``CONVERGE_KEY_COMMAND``: a
    command that prints it. 4. The systemd credential ``converge-key``. 5. The file ``key`` in :func:`config_dir`.
    """

    def __init__(self, given: str | None = None) -> None:
        self._given = given
        self._key: Key | None = None
        self.files: set[str] = set()
        """The files that were looked at."""

    def key(self) -> Key:
        """Raises SecretError where there is none, or it must not be used."""
        if self._key is None:
            self._key = self._find()
        return self._key

    def _find(self) -> Key:
        env = os.environ
        given = env.get("CONVERGE_KEY") if self._given is None else self._given
        if given is not None:
            return Key(given, "CONVERGE_KEY")
        if path := env.get("CONVERGE_KEY_FILE"):
            return self._from_file(path)
        if command := env.get("CONVERGE_KEY_COMMAND"):
            return Key(_output(command), "CONVERGE_KEY_COMMAND")
        if (path := _credential("converge-key")) is not None:
            return Key(_line(Path(path).read_bytes(), path), "the systemd credential converge-key")
        path = str(config_dir() / "key")
        if not os.path.lexists(path):
            self.files.add(path)
            raise SecretError(
                f"there is no key: set CONVERGE_KEY_FILE, or make {path} with 'converge secret keygen {path}'"
            )
        return self._from_file(path)

    def _from_file(self, path: str) -> Key:
        self.files.add(os.path.abspath(path))
        return key_from_file(path)

    def has_age_identity(self) -> bool:
        """Whether an age identity is given, whatever is in it."""
        if os.environ.get("CONVERGE_AGE_IDENTITY_FILE") or _credential("converge-age-identity"):
            return True
        path = str(config_dir() / _AGE_IDENTITY)
        self.files.add(path)
        return os.path.lexists(path)

    def age_identities(self) -> list[str]:
        """The lines of the age identity file. Raises SecretError where there is none, or it must not be used."""
        if path := os.environ.get("CONVERGE_AGE_IDENTITY_FILE"):
            self.files.add(os.path.abspath(path))
            data = read_private(path)
        elif (path := _credential("converge-age-identity") or "") != "":
            data = Path(path).read_bytes()
        else:
            path = str(config_dir() / _AGE_IDENTITY)
            self.files.add(path)
            if not os.path.lexists(path):
                raise SecretError(f"there is no age identity: set CONVERGE_AGE_IDENTITY_FILE, or put one into {path}")
            data = read_private(path)
        lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
        if not found:
            raise SecretError(f"{path} holds no age identity")
        return found


def key_from_file(path: str) -> Key:
    """The key in a file that only we can read."""
    return Key(_line(read_private(path), path), path)


def read_private(path: str) -> bytes:
    """A file's content. Raises SecretError where somebody else could read or write it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SecretError(f"the key file {path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    try:
        _must_be_private(path, os.fstat(handle))
        return os.read(handle, _LONGEST)
    finally:
        os.close(handle)


def _must_be_private(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SecretError(f"the key file {path} is not a regular file")
    if status.st_uid not in (0, os.geteuid()):
        raise SecretError(
            f"the key file {path} belongs to uid {status.st_uid}, who knows the key and can change it; "
            f"it must belong to you (chown {os.geteuid()} {path})"
        )
    if status.st_mode & 0o077:
        raise SecretError(
            f"the key file {path} is mode {stat.S_IMODE(status.st_mode):04o}, so others can use it; "
            f"make it yours alone (chmod 600 {path}), and a new key where somebody may have read it"
        )
    if os.geteuid() == 0 and (found := list(weaknesses(os.path.abspath(path)))):
        raise SecretError(f"the key file {path} could be replaced by others: {'; '.join(map(str, found))}")


def _line(data: bytes, path: str) -> str:
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretError(f"the key in {path} is not UTF-8 text") from None


def _credential(name: str) -> str | None:
    """The file of a systemd credential. It is private by the folder that it is in, whatever its own mode."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = os.path.join(folder, name) if folder else ""
    return path if path and os.path.isfile(path) else None


def _output(command: str) -> str:
    """What the key command prints. Nothing of it gets into a message."""
    from converge.core.errors import ResourceError
    from converge.host import process
    from converge.host.process import command_line
    from converge.host.process.variables import ours

    name = "CONVERGE_KEY_COMMAND"
    try:
        argv = command_line.split(command)
        if not argv:
            raise SecretError(f"{name} is empty")
        result = process.run(argv, keep=ours(), timeout=_COMMAND_TAKES, limit=_LONGEST, errors=False)
    except ValueError as error:
        raise SecretError(f"{name} cannot be split into words: {str(error).lower()}") from None
    except (ResourceError, PermissionError) as error:
        raise SecretError(f"{name} cannot be run: {error}") from None
    if result.timed_out:
        raise SecretError(f"{name} did not end within {_COMMAND_TAKES:g} s")
    if result.returncode != 0:
        raise SecretError(f"{name} gave no key: it ended with {result.ending()}")
    return result.output.rstrip("\r\n")
