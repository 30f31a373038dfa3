"""A checkout, an unpacked archive and a file of cron, with a real git and a real cron, while others change them."""

from __future__ import annotations

import time
from typing import Any

SITE = r"""
from converge import Run, blueprint

@blueprint("site")
def site(r: Run) -> None:
    r.git("/srv/code", "file:///srv/upstream", revision="v2", user="app", force=True, limit=100.0)
    r.file("/srv/code/local.conf", content="local\n", mode=0o644)
    r.archive("/opt/tool", "/srv/tool.tar.gz", strip=1, owner="app", limit=100.0)
    r.exec("tool", ["/opt/tool/bin/tool", "/srv/ran"], creates="/srv/ran")
    r.cron("report", 'printf "%s %s\\n" "$WHO" "$(date +%%)" >/srv/report', "@reboot", env={"WHO": "its  name"},
           limit=100.0)
    r.cron("old", state="absent")
"""
PREPARE = r"""
set -e
useradd -m app
git init -q -b main /srv/upstream
cd /srv/upstream
git config user.name x; git config user.email x@x
for version in 1 2 3; do echo $version >version; git add version; git commit -q -m $version; git tag v$version; done
chown -R app: /srv/upstream
mkdir -p /tmp/tool-1/bin
printf '#!/bin/sh\necho ran >"$1"\n' >/tmp/tool-1/bin/tool
chmod 755 /tmp/tool-1/bin/tool
tar -C /tmp -czf /srv/tool.tar.gz tool-1
echo '* * * * * root true' >/etc/cron.d/old
"""


def until(what: Any, deadline: float = 20.0) -> float:  # Any: whatever the test asks
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, "not in time"
        time.sleep(0.005)
    return time.monotonic() - began


def says(machine: Any, text: str, *command: str) -> bool:
    return text in machine.run(*command, check=False).stdout


def test_git_archive_and_cron(machine: Any) -> None:
    machine.run("sh", "-c", PREPARE)
    machine.write("/etc/converge/site.py", SITE)
    plan = machine.converge("plan", "/etc/converge/site.py")
    assert "failed" not in plan.stdout, plan.stdout
    assert "after archive:/opt/tool" in plan.stdout, plan.stdout
    done = machine.converge("--out", "serial", "serve", "--timeout", "500ms", "/etc/converge/site.py", check=False)
    assert done.returncode == 0, done.stdout
    assert machine.read("/srv/code/version") == "2\n"
    assert machine.run("stat", "-c", "%U %a", "/srv/code", "/srv/code/.git/HEAD").stdout == "app 755\napp 644\n"
    assert machine.run("stat", "-c", "%U", "/opt/tool", "/opt/tool/bin/tool").stdout == "app\napp\n"
    assert machine.read("/srv/ran") == "ran\n"
    assert not says(machine, "old", "ls", "/etc/cron.d")
    for command in (["plan"], ["serve", "--timeout", "500ms"]):
        again = machine.converge(*command, "--detailed-exit-codes", "/etc/converge/site.py", check=False)
        assert again.returncode == 0, again.stdout

    # cron itself reads the file, and runs the command as it was written.
    machine.run("sh", "-c", "systemctl stop cron; rm -f /run/crond.reboot; systemctl start cron")
    until(lambda: says(machine, "its  name %", "cat", "/srv/report"))

    machine.run("systemd-run", "--unit=guard", str(machine.python), "-m", "converge", "--out", "serial", "serve",
                "/etc/converge/site.py")  # fmt: skip
    until(lambda: says(machine, "WATCHING", "journalctl", "-u", "guard", "--no-pager"))
    _comes_right_again(machine)


def _comes_right_again(machine: Any) -> None:
    """By what other tools do while the daemon runs."""

    def print_time(what: str, text: str, *command: str) -> None:
        print(f"{what}: right again after {until(lambda: says(machine, text, *command)) * 1000:.0f} ms")

    machine.run("runuser", "-u", "app", "--", "git", "-C", "/srv/code", "checkout", "-q", "HEAD~1")
    print_time("another revision checked out", "2", "cat", "/srv/code/version")
    # It is put back while it is being removed, which rm may take amiss.
    machine.run("rm", "-r", "/srv/code", check=False)
    print_time("checkout removed", "local", "cat", "/srv/code/local.conf")
    print_time("checkout removed", "2", "cat", "/srv/code/version")

    machine.run("rm", "-r", "/opt/tool")
    print_time("unpacked archive removed", "ran", "cat", "/opt/tool/bin/tool")
    machine.run("chown", "-R", "root:", "/opt/tool")
    print_time("given to another owner", "app", "stat", "-c", "%U", "/opt/tool/bin/tool")
    machine.run("sh", "-c", "cd /tmp && echo more >>tool-1/bin/tool && tar -czf /srv/tool.new tool-1 && "
                            "mv /srv/tool.new /srv/tool.tar.gz")  # fmt: skip
    print_time("another archive", "more", "cat", "/opt/tool/bin/tool")

    machine.run("sh", "-c", "echo '* * * * * root halt' >>/etc/cron.d/report")
    until(lambda: not says(machine, "halt", "cat", "/etc/cron.d/report"))
    machine.run("rm", "/etc/cron.d/report")
    print_time("file of cron removed", "@reboot", "cat", "/etc/cron.d/report")
