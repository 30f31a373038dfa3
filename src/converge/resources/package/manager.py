"""What a package manager can do: the same few verbs for each of them, and how their programs are run."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, NamedTuple, TypeAlias

from converge.core.errors import Busy, Permanent, ResourceError
from converge.core.trigger import PathChanged
from converge.host import process
from converge.host.process.variables import NETWORK
from converge.resources.package import locks
from converge.resources.package.validation import fits

Conffiles: TypeAlias = Literal["keep", "replace"]
Remedy: TypeAlias = Literal["", "refresh", "fetch", "repair"]
"""What may help a command that failed: a fresh index, as the present one does not know a name or version (``refresh``)
or names archives that are gone (``fetch``); or ending an interrupted transaction.
"""

_MOST_OUTPUT: Final = 64 * 1024 * 1024
_SHOWN_LINES: Final = 12


class Installed(NamedTuple):
    """A package that is there."""

    version: str
    hold: bool = False
    broken: str = ""
    """The state in which an interrupted transaction left it."""
    unpacked: bool = False
    """That state lacks no more than its configuration."""
    provided: bool = False
    """It is there by another name: a package that provides it is installed."""


class Offer(NamedTuple):
    """What could be installed."""

    best: str
    """What the manager itself would choose; empty where it has none."""
    versions: Sequence[str]
    """All of them, the newest first."""


class Wish(NamedTuple):
    """A package to install, in a version as the manager knows it, or in the one that it would choose."""

    name: str
    version: str | None = None
    broken: bool = False
    """It has to be installed once more, though it is there."""
    recommends: bool | None = None
    """Whether what it only recommends comes along. None: as the manager is configured."""


class Step(NamedTuple):
    """One package that a transaction would bring (``before`` is None), change, or take away (``after`` is None)."""

    name: str
    before: str | None
    after: str | None


class ManagerError(ResourceError):
    """A package manager's own command failed. ``remedy`` is what may help it."""

    def __init__(self, message: str, remedy: Remedy = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class NotOffered(ManagerError, Permanent):
    """No repository has this name or version, by an index that was just fetched whole."""


@dataclass(frozen=True, slots=True)
class Manager:
    """A package manager. ``until`` is always the monotonic time at which a command has to have ended.

    ``root`` and ``arguments`` point the manager at another system than the running one; tests use that.
    """

    name: ClassVar[str]
    holds: ClassVar[bool] = False
    """Whether it can hold a package at its version."""
    pins: ClassVar[bool] = True
    """Whether it can install another version than the newest."""
    recommends: ClassVar[bool] = False
    """Whether it can be told to install, or to leave out, what packages only recommend."""

    root: str = "/"
    arguments: tuple[str, ...] = ()

    # --- asking ---

    def installed(self, names: Collection[str], until: float) -> Mapping[str, Installed]:
        """Those of ``names`` that are there, with one look for all."""
        raise NotImplementedError

    def offers(self, names: Collection[str], until: float) -> Mapping[str, Offer]:
        """What could be installed, as far as the index on this machine tells."""
        raise NotImplementedError

    def simulate(self, wishes: Sequence[Wish], unwanted: Sequence[str], until: float) -> Sequence[Step]:
        """All that installing the wishes, or else removing the unwanted, would do."""
        raise NotImplementedError

    def news(self) -> Sequence[PathChanged]:
        """The paths whose change means that packages came, went or changed."""
        raise NotImplementedError

    def index_news(self) -> Sequence[PathChanged]:
        """The paths whose change means that other versions can be had."""
        raise NotImplementedError

    def fits(self, version: str, wanted: str) -> bool:
        """Whether a version, as this manager tells it, is the wanted one."""
        return fits(version, wanted)

    def is_newer(self, offered: str, installed: str) -> bool:
        """Whether what the manager would choose takes the place of what is installed."""
        return offered != installed

    # --- changing ---

    def install(self, wishes: Sequence[Wish], conffiles: Conffiles, newest: bool, until: float) -> None:
        """Install all in one transaction; ``newest`` also where an older version is there."""
        raise NotImplementedError

    def remove(self, names: Sequence[str], until: float) -> None:
        """Remove all in one transaction."""
        raise NotImplementedError

    def hold(self, names: Sequence[str], on: bool, until: float) -> None:
        """Keep packages at their version, or no longer."""
        raise NotImplementedError

    def refresh(self, until: float) -> bool:
        """Fetch the index of what can be installed; whether that of every repository came."""
        raise NotImplementedError

    def repair(self, conffiles: Conffiles, until: float, names: Sequence[str] = ()) -> None:
        """End what an interrupted transaction has left half done; nothing where there can be no such thing.

        With ``names``, only for these packages, which lack no more than their configuration.
        """

    # --- its programs ---

    def remedy(self, output: str) -> Remedy:
        """What may help a command that failed with this output."""
        raise NotImplementedError

    @staticmethod
    def is_whole(output: str) -> bool:
        """Whether it reached every repository when it fetched its index and printed this."""
        return not _MISSED.search(output)

    def is_locked(self, returncode: int, output: str) -> bool:
        """Whether a command failed because somebody else is at work."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The environment of its programs: messages in English, as they are read, but nothing else of the locale."""
        language = os.environ.get("LC_ALL") or os.environ.get("LANG", "")
        return {"LC_ALL": "", "LANG": language, "LC_MESSAGES": "C", "LANGUAGE": ""}

    def run(
        self, argv: Sequence[str], until: float, *, good: Collection[int] = (0,), env: Mapping[str, str] | None = None
    ) -> str:
        """Run one of its programs, and return what it printed.

        Raises Busy where somebody else holds its lock, and ManagerError with its last words where it failed.
        """
        left = until - time.monotonic()
        if left <= 0:
            raise ManagerError(f"no time was left to run {argv[0]}")
        variables = self.environment() | dict(env or {})
        result = process.run(argv, env=variables, keep=NETWORK, timeout=left, limit=_MOST_OUTPUT)
        if result.timed_out:
            ended = f"did not end within {left:.0f} s and was ended"
        elif result.returncode in good:
            return result.output
        elif self.is_locked(result.returncode, result.output):
            raise Busy(f"waits for {self._locker(result.output)}", again=1.0)
        else:
            ended = f"ended with {result.ending()}"
        verb = next((word for word in argv[1:] if word in _VERBS), "")
        said = f"{argv[0]} {verb}".rstrip() + f" {ended}"
        lines = last_words(result.output)
        raise ManagerError(said + (":\n" + "\n".join(lines) if lines else ""), self.remedy(result.output))

    def _locker(self, output: str) -> str:
        found = re.search(r"held by process (\d+) \(([^)\n]{1,64})\)", output)
        if found:
            return f"{found[2]} (process {found[1]})"
        return locks.holder(self.root) or "another package manager"


_VERBS: Final = frozenset((
    "install", "remove", "update", "policy", "makecache", "refresh", "repoquery", "add", "del", "hold", "unhold",
    "upgrade", "--configure", "-S", "-R", "-Sy", "-Si",
))  # fmt: skip
_NOISE: Final = re.compile(
    r"Reading (package lists|state information)\.\.\.|Building dependency tree\.\.\.|\(Reading database"
    r"|debconf: delaying package configuration|(Get|Hit|Ign):\d"
    r"|Last metadata expiration|Loading repository data|Reading installed packages|resolving dependencies"
)
_MISSED: Final = re.compile(
    r"^Err:\d|^W: Failed to fetch|^W: Some index files failed"  # apt, which ends with 0 all the same
    r"|Ignoring repositories|Failed to (download|synchronize)"  # dnf
    r"|Skipping repository|Some of the repositories have not been refreshed"  # zypper
    r"|failed to (retrieve|synchronize)"  # pacman
    r"|^WARNING: |\b[1-9]\d* unavailable",  # apk
    re.IGNORECASE | re.MULTILINE,
)


def last_words(output: str) -> list[str]:
    """The lines at the end of a manager's output, without those that it always says."""
    lines = [line.rstrip() for line in output.replace("\r", "\n").split("\n")]
    return [line for line in lines if line and not _NOISE.match(line.lstrip())][-_SHOWN_LINES:]
