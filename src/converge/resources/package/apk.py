"""apk: Alpine Linux."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from converge.core.errors import ResourceError
from converge.core.trigger import PathChanged
from converge.resources.package.manager import Conffiles, Installed, Manager, ManagerError, Offer, Remedy, Step, Wish

_INSTALLED: Final = "/lib/apk/db/installed"
_STEP: Final = re.compile(r"\(\d+/\d+\) (Installing|Upgrading|Downgrading|Reinstalling|Purging) (\S+) \(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Apk(Manager):
    """apk, whose database is one file."""

    name: ClassVar[str] = "apk"

    def installed(self, names: Collection[str], until: float) -> Mapping[str, Installed]:
        del until  # no process is started
        path = self.root.rstrip("/") + _INSTALLED
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found = dict(parse_installed(file.read()))
        except FileNotFoundError as error:
            raise ResourceError(f"apk does not manage this machine: {path} does not exist") from error
        return {name: found[name] for name in names if name in found}

    def offers(self, names: Collection[str], until: float) -> Mapping[str, Offer]:
        return dict(parse_policy(self.run([*self._command("policy"), *names], until)))

    def simulate(self, wishes: Sequence[Wish], unwanted: Sequence[str], until: float) -> Sequence[Step]:
        what = [*self._command("add"), *_words(wishes)] if wishes else [*self._command("del"), *unwanted]
        return list(parse_steps(self.run([*what, "--simulate"], until)))

    def news(self) -> list[PathChanged]:
        return [PathChanged(_INSTALLED)]

    def index_news(self) -> list[PathChanged]:
        return [PathChanged("/var/cache/apk", deep=True), PathChanged("/etc/apk/repositories")]

    def install(self, wishes: Sequence[Wish], conffiles: Conffiles, newest: bool, until: float) -> None:
        del conffiles  # it keeps what the administrator changed
        self.run([*self._command("add"), *(["--upgrade"] if newest else []), *_words(wishes)], until)

    def remove(self, names: Sequence[str], until: float) -> None:
        output = self.run([*self._command("del"), *names], until)
        if "not removed due to" in output:
            raise ManagerError("apk del did not remove it:\n" + output.strip())

    def refresh(self, until: float) -> bool:
        return self.is_whole(self.run(self._command("update"), until))

    def _command(self, verb: str) -> list[str]:
        return ["apk", verb, "--no-progress", "--no-interactive", *self.arguments]

    def remedy(self, output: str) -> Remedy:
        return "refresh" if "no such package" in output or "breaks: world[" in output else ""

    def is_locked(self, returncode: int, output: str) -> bool:
        return returncode != 0 and "Unable to lock database" in output


def _words(wishes: Sequence[Wish]) -> list[str]:
    return [f"{wish.name}={wish.version}" if wish.version else wish.name for wish in wishes]


def parse_installed(text: str) -> Iterator[tuple[str, Installed]]:
    """The packages in apk's database, and what they provide; real ones last, so that they win."""
    real = []
    name = ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == "P":
            name = value
        elif key == "V" and name:
            real.append((name, Installed(value)))
        elif key == "p":
            for provided in value.split():
                yield provided.partition("=")[0], Installed("", provided=True)
    yield from real


def parse_policy(output: str) -> Iterator[tuple[str, Offer]]:
    """Versions that a repository has, from ``apk policy``: the newest is listed last."""
    name, versions, version = "", list[str](), ""
    for line in [*output.splitlines(), "end policy:"]:
        if line.endswith(" policy:"):
            if versions:
                yield name, Offer(versions[-1], versions[::-1])
            name, versions = line.removesuffix(" policy:"), []
        elif line.startswith("    ") and "lib/apk/db/installed" not in line:
            if version not in versions:
                versions.append(version)
        elif line.startswith("  "):
            version = line.strip().removesuffix(":")


def parse_steps(output: str) -> Iterator[Step]:
    """What a transaction would do, from its simulation."""
    for line in output.splitlines():
        if found := _STEP.match(line):
            verb, name, versions = found.groups()
            before, _, after = versions.rpartition(" -> ")
            yield Step(name, versions, None) if verb == "Purging" else Step(name, before or None, after)
