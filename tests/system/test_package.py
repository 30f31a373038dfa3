"""Packages of a real apt and dpkg, from a repository of packages made here."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.system.repository import Repository

ONCE = ("--out", "json", "serve", "--timeout", "100ms", "--max-retries", "0", "--detailed-exit-codes")
HOLDER = """
import fcntl, os, time
with open("/var/lib/dpkg/lock-frontend", "r+") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    while not os.path.exists("/run/let-go"):
        time.sleep(0.01)
"""


def until(what: Any, deadline: float = 30.0) -> float:  # Any: whatever the test asks
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, "not in time"
        time.sleep(0.01)
    return time.monotonic() - began


@pytest.fixture
def repository(machine: Any, tmp_path: Path) -> Repository:
    return Repository(machine, tmp_path)


class Site:
    """A blueprint in a machine, and what converge says of it."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine

    def declare(self, body: str) -> None:
        lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
        head = (
            "from converge import Run, blueprint, package_installed\n\n@blueprint('site')\ndef site(r: Run) -> None:\n"
        )
        self.machine.write("/etc/converge/site.py", head + lines)

    def plan(self) -> dict[str, Any]:
        done = self.machine.converge("--out", "json", "plan", "/etc/converge/site.py", check=False)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def converge(self, code: int) -> dict[str, dict[str, Any]]:
        """Converge once; the outcome of each resource, by id."""
        done = self.machine.converge(*ONCE, "/etc/converge/site.py", check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return {each["id"]: each for each in json.loads(done.stdout)["resources"]}

    def right(self, body: str) -> None:
        """Declare it; it is put right, and then there is nothing left to do."""
        self.declare(body)
        self.converge(2)
        self.converge(0)
        assert "pending" not in self.plan()["summary"]


def version(machine: Any, name: str) -> str:
    """What dpkg itself says is installed."""
    done = machine.run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", name, check=False)
    state, _, found = done.stdout.partition(" ")
    return found if state == "installed" else ""


def test_come_go_and_versions(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    for each in ("1.0", "1.1", "2.0"):
        repository.add("tool", each, "Depends: tool-data\n")
    repository.add("tool-data")
    repository.add("user-of-tool", "1.0", "Depends: tool\n")
    repository.publish()

    site.declare("r.package('tool')")
    (planned,) = site.plan()["resources"]
    assert planned["changes"] == [
        {"property": "package", "to": "2.0", "action": "create"},
        {"property": "also tool-data", "to": "1.0", "action": "create"},
    ]
    site.right("r.package('tool', version='1.0')")
    assert version(machine, "tool") == "1.0"
    site.right("r.package('tool', version='1.1*', hold=True)")
    assert version(machine, "tool") == "1.1"
    assert machine.run("apt-mark", "showhold").stdout == "tool\n"
    site.right("r.package('tool', version='1.0', hold=True)")
    assert version(machine, "tool") == "1.0", "its own hold is in nobody's way"
    assert machine.run("apt-mark", "showhold").stdout == "tool\n"
    site.right("r.package('tool', hold=False)")
    site.right("r.package('tool', state='latest')")
    assert version(machine, "tool") == "2.0"

    site.right("r.package('user-of-tool')")
    site.declare("r.package('tool', state='absent')")
    (planned,) = site.plan()["resources"]
    assert {"property": "also user-of-tool", "from": "1.0", "action": "remove"} in planned["changes"]
    site.right("r.package('tool', state='absent')")
    assert version(machine, "tool") == version(machine, "user-of-tool") == ""


def test_failures_stay_alone(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    names = [f"good{number}" for number in range(8)]
    for name in names:
        repository.add(name)
    repository.add("bad", postinst="#!/bin/sh\necho it cannot be set up >&2\nexit 1\n")
    repository.add("vital", fields="Essential: yes\n")
    repository.publish()
    machine.run("apt-get", "-q", "-y", "install", "vital")
    repository.add("fresh")
    repository.publish(update=False)  # apt's index is stale now
    site.declare(
        f"for name in {[*names, 'fresh', 'unknown-one', 'python3.77', 'bad', 'g++']}:\n    r.package(name)\n"
        "r.package('vital', state='absent')\nr.package('good0:i386', state='absent')\nr.package('tar', version='9*')"
    )
    found = site.converge(3)
    failed = {id: each["error"] for id, each in found.items() if each["status"] == "failed"}
    assert sorted(failed) == [f"package:{name}" for name in ("bad", "g++", "python3.77", "tar", "unknown-one", "vital")]
    assert "it cannot be set up" in failed["package:bad"]
    assert "Unable to locate package unknown-one" in failed["package:unknown-one"]
    assert "apt knows no package python3.77" in failed["package:python3.77"]
    assert "Essential packages were removed and -y was used" in failed["package:vital"]
    assert "no version 9* of tar can be had; there are 1." in failed["package:tar"]
    assert all(version(machine, name) == "1.0" for name in [*names, "fresh"])


def test_a_run_that_ends_does_not_try_again_what_no_repository_has(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    repository.add("tool")
    repository.publish()
    machine.write("/etc/apt/apt.conf.d/counted", 'APT::Update::Pre-Invoke {"echo fetched >>/var/tmp/fetched";};\n')
    site.declare("r.package('unknown-one')\nr.package('tool', version='9*')\nr.package('python3.77')\nr.package('tar')")
    run = ("--out", "json", "serve", "--timeout", "100ms", "--max-retries", "1", "/etc/converge/site.py")

    done = machine.converge(*run, check=False)
    summary = json.loads(done.stdout)["summary"]
    assert (done.returncode, summary["failed"], summary["ok"]) == (1, 3, 1), done.stdout
    assert machine.read("/var/tmp/fetched") == "fetched\n"

    # A repository that could not be reached may have it.
    machine.write("/etc/apt/sources.list.d/away.list", "deb [trusted=yes] http://127.0.0.1:9/away ./\n")
    site.declare("r.package('unknown-one')")
    assert machine.converge(*run, check=False).returncode == 1
    assert machine.read("/var/tmp/fetched") == "fetched\n" * 3


def test_many_are_few_transactions(machine: Any, repository: Repository) -> None:
    names = [f"many{number}" for number in range(70)]
    for name in names:
        repository.add(name)
    repository.publish()
    site = Site(machine)
    site.right(f"for name in {names}:\n    r.package(name)")
    history = machine.read("/var/log/apt/history.log")
    assert history.count("Start-Date:") == 2, "64 are the most that are applied together"


def test_configuration_files(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    conf = "/etc/tool.conf"
    for number in (1, 2, 3):
        repository.add("tool", f"{number}.0", conffiles=f"{conf}\n", **{conf: f"default {number}\n"})
    repository.publish()
    site.right("r.package('tool', version='1.0')")
    machine.write(conf, "mine\n")
    site.right("r.package('tool', version='2.0')")
    assert machine.read(conf) == "mine\n"
    site.right("r.package('tool', version='3.0', conffiles='replace')")
    assert machine.read(conf) == "default 3\n"


def test_recommendations(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    repository.add("helper")
    for name in ("bare", "usual", "full"):
        repository.add(name, "1.0", f"Recommends: helper, {name}-extra\n")
        repository.add(f"{name}-extra")
    repository.publish()
    machine.write("/etc/apt/apt.conf.d/90recommends", 'APT::Install-Recommends "false";\n')

    site.declare("r.package('bare', recommends=False)\nr.package('full', recommends=True)\nr.package('usual')")
    bare, full, usual = (planned["changes"] for planned in site.plan()["resources"])
    assert {change["property"] for change in full} == {"package", "also helper", "also full-extra"}
    assert [change["property"] for change in bare + usual] == ["package", "package"]
    site.converge(2)
    site.converge(0)
    there = machine.run("dpkg-query", "-W", "-f", "${Package}\n").stdout.split()
    assert {"bare", "usual", "full", "full-extra", "helper"} <= set(there)
    assert not {"bare-extra", "usual-extra"} & set(there)

    machine.write("/etc/apt/apt.conf.d/90recommends", 'APT::Install-Recommends "true";\n')
    site.declare("r.package('bare', recommends=True)\nr.package('usual', recommends=False)\nr.package('full')")
    site.converge(0)  # what is there already does not differ by it
    site.right("r.package('usual', state='absent')")
    site.right("r.package('usual', recommends=False)")
    assert version(machine, "usual-extra") == ""


def test_half_done_and_provided(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    repository.add("tool", "1.0", "Provides: virtual-tool\n", postinst="#!/bin/sh\ntest -e /run/allowed\n")
    repository.publish()
    assert machine.run("apt-get", "-q", "-y", "install", "tool", check=False).returncode != 0
    site.declare("r.package('tool')")
    (planned,) = site.plan()["resources"]
    assert planned["changes"][0] == {
        "property": "package", "from": "half-configured", "to": "configured", "action": "update",
    }  # fmt: skip
    machine.write("/run/allowed", "")
    site.right("r.package('tool')")
    machine.run("dpkg", "--unpack", "/srv/repository/tool_1.0.deb")
    site.right("r.package('tool')")
    site.declare("r.package('virtual-tool')")
    site.converge(0)


def test_a_script_that_asks_at_the_terminal_finds_none(machine: Any, repository: Repository) -> None:
    """With a terminal of apt's own it would wait for ever, and all of its transaction with it."""
    site = Site(machine)
    repository.add("asks", postinst="#!/bin/sh\nset -e\nprintf 'Really? ' >/dev/tty\nread answer </dev/tty\n")
    repository.add("asks-not", postinst="#!/bin/sh\nread answer || true\n")
    repository.publish()
    site.declare("r.package('asks')\nr.package('asks-not')")
    found = site.converge(3)
    assert found["package:asks-not"]["status"] == "changed"
    assert "/dev/tty" in found["package:asks"]["error"]


def test_what_a_failing_script_said_is_shown_though_it_was_one_of_many(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    for name in ("bad", "worse"):
        says = f"#!/bin/sh\necho {name} has no port to listen on >&2\ntest -e /run/allowed\n"
        repository.add(name, postinst=says)
    for name in ("good", "fine", "right"):
        repository.add(name)
    repository.publish()
    names = ("good", "bad", "fine", "worse", "right")
    site.declare("\n".join(f"r.package('{name}')" for name in names))
    found = site.converge(3)
    for name in ("bad", "worse"):
        error = found[f"package:{name}"]["error"]
        print(error)
        assert f"{name} has no port to listen on" in error
        assert "No file name for" not in error
    assert {found[f"package:{name}"]["status"] for name in ("good", "fine", "right")} == {"changed"}
    # Nothing of its archive is needed to configure it.
    machine.run("sh", "-c", "rm /srv/repository/bad*.deb /srv/repository/worse*.deb")
    machine.write("/run/allowed", "")
    assert {each["status"] for each in site.converge(2).values()} == {"ok", "changed"}
    site.converge(0)


def test_the_newest_is_what_a_pin_says(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    for each in ("1.0", "2.0~rc1", "2.0"):
        repository.add("tool", each)
        repository.add("other", each)
    repository.publish()
    site.right("r.package('other', version='2.0~rc1')")
    site.right("r.package('other', state='latest')")
    site.right("r.package('tool', version='1.0')\nr.package('other', state='latest')")
    site.right("r.package('tool', state='latest')\nr.package('other', state='latest')")
    assert version(machine, "tool") == version(machine, "other") == "2.0"
    assert "--allow-downgrades" not in machine.read("/var/log/apt/history.log"), "nothing became older"
    machine.write("/etc/apt/preferences.d/tool", "Package: tool\nPin: version 1.0\nPin-Priority: 1001\n")
    planned = next(each for each in site.plan()["resources"] if each["id"] == "package:tool")
    assert planned["changes"] == [{"property": "version", "from": "2.0", "to": "1.0", "action": "update"}]
    site.right("r.package('tool', state='latest')")
    assert version(machine, "tool") == "1.0"
    site.right("r.package('other', version='2.0~rc1')")
    assert machine.read("/var/log/apt/history.log").count("--allow-downgrades") == 2


def test_what_lies_in_a_directory_of_its_package_is_pending_with_it(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    repository.add("tool", conffiles="/etc/tool/conf.d/own.conf\n", **{"/etc/tool/conf.d/own.conf": "1\n"})
    repository.publish()
    site.declare("r.file('/etc/tool/conf.d/x.conf', content='x')\nr.package('tool')")
    planned = {each["id"]: each for each in site.plan()["resources"]}
    assert planned["file:/etc/tool/conf.d/x.conf"]["status"] == "pending", planned
    assert planned["file:/etc/tool/conf.d/x.conf"]["reason"] == "after package:tool"
    assert {each["status"] for each in site.converge(2).values()} == {"changed"}
    site.converge(0)


def start(machine: Any) -> Any:
    """A daemon that guards the site."""
    machine.run("systemd-run", "--unit=guard", str(machine.python), "-m", "converge", "--out", "json", "serve",
                "/etc/converge/site.py")  # fmt: skip
    until(lambda: '"watching"' in log(machine))
    return machine


def log(machine: Any) -> str:
    text: str = machine.run("journalctl", "-u", "guard", "-o", "cat", "--no-pager").stdout
    return text


def test_guarded(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    for each in ("tool", "other"):
        repository.add(each)
    repository.add("third")
    repository.publish()
    site.declare(
        "r.package('tool', limit=100)\nr.package('other', state='latest')\n"
        "r.file('/etc/late', content='here', condition=package_installed('third'))"
    )
    start(machine)
    took = []
    for _ in range(3):
        # What put it right last may still hold the lock.
        until(lambda: machine.run("dpkg", "-r", "tool", check=False).returncode == 0)
        took.append(until(lambda: version(machine, "tool") == "1.0"))
    print("dpkg -r was put right after", ", ".join(f"{each * 1000:.0f} ms" for each in took))

    repository.add("other", "2.0")
    repository.publish()  # apt-get update is news for what is to be the latest
    took = [until(lambda: version(machine, "other") == "2.0")]
    print(f"a new version was installed {took[0] * 1000:.0f} ms after apt-get update ended")

    assert machine.run("test", "-e", "/etc/late", check=False).returncode == 1
    until(lambda: machine.run("apt-get", "-q", "-y", "install", "third", check=False).returncode == 0)
    until(lambda: machine.run("test", "-e", "/etc/late", check=False).returncode == 0)

    holder = machine.start("python3", "-c", HOLDER)
    assert holder.stdout.readline() == "held\n"
    machine.run("env", "DPKG_FRONTEND_LOCKED=1", "dpkg", "-r", "tool")  # as one who has that lock would do
    assert version(machine, "tool") == ""
    (said,) = (each for each in site.plan()["resources"] if each["id"] == "package:tool")
    assert said["status"] == "skipped", said
    assert "cannot be judged now: waits for python3 (process " in said["reason"], said
    changed = log(machine).count('"changed"')
    time.sleep(1.5)  # nothing may happen in this time, whatever is asked
    assert version(machine, "tool") == ""
    machine.write("/run/let-go", "")
    holder.wait(10)
    took = [until(lambda: version(machine, "tool") == "1.0")]
    print(f"right again {took[0] * 1000:.0f} ms after the lock was given back")
    until(lambda: log(machine).count('"changed"') == changed + 1)
    assert '"failed"' not in log(machine)


def test_somebody_elses_upgrade(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    unit = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    scripts = {
        "postinst": "#!/bin/sh\nsleep 1\nsystemctl daemon-reload\nsystemctl enable -q --now sleeper.service\n",
        "prerm": "#!/bin/sh\nsystemctl stop sleeper.service\nsleep 1\n",
    }
    for number in (1, 2):
        repository.add("sleeper", f"{number}.0", **scripts, **{"/lib/systemd/system/sleeper.service": unit})
        if number == 1:
            repository.publish()
    site.declare("package = r.package('sleeper')\nr.service('sleeper', state='running', depends_on=package)")
    start(machine)
    assert version(machine, "sleeper") == "1.0"
    before = log(machine)
    repository.publish()
    machine.run("apt-get", "-q", "-y", "upgrade")
    assert version(machine, "sleeper") == "2.0"
    machine.run("systemctl", "is-active", "sleeper")
    time.sleep(1.0)  # for what must not come
    assert '"changed"' not in log(machine)[len(before) :], log(machine)[len(before) :]


def test_what_cannot_be_together_is_left_alone(machine: Any, repository: Repository) -> None:
    site = Site(machine)
    repository.add("cona", "1.0", "Conflicts: conb\n")
    repository.add("conb")
    repository.add("tool", "1.0", "Depends: tool-data\n")
    repository.add("tool-data")
    repository.add("other")
    repository.publish()
    both = "r.package('cona')\nr.package('conb')\nr.package('other')"

    def both_fail(body: str, names: list[str], *words: str) -> None:
        site.declare(body)
        planned = {each["id"]: each for each in site.plan()["resources"]}
        for found in (planned, site.converge(3 if "other" in body else 4)):
            for name in names:
                error = found[f"package:{name}"]["error"]
                assert found[f"package:{name}"]["status"] == "failed"
                for each in names:
                    line = 4 + body.splitlines().index(next(x for x in body.splitlines() if f"'{each}'" in x)) + 1
                    assert f"package:{each} (/etc/converge/site.py:{line})" in error
                for each in words:
                    assert each in error, error

    before = machine.run("stat", "-c", "%Y%Z", "/var/lib/dpkg/status").stdout
    both_fail(both, ["cona", "conb"], "Conflicts: conb")
    assert (version(machine, "cona"), version(machine, "conb"), version(machine, "other")) == ("", "", "1.0")
    assert before != machine.run("stat", "-c", "%Y%Z", "/var/lib/dpkg/status").stdout

    # One of them is there: it stays, and nothing is done any more, however often it is tried.
    machine.run("apt-get", "-y", "-q", "install", "cona")
    log = machine.run("cat", "/var/log/dpkg.log").stdout
    both_fail(both, ["cona", "conb"], "apt would remove cona 1.0")
    site.converge(3)
    assert machine.run("cat", "/var/log/dpkg.log").stdout == log
    assert (version(machine, "cona"), version(machine, "conb")) == ("1.0", "")

    # A package, and what it needs declared absent; and the other way round, once it is there.
    apart = "r.package('tool')\nr.package('tool-data', state='absent')"
    both_fail(apart, ["tool", "tool-data"], "apt would install tool-data 1.0")
    machine.run("apt-get", "-y", "-q", "install", "tool")
    both_fail(apart, ["tool", "tool-data"], "apt would remove tool 1.0")
    assert version(machine, "tool") == version(machine, "tool-data") == "1.0"

    # What nobody declared may still go.
    site.right("r.package('conb')")
    assert (version(machine, "cona"), version(machine, "conb")) == ("", "1.0")
