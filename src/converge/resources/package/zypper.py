"""zypper: SUSE and openSUSE."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar, Final

from converge.core.trigger import PathChanged
from converge.resources.package.manager import Conffiles, Installed, ManagerError, Offer, Remedy, Step, Wish
from converge.resources.package.rpm import Rpm, offers_from

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_LOCKED: Final = 7
_GOOD: Final = (0, 102, 103, 106)
"""Done; 102 and 103 ask for a restart, 106 says that a repository was left out."""
_FOUND: Final = (0, 104)
"""104: none of the packages is in any repository."""
_LOCKS: Final = "/etc/zypp/locks"
_RECOMMENDS: Final = {True: "--recommends", False: "--no-recommends"}


@dataclass(frozen=True, slots=True)
class Zypper(Rpm):
    """zypper, never interactive. Its holds are locks by name."""

    name: ClassVar[str] = "zypper"
    holds: ClassVar[bool] = True
    recommends: ClassVar[bool] = True

    def installed(self, names: Collection[str], until: float) -> Mapping[str, Installed]:
        found = Rpm.installed(self, names, until)
        patterns = list(self._locks())
        held = {name for name in found if any(fnmatchcase(name, pattern) for pattern in patterns)}
        return {name: each._replace(hold=name in held) for name, each in found.items()}

    def offers(self, names: Collection[str], until: float) -> Mapping[str, Offer]:
        command = [*self._command(), "--xmlout", "search", "-s", "--match-exact", "-t", "package", *names]
        return parse_search(self.run(command, until, good=_FOUND))

    def simulate(self, wishes: Sequence[Wish], unwanted: Sequence[str], until: float) -> Sequence[Step]:
        what = [*_install(wishes), "--dry-run", *_words(wishes)] if wishes else ["remove", "--dry-run", *unwanted]
        return list(parse_summary(self.run([*self._command(), "--xmlout", *what], until, good=_GOOD)))

    def news(self) -> list[PathChanged]:
        return [*Rpm.news(self), PathChanged(_LOCKS)]

    def index_news(self) -> list[PathChanged]:
        return [PathChanged("/var/cache/zypp/solv", deep=True), PathChanged("/etc/zypp/repos.d", deep=True)]

    def install(self, wishes: Sequence[Wish], conffiles: Conffiles, newest: bool, until: float) -> None:
        del conffiles, newest  # rpm keeps what the administrator changed; install also brings the newest version
        self.run([*self._command(), *_install(wishes), *_words(wishes)], until, good=_GOOD)

    def remove(self, names: Sequence[str], until: float) -> None:
        self.run([*self._command(), "remove", *names], until, good=_GOOD)

    def hold(self, names: Sequence[str], on: bool, until: float) -> None:
        self.run([*self._command(), "addlock" if on else "removelock", *names], until, good=_GOOD)

    def refresh(self, until: float) -> bool:
        return self.is_whole(self.run([*self._command(), "refresh"], until, good=_GOOD))

    def _command(self) -> list[str]:
        return ["zypper", "--non-interactive", *self.arguments]

    def _locks(self) -> Iterator[str]:
        """The names, or patterns of names, that are locked."""
        try:
            with open(self.root.rstrip("/") + _LOCKS, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    key, _, value = line.partition(":")
                    if key == "solvable_name":
                        yield value.strip()
        except FileNotFoundError:
            return

    def remedy(self, output: str) -> Remedy:
        unknown = ("not found in package names", "No provider of", "not found.")
        return "refresh" if any(words in output for words in unknown) else ""

    def is_locked(self, returncode: int, output: str) -> bool:
        return returncode == _LOCKED or "System management is locked" in output


def _install(wishes: Sequence[Wish]) -> list[str]:
    older = ["--oldpackage"] if any(wish.version for wish in wishes) else []
    recommends = {_RECOMMENDS[wish.recommends] for wish in wishes if wish.recommends is not None}
    return ["install", *older, *recommends]


def _words(wishes: Sequence[Wish]) -> list[str]:
    return [f"{wish.name}={wish.version}" if wish.version else wish.name for wish in wishes]


def _xml(output: str) -> Element:
    from xml.etree import ElementTree

    start = output.find("<?xml")  # what a library says on standard error may come before
    end = output.rfind("</stream>")
    try:
        return ElementTree.fromstring(output[start : end + len("</stream>")])  # noqa: S314 - from zypper itself
    except ElementTree.ParseError as error:
        raise ManagerError(f"zypper's answer cannot be read: {error}") from error


def parse_search(output: str) -> dict[str, Offer]:
    """Versions in the repositories, from ``zypper --xmlout search -s``; what is only installed is none."""
    return offers_from([
        (found.get("name", ""), found.get("edition", ""), found.get("arch", ""))
        for found in _xml(output).iter("solvable")
        if found.get("kind") == "package" and not (found.get("repository") or "").startswith("(")
    ])  # fmt: skip


def parse_summary(output: str) -> Iterator[Step]:
    """What a transaction would do, from the summary of a dry run."""
    for section in _xml(output).iter():
        if not section.tag.startswith("to-"):
            continue
        for found in section.iter("solvable"):
            name, version = found.get("name", ""), found.get("edition", "")
            if section.tag == "to-install":
                yield Step(name, None, version)
            elif section.tag == "to-remove":
                yield Step(name, version, None)
            elif section.tag in ("to-upgrade", "to-downgrade", "to-reinstall"):
                yield Step(name, found.get("edition-old", ""), version)
