"""dnf and yum: Fedora, Red Hat and their kin."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from converge.core.trigger import PathChanged
from converge.resources.package.manager import Conffiles, ManagerError, Offer, Remedy, Step, Wish
from converge.resources.package.rpm import Rpm, full_version, offers_from

_FORMAT: Final = r"%{name}\t%{epoch}\t%{version}-%{release}\t%{arch}"
_LOCKED: Final = 200
_OTHER: Final = "another version"
"""The table does not say which version is there."""
_COMES: Final = ("Installing", "Upgrading", "Downgrading", "Reinstalling")


@dataclass(frozen=True, slots=True)
class Dnf(Rpm):
    """dnf, which does not ask (``-y``), does not wait for locks, and removes nothing because it seems unused."""

    name: ClassVar[str] = "dnf"
    recommends: ClassVar[bool] = True

    def offers(self, names: Collection[str], until: float) -> Mapping[str, Offer]:
        output = self.run([self.name, *self.arguments, "-q", "repoquery", "--qf", _FORMAT, *names], until)
        rows = [line.split("\t") for line in output.splitlines() if line.count("\t") == 3]
        return offers_from([(name, full_version(epoch, rest), arch) for name, epoch, rest, arch in rows])

    def simulate(self, wishes: Sequence[Wish], unwanted: Sequence[str], until: float) -> Sequence[Step]:
        verb, words = ("install", _words(wishes)) if wishes else ("remove", list(unwanted))
        # It ends with 1 as nobody agreed, and also where it could not do it.
        output = self.run([*self._command(wishes), "--assumeno", verb, *words], until, good=(0, 1))
        if refused := output.partition("Error:")[2]:
            raise ManagerError(f"{self.name} {verb} is not possible:\n{refused.strip()}", self.remedy(output))
        return list(parse_transaction(output))

    def index_news(self) -> list[PathChanged]:
        return [PathChanged("/var/cache/dnf", deep=True), PathChanged("/etc/yum.repos.d", deep=True)]

    def install(self, wishes: Sequence[Wish], conffiles: Conffiles, newest: bool, until: float) -> None:
        del conffiles  # rpm always keeps what the administrator changed
        best = ["--best"] if newest else []  # else it does nothing for what is there in an older version
        self.run([*self._command(wishes), "-y", *best, "install", *_words(wishes)], until)

    def remove(self, names: Sequence[str], until: float) -> None:
        self.run([*self._command(), "-y", "remove", *names], until)

    def refresh(self, until: float) -> bool:
        return self.is_whole(self.run([*self._command(), "-y", "makecache"], until))

    def _command(self, wishes: Sequence[Wish] = ()) -> list[str]:
        weak = {f"install_weak_deps={wish.recommends}" for wish in wishes if wish.recommends is not None}
        settings = ("exit_on_lock=True", "clean_requirements_on_remove=False", *weak)
        return [self.name, *self.arguments, *(f"--setopt={setting}" for setting in settings)]

    def remedy(self, output: str) -> Remedy:
        unknown = ("Unable to find a match", "No match for argument", "No package")
        return "refresh" if any(words in output for words in unknown) else ""

    def is_locked(self, returncode: int, output: str) -> bool:
        return returncode == _LOCKED or "can't create transaction lock" in output


@dataclass(frozen=True, slots=True)
class Yum(Dnf):
    """The older name of dnf, with the same commands."""

    name: ClassVar[str] = "yum"


def _words(wishes: Sequence[Wish]) -> list[str]:
    return [f"{wish.name}-{wish.version}" if wish.version else wish.name for wish in wishes]


def parse_transaction(output: str) -> Iterator[Step]:
    """What a transaction would do, from the table that is shown before it is agreed to.

    A row begins with one blank and is name, architecture, version and more; a long one goes on in the next line.
    """
    section, row = "", list[str]()
    for line in output.splitlines():
        if line.startswith("Transaction Summary"):
            return
        if not line.startswith(" "):
            section, row = line.partition(" ")[0].rstrip(":"), []
        elif section in _COMES or section == "Removing":
            row = line.split() if line[1:2] != " " else row + line.split()
            if len(row) >= 3 and len(row) - len(line.split()) < 3:
                name, _, version = row[:3]
                before = None if section == "Installing" else _OTHER
                yield Step(name, version, None) if section == "Removing" else Step(name, before, version)
