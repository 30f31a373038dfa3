"""Every kind of resource on one machine: planned, converged, tampered with by other tools, one by one and at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.system.guarding import holds, journal, settled, until
from tests.system.repository import Repository

SITE = r"""
from converge import Run, blueprint, file_exists, service_active

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEAh1QwQk2YzKUNQeLLbTnCWCk1Bq3m2zqGm4vQyV9cx ada@laptop"

@blueprint("whole")
def whole(r: Run) -> None:
    r.hostname("web7")
    r.timezone("Europe/Paris")
    r.group("staff-web", gid=2100, limit=100.0)
    r.user("deploy", uid=2101, group="staff-web", shell="/bin/bash", home="/home/deploy", create_home=True, limit=100.0)
    r.authorized_keys("deploy", [KEY], limit=100.0)
    app = r.package("app", limit=100.0)
    r.package("app-tools")
    conf = r.file("/etc/app/app.conf", content="listen 8080\n", owner="deploy", mode=0o640, depends_on=app, limit=100.0)
    r.service("app", state="running", enable=True, restart_on=conf, limit=100.0)
    r.service("old", state="stopped", enable=False)
    r.directory("/srv/data", owner="deploy", mode=0o750)
    r.mount("/srv/data", "tmpfs", "tmpfs", options="size=4m,mode=0750,nosuid", limit=100.0)
    r.file("/srv/data/index", content="here\n", limit=100.0)
    r.symlink("/etc/app/current", target="/srv/data/index", depends_on=app)
    r.sysctl("net.ipv4.ip_forward", 1, limit=100.0)
    r.firewall("web", port=[80, 443], limit=100.0)
    r.firewall("admin", port=22, source="10.0.0.0/8")
    r.cron("nightly", "/bin/true", "5 3 * * *", limit=100.0)
    r.archive("/opt/tool", "/srv/tool.tar.gz", strip=1)
    r.git("/srv/code", "file:///srv/upstream", revision="v1", force=True, limit=100.0)
    r.exec("once", ["/bin/sh", "-c", "echo ran >>/srv/data/ran"], creates="/srv/data/ran")
    r.file("/etc/late", content="late\n", condition=service_active("app") & file_exists("/srv/go"))
"""
APP_UNIT = "[Unit]\nDescription=app\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
PREPARE = r"""
set -e
git init -q -b main /srv/upstream
cd /srv/upstream
git config user.name x; git config user.email x@x
echo 1 >version; git add version; git commit -q -m 1; git tag v1
mkdir -p /tmp/tool-1/bin; echo tool >/tmp/tool-1/bin/tool
tar -C /tmp -czf /srv/tool.tar.gz tool-1
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
  >/etc/systemd/system/old.service
systemctl daemon-reload
systemctl enable --now old
"""
AT = "/etc/converge/whole.py"
TAMPERINGS = {
    "hostname": ("hostname other", "test $(hostname) = web7"),
    "timezone": ("ln -sf /usr/share/zoneinfo/UTC /etc/localtime", "readlink /etc/localtime | grep -q Paris"),
    "user, shell": ("usermod -s /bin/sh deploy", "getent passwd deploy | grep -q bash"),
    "user, removed": ("userdel -f deploy", "getent passwd deploy && test -s /home/deploy/.ssh/authorized_keys"),
    "authorized keys": ("echo >/home/deploy/.ssh/authorized_keys", "grep -q ada /home/deploy/.ssh/authorized_keys"),
    "file, as sed does it": ("sed -i s/8080/9090/ /etc/app/app.conf", "grep -q 8080 /etc/app/app.conf"),
    "service, stopped": ("systemctl stop app", "systemctl is-active app"),
    "service, killed": ("systemctl kill -s KILL app", "systemctl is-active app"),
    "service, disabled": ("systemctl disable app", "systemctl is-enabled app"),
    "service, started": ("systemctl start old", "! systemctl is-active old"),
    "package, removed": ("dpkg -r app-tools", "dpkg -s app-tools | grep -q 'install ok installed'"),
    "package and its service": ("dpkg -P app", "systemctl is-active app && grep -q 8080 /etc/app/app.conf"),
    "mount": ("umount /srv/data", "grep -q /srv/data /proc/mounts && test -s /srv/data/index"),
    "sysctl": ("sysctl -qw net.ipv4.ip_forward=0", "grep -q 1 /proc/sys/net/ipv4/ip_forward"),
    "firewall": ("nft flush ruleset", "nft list table inet converge | grep -q 443"),
    "cron": ("rm /etc/cron.d/nightly", "test -s /etc/cron.d/nightly"),
    "git": ("sh -c 'echo 2 >/srv/code/version'", "grep -q 1 /srv/code/version"),
}
"""What another tool does, and what holds once it is undone."""


def told(machine: Any, *arguments: str) -> tuple[int, dict[str, str]]:
    """The exit code, and what became of each resource."""
    done = machine.converge("--out", "json", *arguments, "--detailed-exit-codes", AT, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    wrong = [each for each in found["resources"] if each.get("error")]
    assert not wrong, wrong
    return done.returncode, {each["id"]: each["status"] for each in found["resources"]}


@pytest.fixture
def whole(machine: Any, tmp_path: Path) -> Any:
    """A machine that has nothing of it yet."""
    repository = Repository(machine, tmp_path)
    scripts = {
        "postinst": "#!/bin/sh\nsystemctl daemon-reload\n",
        "prerm": "#!/bin/sh\nsystemctl stop app || true\n",
        "postrm": "#!/bin/sh\nsystemctl daemon-reload\n",
    }
    repository.add("app", **{"/usr/lib/systemd/system/app.service": APP_UNIT, "/etc/app/README": "app\n", **scripts})
    repository.add("app-tools")
    repository.publish()
    machine.run("sh", "-c", PREPARE)
    machine.write(AT, SITE)
    return machine


def test_a_whole_machine(whole: Any) -> None:
    machine = whole
    code, planned = told(machine, "plan")
    assert code == 5
    once = ("serve", "--timeout", "1s")
    code, done = told(machine, *once)
    assert code == 2
    pending = {id for id, status in planned.items() if status == "pending"}
    assert pending == {id for id, status in done.items() if status == "changed"}, "what plan shows is what serve does"
    for command in (("plan",), once):
        code, again = told(machine, *command)
        assert (code, set(again.values())) == (0, {"ok", "skipped"}), again

    machine.run("systemd-run", "--unit=guard", str(machine.python), "-m", "converge", "--out", "serial", "serve", AT)
    until(lambda: "WATCHING" in journal(machine), "WATCHING")
    for what, (command, right) in TAMPERINGS.items():
        machine.run("sh", "-c", command)
        took = until(lambda right=right: holds(machine, right), f"{what}\n{journal(machine)}")
        print(f"{what}: right again {took * 1000:.0f} ms after the other tool had ended")
        settled(machine)

    machine.run("touch", "/srv/go")
    until(lambda: holds(machine, "test -s /etc/late"), "what waited for its condition")

    for command, _ in TAMPERINGS.values():
        machine.run("sh", "-c", f"{command} || true")
    for what, (_, right) in TAMPERINGS.items():
        until(lambda right=right: holds(machine, right), f"{what}, after everything at once\n{journal(machine)}", 90)
    machine.run("systemctl", "stop", "guard")
    code, again = told(machine, *once)
    assert (code, set(again.values())) == (0, {"ok"}), again
