"""rpm's database: what dnf, yum and zypper have in common."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from converge.core.trigger import PathChanged
from converge.resources.package import validation as naming
from converge.resources.package.manager import Installed, Manager, Offer
from converge.resources.package.vercmp import rpm_key

QUERY: Final = r"%{NAME}\t%|EPOCH?{%{EPOCH}}:{0}|\t%{VERSION}-%{RELEASE}\t%{ARCH}\t[%{PROVIDENAME} ]\n"
_FOLDERS: Final = ("/var/lib/rpm", "/usr/lib/sysimage/rpm")


@dataclass(frozen=True, slots=True)
class Rpm(Manager):
    """A manager whose packages are rpm's. Versions are written ``1.2-3``, with ``EPOCH:`` before where there is one."""

    def installed(self, names: Collection[str], until: float) -> Mapping[str, Installed]:
        if not names:
            return {}
        where = () if self.root == "/" else ("--root", self.root)
        # Every package provides its own name, so one question covers both.
        output = self.run(["rpm", *where, "-q", "--qf", QUERY, "--whatprovides", *names], until, good=range(256))
        return {name: found for name, found in parse_query(output) if name in names}

    def news(self) -> list[PathChanged]:
        # The lock is closed at the end of every transaction, and of nothing else; the other files of the database are
        # touched by those who only read it, ourselves among them.
        return [PathChanged(f"{folder}/{file}") for folder in _FOLDERS for file in (".rpm.lock", "rpmdb.sqlite")]

    def fits(self, version: str, wanted: str) -> bool:
        without_epoch = version.partition(":")[2] or version
        forms = (version, without_epoch, without_epoch.rpartition("-")[0])
        return any(naming.fits(form, wanted) for form in forms)

    def is_newer(self, offered: str, installed: str) -> bool:
        return rpm_key(offered) > rpm_key(installed)


def full_version(epoch: str, rest: str) -> str:
    """A version as it is shown and compared: an epoch of 0 is none."""
    return rest if epoch in ("", "0", "(none)") else f"{epoch}:{rest}"


def parse_query(output: str) -> Iterator[tuple[str, Installed]]:
    """Packages by name, with and without architecture, and by what they provide; real ones last, so that they win."""
    rows = [line.split("\t") for line in output.splitlines() if line.count("\t") == 4]
    for *_, provides in rows:
        for name in provides.split():
            yield name, Installed("", provided=True)
    # Of several versions side by side, such as kernels, the newest counts.
    for name, epoch, rest, arch, _ in sorted(rows, key=lambda row: rpm_key(full_version(row[1], row[2]))):
        found = Installed(full_version(epoch, rest))
        yield name, found
        yield f"{name}.{arch}", found


def offers_from(rows: Collection[tuple[str, str, str]]) -> dict[str, Offer]:
    """Offers by name, and by name with architecture, from (name, version, architecture)."""
    machine = os.uname().machine
    versions: dict[str, set[str]] = {}
    for name, version, arch in rows:
        versions.setdefault(f"{name}.{arch}", set()).add(version)
        if arch in ("noarch", machine):
            versions.setdefault(name, set()).add(version)
    ordered = {name: sorted(found, key=rpm_key, reverse=True) for name, found in versions.items()}
    return {name: Offer(found[0], found) for name, found in ordered.items()}
