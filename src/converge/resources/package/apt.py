"""apt and dpkg: Debian, Ubuntu and their kin."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from converge.core.trigger import PathChanged
from converge.host import process
from converge.resources.package import dpkg
from converge.resources.package.manager import Conffiles, Installed, Manager, ManagerError, Offer, Remedy, Step, Wish

# Nothing here may ever ask a question, or wait for a lock where nobody sees it.
# Without a terminal of apt's own (Use-Pty), a script that reads /dev/tty fails at once: there is none.
_APT: Final = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=0", "-o", "Dpkg::Use-Pty=0")
_SIMULATE: Final = ("apt-get", "-s", "-q", "-o", "APT::Get::Show-User-Simulation-Note=no")
_CONFFILES: Final[dict[Conffiles, tuple[str, ...]]] = {
    "keep": ("--force-confdef", "--force-confold"),
    "replace": ("--force-confnew",),
}
_UCF: Final[dict[Conffiles, str]] = {"keep": "UCF_FORCE_CONFFOLD", "replace": "UCF_FORCE_CONFFNEW"}
"""The same for files that scripts of packages treat like conffiles, through ucf(1)."""
_QUIET: Final = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none"}
_RECOMMENDS: Final = {True: "--install-recommends", False: "--no-install-recommends"}
_STEP: Final = re.compile(r"(Inst|Remv|Purg) (\S+)(?: \[([^\]]*)\])?(?: \((\S+))?")


@dataclass(frozen=True, slots=True)
class Apt(Manager):
    """apt-get for transactions, dpkg's own files for what is installed."""

    name: ClassVar[str] = "apt"
    holds: ClassVar[bool] = True
    recommends: ClassVar[bool] = True

    # --- asking ---

    def installed(self, names: Collection[str], until: float) -> Mapping[str, Installed]:
        del until  # no process is started
        database = dpkg.read(self.root)
        provided: set[str] | None = None
        found = {}
        for name in names:
            if entry := database.find(name):
                found[name] = Installed(entry.version, entry.is_held(), entry.broken(), entry.is_unpacked())
                continue
            if provided is None:
                provided = database.provided()
            if name in provided:
                found[name] = Installed("", provided=True)
        return found

    def offers(self, names: Collection[str], until: float) -> Mapping[str, Offer]:
        return dict(parse_policy(self.run(["apt-cache", "-q", "policy", *names], until)))

    def simulate(self, wishes: Sequence[Wish], unwanted: Sequence[str], until: float) -> Sequence[Step]:
        if wishes:
            self._require_known(wishes, until)
        what = ["install", *_options(wishes), *_words(wishes)] if wishes else ["remove", *unwanted]
        return list(parse_simulation(self.run([*_SIMULATE, *what], until)))

    def news(self) -> Sequence[PathChanged]:
        # Not the lock files: each failing attempt of ours would look like news.
        return [PathChanged(f"{dpkg.FOLDER}/status")]

    def index_news(self) -> Sequence[PathChanged]:
        return [PathChanged("/var/lib/apt/lists", deep=True), PathChanged("/etc/apt", deep=True)]

    # --- changing ---

    def install(self, wishes: Sequence[Wish], conffiles: Conffiles, newest: bool, until: float) -> None:
        self._require_known(wishes, until)
        older = ["--allow-downgrades"] if self._goes_back(wishes, newest, until) else []
        self._apt(["install", *_options(wishes), *older, *_words(wishes)], conffiles, until)

    def remove(self, names: Sequence[str], until: float) -> None:
        self._apt(["remove", *names], "keep", until)

    def hold(self, names: Sequence[str], on: bool, until: float) -> None:
        self.run(["apt-mark", "hold" if on else "unhold", *names], until, env=_QUIET)

    def refresh(self, until: float) -> bool:
        return self.is_whole(self.run([*_APT, "update"], until, env=_QUIET))

    def repair(self, conffiles: Conffiles, until: float, names: Sequence[str] = ()) -> None:
        command = ["dpkg", *_CONFFILES[conffiles], "--configure", *(names or ("-a",))]
        self.run(command, until, env=_QUIET | {_UCF[conffiles]: "1"})

    def _apt(self, what: Sequence[str], conffiles: Conffiles, until: float) -> None:
        options = [word for option in _CONFFILES[conffiles] for word in ("-o", f"Dpkg::Options::={option}")]
        self.run([*_APT, *options, *what], until, env=_QUIET | {_UCF[conffiles]: "1"})

    def _require_known(self, wishes: Sequence[Wish], until: float) -> None:
        """Of a name that it does not know, apt takes one with a dot for a pattern, and strips a '+' at the end."""
        risky = [wish.name for wish in wishes if "." in wish.name or wish.name.endswith("+")]
        if not risky:
            return
        known = self.offers(risky, until)
        if unknown := [name for name in risky if name not in known]:
            raise ManagerError(f"apt knows no package {' or '.join(unknown)}", "refresh")

    def _goes_back(self, wishes: Sequence[Wish], newest: bool, until: float) -> bool:
        """Whether one of them is to become older. The newest is, where a pin says so; see apt_preferences(5)."""
        there = {name: found.version for name, found in self.installed([wish.name for wish in wishes], until).items()}
        best = {name: offer.best for name, offer in self.offers(there, until).items()} if newest and there else {}
        pairs = [(wish.version or best.get(wish.name), there.get(wish.name)) for wish in wishes]
        return any(_is_older(wanted, found, until) for wanted, found in pairs if wanted and found and wanted != found)

    # --- its words ---

    def remedy(self, output: str) -> Remedy:
        if "dpkg --configure -a" in output:
            return "repair"
        if "Unable to fetch" in output:
            return "fetch"
        unknown = ("Unable to locate package", "has no installation candidate", "was not found")
        return "refresh" if any(words in output for words in unknown) else ""

    def is_locked(self, returncode: int, output: str) -> bool:
        locked = (
            "Could not get lock", "Unable to lock", "frontend lock was locked", "is locked by another process",
            "Cache is out of sync",  # an apt-get update put another index in place while it was read
        )  # fmt: skip
        return returncode != 0 and any(words in output for words in locked)


