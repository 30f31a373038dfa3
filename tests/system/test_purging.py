"""A purged directory into which a real dpkg unpacks, while a daemon guards it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.system.guarding import holds, journal, settled, until
from tests.system.repository import Repository

COUNT = 20
NAMES = [f"/etc/guarded.d/{number:02}.conf" for number in range(COUNT)]
SITE = f"""
from converge import Run, blueprint

@blueprint("site")
def site(r: Run) -> None:
    r.directory("/etc/guarded.d", purge=True, limit=1000)
    for number in range({COUNT}):
        r.file(f"/etc/guarded.d/{{number:02}}.conf", mode=0o644, limit=1000)
"""
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "Dpkg::Options::=--force-confnew")


@pytest.fixture
def repository(machine: Any, tmp_path: Path) -> Repository:
    return Repository(machine, tmp_path)


def add(repository: Repository, version: str) -> None:
    """Twenty conffiles that are declared, and ten other files that are not."""
    files = dict.fromkeys(NAMES, f"{version}\n")
    files |= {f"/etc/guarded.d/extra{number}/file": "x\n" for number in range(10)}
    files |= {"conffiles": "".join(f"{name}\n" for name in NAMES)}
    repository.add("guarded", version, **files)
    repository.publish()


def test_an_upgrade_in_a_purged_directory_loses_nothing(machine: Any, repository: Repository) -> None:
    machine.write("/etc/converge/site.py", SITE)
    machine.run("mkdir", "/etc/guarded.d")
    serve = (str(machine.python), "-m", "converge", "--out", "serial", "serve", "/etc/converge/site.py")
    machine.run("systemd-run", "--unit=guard", *serve)
    until(lambda: "WATCHING" in journal(machine), "first convergence")
    for version in ("1.0", "2.0", "3.0", "4.0"):
        add(repository, version)
        done = machine.run(*APT, "install", "guarded")
        assert "unable to" not in done.stdout + done.stderr
        until(
            lambda: not holds(machine, "ls -d /etc/guarded.d/extra*"),
            f"what nobody declared is purged:\n{journal(machine)}",
        )
        settled(machine)
        found = machine.run("sh", "-c", "cat /etc/guarded.d/*.conf").stdout.split()
        assert found == [version] * COUNT, journal(machine)
        listed = machine.run("ls", "-A", "/etc/guarded.d").stdout.split()
        assert listed == [Path(name).name for name in NAMES]
    machine.run("touch", "/etc/guarded.d/by-hand")
    until(lambda: not holds(machine, "test -e /etc/guarded.d/by-hand"), "purged at once", 5.0)
    machine.run("systemctl", "stop", "guard")
    assert "FAILED" not in journal(machine)


def test_homes_below_a_purged_directory_stay(machine: Any) -> None:
    machine.write(
        "/etc/converge/site.py",
        "from converge import Run, blueprint\n\n@blueprint('site')\ndef site(r: Run) -> None:\n"
        "    r.directory('/srv/home', purge=True)\n"
        "    r.user('u1', home='/srv/home/u1', create_home=True)\n"
        "    r.user('u2')\n"
        "    r.authorized_keys('u1', ['ssh-ed25519 "
        "AAAAC3NzaC1lZDI1NTE5AAAAIJ2pYV1Q6mS1V8v6Kk3uQ1pXz5h7b2d4f6g8h0j2k4l6 u1'])\n",
    )
    machine.run("mkdir", "-p", "/srv/home/old")
    machine.run("useradd", "--home-dir", "/srv/home/second", "--create-home", "u2")
    serve = ("--out", "serial", "serve", "--timeout", "1s", "/etc/converge/site.py")
    machine.converge(*serve)
    for name in ("/srv/home/u1/mine", "/srv/home/second/mine", "/srv/home/other"):
        machine.write(name, "x")
    machine.converge(*serve)
    assert machine.run("ls", "/srv/home").stdout.split() == ["second", "u1"]
    assert holds(machine, "test -e /srv/home/u1/mine && test -e /srv/home/second/mine")
    assert holds(machine, "test -s /srv/home/u1/.ssh/authorized_keys")
