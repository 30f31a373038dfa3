"""What a strict type checker must refuse: each line with a mark, and no other."""

# pyright: strict
from __future__ import annotations

from converge import Run, blueprint, file_exists
from converge.resources.exec import Exec
from converge.resources.file import File
from converge.testing import declare


@blueprint("no r")  # error
def no_run(port: int) -> None: ...


@blueprint("part")
def part(r: Run, port: int, names: list[str] | None = None) -> None: ...


@blueprint("web")
def web(r: Run) -> None:
    r.file("/etc/a", ownr="me")  # error
    r.file("/etc/a", content=5)  # error
    r.file("/etc/a", mode="0644")  # error
    r.file("/etc/a", state="gone")  # error
    r.file()  # error
    r.file("/etc/a", "content")  # error
    r.file("/etc/a", depends_on=5)  # error
    r.file("/etc/a", depends_on=[5])  # error
    r.file("/etc/a", condition=True)  # error
    r.file("/etc/a", condition=file_exists(5))  # error
    r.file("/etc/a", critical="yes")  # error
    r.fiel("/etc/a")  # error
    r.json_setting("/etc/a", "b", 1)  # error
    r.directory("/etc/a", content="x")  # error
    r.symlink("/etc/a")  # error
    r.exec("build")  # error
    r.exec("build", ["make"], env=["A=1"])  # error
    r.service("nginx", state="runing")  # error
    r.service("nginx", enable="yes")  # error
    r.package("nginx", state="instaled")  # error
    r.user("deploy", groups="adm,www", uid="5")  # error
    r.sysctl()  # error
    r.include(part)  # error
    r.include(part, port="80")  # error
    r.include(part, prot=80)  # error
    r.include(5)  # error
    r.declare(File, "/etc/a", contents="x")  # error
    r.declare(int, "5")  # error
    found: Exec = r.file("/etc/a")  # error
    r.file("/etc/a").mode = 0o644  # error
    r.in_shard("10")  # error
    if r.platform.os == "macos":  # error
        r.exec("never", "true", only_on=found)


def test_web() -> None:
    site = declare(web, platform="beos")  # error
    print(site.get(File, "file:/etc/a").contents)  # error
    site.simulate({"file:/etc/a": "rigth"})  # error
