"""Users, groups, keys, the machine's name and its time zone, changed by the usual tools while a daemon guards them."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DEADLINE = 30.0
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDErvSQHOWNvFz8nHQp5Ra3lGSyQmW8Ohm7WzTh5YGMq ann@laptop"
HASH = "$y$j9T$abcdefgh$0123456789012345678901234567890123456789abc"
SITE = f"""
from converge import Run, blueprint

@blueprint("accounts")
def accounts(r: Run) -> None:
    r.authorized_keys("deploy", ["{KEY}"], limit=1000)
    r.user("deploy", uid=1600, groups=["devs", "ops"], shell="/bin/bash", comment="Deploy", create_home=True,
           password_hash="{HASH}", expires="2030-01-31", limit=1000)
    r.group("devs", gid=1500, limit=1000)
    r.group("ops", system=True, limit=1000)
    r.user("svc", system=True, home="/srv/svc", create_home=True, shell="/usr/sbin/nologin", locked=True)
    r.authorized_keys("svc", ["{KEY}"], exact=True, limit=1000)
    r.directory("/srv/data", owner="svc", group="ops", mode=0o750)
    r.hostname("web1", limit=1000)
    r.timezone("Europe/Berlin", limit=1000)
"""


def until(what: Callable[[], Any], text: str = "not in time") -> float:  # Any: whatever the test asks
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < DEADLINE, text
        time.sleep(0.001)
    return time.monotonic() - began


def summary(machine: Any, *arguments: str) -> dict[str, Any]:
    """What one run of converge says at its end."""
    done = machine.converge("--out", "json", *arguments, "/etc/converge/site.py", check=False)
    return {**json.loads(done.stdout), "exit": done.returncode}


@contextlib.contextmanager
def daemon(machine: Any, name: str = "site.py") -> Iterator[list[str]]:
    """A daemon that has converged; what it has said."""
    unit = f"guard-{time.monotonic_ns()}"
    machine.run("systemd-run", f"--unit={unit}", str(machine.python), "-m", "converge", "--out", "serial", "serve",
                f"/etc/converge/{name}")  # fmt: skip
    log: list[str] = []

    def watching() -> bool:
        log[:] = machine.run("journalctl", "-u", unit, "--no-pager", "-o", "cat").stdout.splitlines()
        return any("WATCHING" in line for line in log)

    until(watching)
    yield log
    machine.run("systemctl", "stop", unit)
    log[:] = machine.run("journalctl", "-u", unit, "--no-pager", "-o", "cat").stdout.splitlines()


class Seen:
    """The account files of the machine, looked at from outside, so that looking costs it little."""

    def __init__(self, machine: Any) -> None:
        self.top: Path = machine.top

    def now(self) -> tuple[object, ...]:
        accounts = [
            line
            for file in ("passwd", "group", "shadow", "gshadow")
            for line in self.text(f"etc/{file}").splitlines()
            if any(name in line for name in ("deploy", "devs:", "ops:"))
        ]
        keys = [self.text(f"{home}/.ssh/authorized_keys") for home in ("home/deploy", "srv/svc")]
        with contextlib.suppress(FileNotFoundError):
            keys.append(f"{(self.top / 'home/deploy/.ssh').stat().st_mode:o}")
        zone = os.readlink(self.top / "etc/localtime")
        return (*sorted(accounts), *keys, zone, self.text("etc/timezone"), self.text("etc/hostname"))

    def trace(self) -> list[tuple[int, int]]:
        """What changes with every change of a file, also with one that was put right."""
        paths = ["etc/passwd", "etc/group", "etc/shadow", "etc/localtime", "etc/timezone", "etc/hostname"]
        paths += [f"{home}/.ssh{file}" for home in ("home/deploy", "srv/svc") for file in ("", "/authorized_keys")]
        found = []
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                status = (self.top / path).lstat()
                found.append((status.st_ino, status.st_ctime_ns))
        return found

    def text(self, path: str) -> str:
        try:
            return (self.top / path).read_text()
        except (FileNotFoundError, NotADirectoryError):
            return ""


TAMPERING = {
    "a user is removed": "userdel deploy",
    "a user is removed with the home": "userdel -rf deploy",
    "a user's shell": "usermod -s /bin/false deploy",
    "a user's number": "usermod -u 1777 deploy",
    "a user's name": "usermod -c Somebody deploy",
    "a user leaves a group": "gpasswd -d deploy devs",
    "a password is locked": "passwd -q -l deploy",
    "a password is changed": "echo deploy:x | chpasswd -c SHA512",
    "an account expires": "chage -E 1 deploy",
    "an account never expires": "usermod -e '' deploy",
    "a group's number": "groupmod -g 1555 devs",
    "a group is removed": "groupdel devs",
    "sed in place": "sed -i 's,:Deploy:,:Somebody:,' /etc/passwd",
    "an editor's rename": "grep -v ^deploy /etc/passwd >/etc/passwd.new; mv /etc/passwd.new /etc/passwd",
    "another key": "echo ssh-ed25519 AAAA >>/srv/svc/.ssh/authorized_keys",
    "keys are emptied": ": >/home/deploy/.ssh/authorized_keys",
    "keys are removed": "mv /home/deploy/.ssh /home/keys-$$",
    "the folder of keys is open": "chmod 755 /home/deploy/.ssh",
    "keys of a home elsewhere": "rm /srv/svc/.ssh/authorized_keys",
    "the static name": "echo other >/etc/hostname",
    "the time zone": "ln -sf /usr/share/zoneinfo/UTC /etc/localtime",
    "Debian's time zone": "echo UTC >/etc/timezone",
}
PAUSE = 0.6
"""Seconds from one to the next: what comes within 500 ms of a repair is only looked at when those are over."""
ROUNDS = int(os.environ.get("CONVERGE_TEST_ROUNDS", "2"))


def test_accounts_converge_and_come_right_again(machine: Any) -> None:
    machine.write("/etc/converge/site.py", SITE)
    planned = summary(machine, "plan", "--detailed-exit-codes")
    assert (planned["exit"], planned["summary"]["pending"]) == (5, 9), planned
    with daemon(machine) as log:
        assert not any("failed" in line for line in log), log
        assert machine.run("id", "deploy").stdout.startswith("uid=1600(deploy) gid=1600(deploy)")
        assert set(machine.run("id", "-Gn", "deploy").stdout.split()) == {"deploy", "devs", "ops"}
        assert machine.read("/home/deploy/.ssh/authorized_keys") == f"{KEY}\n"
        assert machine.run("stat", "-c", "%U %G %a", "/srv/data").stdout == "svc ops 750\n"
        assert machine.run("getent", "shadow", "svc").stdout.startswith("svc:!")
        assert machine.run("test", "-e", "/home/deploy/.profile", check=False).returncode == 0, "the skeleton"
        assert machine.run("hostname").stdout == "web1\n"
        again = summary(machine, "plan", "--detailed-exit-codes")
        assert (again["exit"], again["summary"].get("ok")) == (0, 9), again
        _tamper(machine, TAMPERING)
        took = []
        for _ in range(ROUNDS):
            time.sleep(PAUSE)
            machine.run("hostname", "other")
            took.append(until(lambda: machine.run("hostname").stdout == "web1\n"))
        _print("the live name, as seen by a program started there", took)
        machine.run("hostnamectl", "set-hostname", "other")
        until(lambda: (machine.run("hostname").stdout, machine.read("/etc/hostname")) == ("web1\n", "web1\n"))
    again = summary(machine, "serve", "--timeout", "1s", "--detailed-exit-codes")
    assert (again["exit"], again["summary"].get("ok")) == (0, 9), again
    assert HASH not in "\n".join(log)
    assert not any("failed" in line for line in log), [line for line in log if "failed" in line]


def _tamper(machine: Any, tampering: dict[str, str]) -> None:
    """Do each of it, see that it had an effect, and wait until all is as it was before."""
    seen = Seen(machine)
    of_accounts: list[float] = []
    for what, command in tampering.items():
        took = [_tamper_once(machine, seen, what, command) for _ in range(ROUNDS)]
        _print(what, took)
        of_accounts += took if "user" in command or "passwd" in command or "group" in command else []
    _print("ALL OF USERS AND GROUPS", of_accounts)
    assert statistics.median(of_accounts) < 0.4, "the first news is acted on at once, not after the window of 500 ms"


def _tamper_once(machine: Any, seen: Seen, what: str, command: str) -> float:
    """Seconds from when something was wrong until all was right; what the tool itself still did is among them."""
    time.sleep(PAUSE)
    right, before = seen.now(), seen.trace()
    tool = machine.start("sh", "-c", command)
    # It may be over before we have looked once; then the files tell that they were touched.
    until(lambda: seen.now() != right or (tool.poll() is not None and seen.trace() != before), f"no {what}")
    began = time.monotonic()
    until(lambda: seen.now() == right, f"{what}: {set(right) ^ set(seen.now())}")
    took = time.monotonic() - began
    output, _ = tool.communicate(timeout=DEADLINE)
    assert tool.returncode == 0, output
    return took


def _print(what: str, took: list[float]) -> None:
    milliseconds = sorted(seconds * 1000 for seconds in took)
    print(f"{what}: right again after p50 {statistics.median(milliseconds):.0f} ms, at most {milliseconds[-1]:.0f} ms")


HOLDER = """
import fcntl, sys
lock = open("/etc/.pwd.lock", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
text = open("/etc/passwd").read().replace(":Deploy:", ":Somebody:")
open("/etc/passwd+", "w").write(text)
import os
os.rename("/etc/passwd+", "/etc/passwd")
print("edited", flush=True)
sys.stdin.read()
"""
GOING = """
from converge import Run, blueprint

@blueprint("going")
def going(r: Run) -> None:
    r.group("devs", state="absent")
    r.group("kept")
    r.user("deploy", state="absent", remove_home=True, group="devs")
    r.authorized_keys("deploy", exact=True)
    r.user("nobody-ever", state="absent")
"""
COMING = f"""
from converge import Run, blueprint

@blueprint("coming")
def coming(r: Run) -> None:
    r.group("devs")
    r.user("deploy", group="devs", comment="Deploy", shell="/bin/sh", password_hash="{HASH}")
    r.authorized_keys("deploy", ["{KEY}"])
"""


def test_others_at_work_running_processes_and_removal(machine: Any) -> None:
    machine.write("/etc/converge/site.py", COMING)
    with daemon(machine):
        # An editor holds the lock: what it writes is not fought against before it is done.
        holder = subprocess.Popen(
            machine._inside([str(machine.python), "-c", HOLDER]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert holder.stdout is not None
        holder.stdout.readline()
        time.sleep(1)  # for what must not happen
        assert ":Somebody:" in machine.read("/etc/passwd")
        holder.communicate(b"", timeout=DEADLINE)
        took = until(lambda: ":Deploy:" in (machine.top / "etc/passwd").read_text())
        print(f"right again {took * 1000:.0f} ms after an editor that held the lock for a second")

    # Without root, what cannot be read is unknown, and all else is judged.
    machine.run("chmod", "o+x", "/root")  # below which the Python may be that is lent to the container
    nobody = machine.run(
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "CONVERGE_STATE_DIR=/tmp/none",
        str(machine.python), "-m", "converge", "--out", "json", "plan", "/etc/converge/site.py", check=False,
    )  # fmt: skip
    assert nobody.returncode == 0, nobody.stderr
    states = {each["id"]: each for each in json.loads(nobody.stdout)["resources"]}
    assert states["group:devs"]["status"] == "ok"
    assert [(change["property"], change["action"]) for change in states["user:deploy"]["changes"]] == [
        ("password", "unknown")
    ]
    assert HASH not in nobody.stdout

    # A user who is at work cannot be removed; the tool says so, all else goes on.
    machine.write("/etc/converge/site.py", GOING)
    machine.run("systemd-run", "--unit=work", "--uid=deploy", "sleep", "1000")
    refused = summary(machine, "serve", "--timeout", "100ms", "--max-retries", "0", "--detailed-exit-codes")
    states = {each["id"]: each for each in refused["resources"]}
    assert "user deploy is currently used by process" in states["user:deploy"]["error"]
    assert states["group:devs"]["status"] == "skipped", "a group goes after its users"
    assert states["group:kept"]["status"] == "changed"
    assert refused["exit"] == 3
    machine.run("systemctl", "stop", "work")
    gone = summary(machine, "serve", "--timeout", "100ms", "--detailed-exit-codes")
    assert gone["exit"] == 2, gone
    for database, name in (("passwd", "deploy"), ("group", "devs")):
        assert machine.run("getent", database, name, check=False).returncode == 2
    assert machine.run("test", "-e", "/home/deploy", check=False).returncode == 1
    again = summary(machine, "serve", "--timeout", "100ms", "--detailed-exit-codes")
    assert (again["exit"], again["summary"].get("ok")) == (0, 5), again
