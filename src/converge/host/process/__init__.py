"""Runs a command: no shell, bounded output, a time limit, and no surviving children."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from converge.core.errors import NotYet, ResourceError
from converge.core.platform import SYSTEM_PATH
from converge.host.process.communicate import Conversation, signal_group
from converge.host.process.variables import environment

if TYPE_CHECKING:
    import pwd

KEPT_OUTPUT = 64 * 1024

# With vfork our whole process stands still until the child has loaded its program, for ever on a dead network mount.
subprocess._USE_VFORK = False  # type: ignore[misc]  # documented as a switch, though final in the stubs

_REAPED_WITHIN = 1.0
"""Seconds within which a process that was ended is gone, unless it is stuck in the kernel."""


class _Running:
    """The commands that are running, so that all can be ended at once; safe to use from any thread."""

    def __init__(self) -> None:
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self.ends = 0
        """How often all were ended."""

    def add(self, child: subprocess.Popen[bytes], ends: int) -> None:
        """``ends`` is from before the child was started: it too is ended where all were ended in the meantime."""
        with self._lock:
            self._children.add(child)
            if ends != self.ends:
                signal_group(child, signal.SIGKILL)

    def discard(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._children.discard(child)

    def end(self) -> None:
        with self._lock:
            self.ends += 1
            for child in self._children:
                signal_group(child, signal.SIGKILL)


_running = _Running()


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended. A negative ``returncode`` is the signal that ended it."""

    returncode: int
    output: str
    timed_out: bool = False

    def ending(self) -> str:
        """For a person: ``exit status 3`` or ``signal SIGKILL``."""
        if self.returncode >= 0:
            return f"exit status {self.returncode}"
        try:
            return f"signal {signal.Signals(-self.returncode).name}"
        except ValueError:  # a real-time signal has no name
            return f"signal {-self.returncode}"


class Prepared(NamedTuple):
    """A command with all that it needs to start."""

    argv: Sequence[str]
    program: str
    cwd: str | None
    env: Mapping[str, str]
    account: pwd.struct_passwd | None


def run(
    argv: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    keep: Collection[str] = (),
    user: str | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
    limit: int = KEPT_OUTPUT,
    errors: bool = True,
) -> Result:
    """Run ``argv`` in a session of its own and wait until it ends, or until ``timeout`` seconds have gone by.

    ``env`` is added to a small environment (see :mod:`converge.host.process.variables`), of which ``keep`` names more
    variables that it takes from ours. Its standard output and standard error come back as one text, in the
    order written; of more than ``limit`` bytes the middle is left out. Without ``errors``, standard error is dropped.
    On timeout the whole process group is ended.
    What a command leaves running in the background stays alive, and is not waited for. Safe to call from any thread.

    Raises NotYet where the program, the folder or the user does not exist, PermissionError where we may not look for
    them, and ResourceError where the command cannot be started for another reason.
    """
    ends = _running.ends
    child = _start(prepare(argv, cwd=cwd, env=env, keep=keep, user=user), wants_input=stdin is not None, errors=errors)
    try:
        conversation = Conversation(child, stdin, limit)
    except BaseException:  # no more descriptors: nothing may go on running unseen
        signal_group(child, signal.SIGKILL)
        _close_pipes(child)
        _reap(child)
        raise
    try:
        _running.add(child, ends)
        timed_out = conversation.until_end(timeout)
    except BaseException:
        signal_group(child, signal.SIGKILL)  # whatever interrupts us, nothing may go on running unseen
        raise
    finally:
        _running.discard(child)
        conversation.close()
        returncode = _reap(child)
    return Result(returncode, conversation.output(), timed_out)


def prepare(
    argv: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    keep: Collection[str] = (),
    user: str | None = None,
) -> Prepared:
    """Find all that a command needs, and raise what :func:`run` would raise where something is missing."""
    account = find_user(user) if user is not None else None
    full_env = environment(env, account, keep=keep)
    if cwd is not None:
        _require_folder(cwd)
    return Prepared(argv, find_program(argv[0], cwd=cwd, env=full_env), cwd, full_env, account)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session of its own, with all that it started and that is still in its group."""
    signal_group(child, signal.SIGKILL)


def end_all() -> None:
    """End every command that is running, each with its process group; for a stop that cannot wait any longer."""
    _running.end()


def find_user(name: str) -> pwd.struct_passwd:
    """The account of this name. Raises NotYet where there is none."""
    import pwd

    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise NotYet(f"user {name} does not exist", needs=f"user:{name}") from None


def find_program(name: str, *, cwd: str | None, env: Mapping[str, str]) -> str:
    """The full path of a program, found as a shell in ``cwd`` would find it.

    Raises NotYet where it does not exist, ResourceError where it is there and cannot be run, and PermissionError where
    only others can run it, or it lies where we may not look.
    """
    if "/" not in name:
        found = shutil.which(name, path=env.get("PATH", SYSTEM_PATH))
        if found is None:
            raise NotYet(f"program {name} is not in PATH", needs=f"program:{name}")
        return found
    # Made absolute only where it is not: our own folder may have been removed since we were started in it.
    path = os.path.abspath(os.path.join(cwd or "", name))
    mode = _stat(path, f"program {path}").st_mode
    if stat.S_ISDIR(mode):
        raise ResourceError(f"{path} is a directory, not a program")
    if not mode & 0o111:
        raise ResourceError(f"{path} is not executable")
    if not os.access(path, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return path


def _require_folder(path: str) -> None:
    if not stat.S_ISDIR(_stat(path, f"directory {path}").st_mode):
        raise ResourceError(f"{path} is not a directory")


def _stat(path: str, what: str) -> os.stat_result:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotYet(f"{what} does not exist", needs=f"file:{os.path.normpath(path)}") from None


def _start(command: Prepared, *, wants_input: bool, errors: bool) -> subprocess.Popen[bytes]:
    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None
    account = command.account
    if account is not None and account.pw_uid != os.geteuid():
        if os.geteuid() != 0:
            raise ResourceError(f"only root can run a command as user {account.pw_name}")
        uid, gid = account.pw_uid, account.pw_gid
        groups = os.getgrouplist(account.pw_name, gid)
    try:
        return subprocess.Popen(
            [*command.argv],
            executable=command.program,
            stdin=subprocess.PIPE if wants_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
            bufsize=0,
            cwd=command.cwd,
            env=command.env,
            user=uid,
            group=gid,
            extra_groups=groups,
            start_new_session=True,
        )
    except OSError as error:
        raise ResourceError(_why_not_started(command, error)) from error


def _why_not_started(command: Prepared, error: OSError) -> str:
    if command.cwd is not None and error.filename == command.cwd:
        return f"directory {command.cwd} cannot be entered: {error.strerror}"
    match error.errno:
        case errno.ENOEXEC:
            why = "it is not a program and has no #! line"
        case errno.ENOENT:  # the program itself was found just now
            why = "what its #! line names does not exist"
        case errno.E2BIG:
            why = "its arguments and environment are too long"
        case _:
            why = error.strerror or str(error)
    return f"{command.program} cannot be run: {why}"


def _close_pipes(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def _reap(child: subprocess.Popen[bytes]) -> int:
    try:
        return child.wait(_REAPED_WITHIN)
    except subprocess.TimeoutExpired:  # stuck in the kernel: there even SIGKILL has to wait, but we need not
        return -signal.SIGKILL
