"""What a strict type checker must accept."""

# pyright: strict
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, assert_type

from converge import Condition, Run, blueprint, file_exists
from converge.core.resource import Resource
from converge.resources.exec import Exec
from converge.resources.file import Directory, File
from converge.testing import Site, Trial, declare


@dataclass(frozen=True, slots=True)
class Beacon(Resource):
    """A kind of somebody else's."""

    kind: ClassVar[str] = "beacon"
    platforms = ("linux",)

    name: str
    colour: Literal["red", "green"] = "red"

    def identity(self) -> str:
        return self.name


@blueprint("part")
def part(r: Run, port: int, names: Sequence[str] = (), *, tls: bool = False) -> None:
    r.file(f"/etc/{port}", content=b"x" if tls else "".join(names))


@blueprint("web", "what this one declares")
def web(r: Run, root: Path = Path("/srv"), limit: int | None = None) -> None:
    folder = r.directory(root, mode=0o755)
    conf = r.file(root / "site.conf", content="x", owner="www", depends_on=[folder, "package:nginx"], limit=limit)
    assert_type(folder, Directory)
    assert_type(conf, File)
    ready: Condition = file_exists("/etc/a") & ~file_exists("/etc/b")
    command = r.exec("build", ["make"], dir="/srv", unless="test -e /srv/done", condition=ready, only_on=conf)
    assert_type(command, Exec)
    r.service("nginx", state="running", enable=True, reload_on=[conf])
    beacon = r.declare(Beacon, "one", colour="green", noop=True)
    assert_type(beacon, Beacon)
    r.include("part", port=80)
    r.include(part, 80, tls=True)
    r.include(part, port=80, names=["a"])
    if r.platform.os == "linux" and r.in_shard(10):
        r.package("nginx")


def test_web() -> None:
    site = declare(web, distro="debian", limit=1)
    assert_type(site, Site)
    assert_type(site.get(File, "file:/srv/site.conf"), File)
    assert_type(site.all(Exec), list[Exec])
    assert_type(site.simulate({"file:/srv": "missing"}, rest="right"), Trial)
    assert site["file:/srv"].mode == 0o755