def _is_older(version: str, than: str, until: float) -> bool:
    command = ("dpkg", "--compare-versions", version, "lt", than)
    return process.run(command, timeout=max(until - time.monotonic(), 1.0)).returncode == 0


def _options(wishes: Sequence[Wish]) -> Iterator[str]:
    if any(wish.broken for wish in wishes):
        yield "--reinstall"
    yield from {_RECOMMENDS[wish.recommends] for wish in wishes if wish.recommends is not None}


def _words(wishes: Sequence[Wish]) -> list[str]:
    return [f"{wish.name}={wish.version}" if wish.version else wish.name for wish in wishes]


def parse_simulation(output: str) -> Iterator[Step]:
    """What ``apt-get -s`` would do."""
    for line in output.splitlines():
        if found := _STEP.match(line):
            verb, name, before, after = found.groups()
            yield Step(name, before, after if verb == "Inst" else None)


def parse_policy(output: str) -> Iterator[tuple[str, Offer]]:
    """Candidate and versions of each package, from ``apt-cache policy``."""
    name, best, versions, in_table = "", "", list[str](), False
    for line in [*output.splitlines(), "end:"]:
        if line and not line[0].isspace():
            if name:
                yield name, Offer(best, versions)
            name, best, versions, in_table = line.rstrip().removesuffix(":"), "", [], False
        elif line.startswith("  Candidate: "):
            candidate = line.partition(": ")[2].strip()
            best = "" if candidate == "(none)" else candidate
        elif line.startswith("  Version table:"):
            in_table = True
        elif in_table and line[:5] in ("     ", " *** ") and not line[5:6].isspace():
            versions.append(line[5:].split()[0])
