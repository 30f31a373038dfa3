"""pacman: Arch Linux and its kin."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from converge.core.errors import ResourceError
from converge.core.trigger import PathChanged
from converge.resources.package import validation as naming
from converge.resources.package.manager import Conffiles, Installed, Manager, Offer, Remedy, Step, Wish
from converge.resources.package.vercmp import pacman_key

_LOCAL: Final = "/var/lib/pacman/local"
_PRINT: Final = ("--print", "--print-format", "%n %v")


@dataclass(frozen=True, slots=True)
class Pacman(Manager):
    """pacman, whose database is a folder for each package. It only has the newest version of each."""

    name: ClassVar[str] = "pacman"
    pins: ClassVar[bool] = False

    def installed(self, names: Collection[str], until: float) -> Mapping[str, Installed]:
        del until  # no process is started
        folder = self.root.rstrip("/") + _LOCAL
        try:
            entries = os.listdir(folder)
        except FileNotFoundError as error:
            raise ResourceError(f"pacman does not manage this machine: {folder} does not exist") from error
        there = dict(filter(None, map(parse_entry, entries)))
        found = {name: Installed(there[name]) for name in names if name in there}
        missing = set(names) - found.keys()
        if missing:
            provided = {name for entry in entries for name in _provided(f"{folder}/{entry}/desc")}
            found |= {name: Installed("", provided=True) for name in missing & provided}
        return found

    def offers(self, names: Collection[str], until: float) -> Mapping[str, Offer]:
        return dict(parse_info(self.run([*self._command("-Si"), *names], until, good=(0, 1))))

    def simulate(self, wishes: Sequence[Wish], unwanted: Sequence[str], until: float) -> Sequence[Step]:
        if unwanted:
            output = self.run([*self._command("-R"), *_PRINT, *unwanted], until)
            return [Step(name, version, None) for name, version in _pairs(output)]
        output = self.run([*self._command("-S"), *_PRINT, *(wish.name for wish in wishes)], until)
        pairs = list(_pairs(output))
        before = self.installed([name for name, _ in pairs], until)
        return [Step(name, before[name].version or None if name in before else None, new) for name, new in pairs]

    def news(self) -> list[PathChanged]:
        return [PathChanged(_LOCAL, deep=True)]

    def index_news(self) -> list[PathChanged]:
        return [PathChanged("/var/lib/pacman/sync", deep=True)]

    def fits(self, version: str, wanted: str) -> bool:
        without_epoch = version.partition(":")[2] or version
        return any(naming.fits(form, wanted) for form in (version, without_epoch, without_epoch.rpartition("-")[0]))

    def is_newer(self, offered: str, installed: str) -> bool:
        return pacman_key(offered) > pacman_key(installed)

    def install(self, wishes: Sequence[Wish], conffiles: Conffiles, newest: bool, until: float) -> None:
        del conffiles, newest  # it keeps what the administrator changed, and always installs the newest
        self.run([*self._command("-S"), "--noconfirm", "--noprogressbar", *(wish.name for wish in wishes)], until)

    def remove(self, names: Sequence[str], until: float) -> None:
        self.run([*self._command("-R"), "--noconfirm", "--noprogressbar", *names], until)

    def refresh(self, until: float) -> bool:
        return self.is_whole(self.run([*self._command("-Sy"), "--noconfirm", "--noprogressbar"], until))

    def _command(self, verb: str) -> list[str]:
        return ["pacman", verb, "--color", "never", *self.arguments]

    def remedy(self, output: str) -> Remedy:
        unknown = ("target not found", "failed retrieving file", "database file for")
        return "refresh" if any(words in output for words in unknown) else ""

    def is_locked(self, returncode: int, output: str) -> bool:
        return returncode != 0 and "unable to lock database" in output


def parse_entry(entry: str) -> tuple[str, str] | None:
    """Name and version of a folder in the database: ``NAME-VERSION-RELEASE``."""
    name, _, version = entry.rpartition("-")[0].rpartition("-")
    return (name, entry[len(name) + 1 :]) if name and version else None


def _provided(path: str) -> Iterator[str]:
    """The names that a package also goes by, from its description: those after ``%PROVIDES%``, up to an empty line."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):  # ALPM_DB_VERSION is no package, and others come and go
        return
    for line in text.partition("%PROVIDES%\n")[2].partition("\n\n")[0].splitlines():
        yield line.partition("=")[0]


def parse_info(output: str) -> Iterator[tuple[str, Offer]]:
    """What the repositories have, from ``pacman -Si``; the first repository that has a package counts."""
    seen: set[str] = set()
    name = ""
    for line in output.splitlines():
        key, _, value = line.partition(" : ")
        if key.rstrip() == "Name":
            name = value.strip()
        elif key.rstrip() == "Version" and name and name not in seen:
            seen.add(name)
            yield name, Offer(value.strip(), [value.strip()])


def _pairs(output: str) -> Iterator[tuple[str, str]]:
    for line in output.splitlines():
        words = line.split()
        if len(words) == 2 and not line.startswith(("warning:", "error:", ":", " ")):
            yield words[0], words[1]
