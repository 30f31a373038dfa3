"""``converge adopt`` on a real system: what it prints describes the machine, and converging it changes nothing."""

from __future__ import annotations

import json
from typing import Any

HASH = "$y$j9T$abcdefgh$0123456789012345678901234567890123456789abc"
PREPARE = f"""
set -e
groupadd -g 1500 devs
useradd -u 1600 -m -G devs -s /bin/bash -c 'Deploy, of the web' deploy
usermod -p '{HASH}' -e 2030-01-31 deploy
useradd -r -d /srv/svc -s /usr/sbin/nologin svc
install -d -o deploy -g devs -m 2750 /srv/site
printf 'say "hi"\\nand %%s\\ttab\\n' >/srv/site/page
chown deploy:devs /srv/site/page
chmod 0644 /srv/site/page
head -c 100000 /dev/urandom >/srv/site/picture
ln -s ../srv/site/page /etc/page
apt-mark hold git >/dev/null
sysctl -q -w net.ipv4.ip_forward=1
hostnamectl hostname web7
ln -sf /usr/share/zoneinfo/Europe/Paris /etc/localtime
echo Europe/Paris >/etc/timezone
mkdir -p /srv/mem /srv/kept /mnt/again
mount -t tmpfs -o size=4m,mode=0750,nosuid tmpfs /srv/mem
echo 'tmpfs /srv/kept tmpfs size=1m,nodev 0 0' >>/etc/fstab
systemctl daemon-reload
mount /srv/kept
mount --bind /srv/site /mnt/again
mkdir -p /etc/systemd/system
printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' \\
  >/etc/systemd/system/app.service
printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' >/etc/systemd/system/nightly.service
printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n' >/etc/systemd/system/nightly.timer
systemctl daemon-reload
systemctl -q enable --now app nightly.timer
systemctl -q mask systemd-networkd.service
printf 'PATH=/bin\\n5 4 * * * deploy date +\\\\%%s >>/tmp/stamp\\n' >/etc/cron.d/by-hand
"""
CRON = """
from converge import Run, blueprint

@blueprint("ours")
def ours(r: Run) -> None:
    r.cron("ours", "date +%s >/tmp/x", "@daily", env={"PATH": "/bin:/usr/bin"})
    r.sysctl("net.ipv4.tcp_fin_timeout", 30)
"""
ADOPTED = {
    "file": ("/srv/site/page", "/srv/site/picture", "/etc/shadow", "/etc/systemd/system/app.service"),
    "directory": ("/srv/site", "/etc"),
    "symlink": ("/etc/page", "/etc/localtime"),
    "package": ("git", "cron", "tzdata"),
    "service": ("app", "cron", "nightly.timer", "systemd-networkd", "nftables"),
    "user": ("deploy", "svc", "root"),
    "group": ("devs", "adm"),
    "sysctl": ("net.ipv4.ip_forward", "net.ipv4.tcp_rmem", "net.ipv4.tcp_fin_timeout"),
    "hostname": (),
    "timezone": (),
    "mount": ("/srv/mem", "/srv/kept", "/mnt/again"),
    "cron": ("ours", "by-hand"),
}


def test_what_is_adopted_plans_clean_and_is_kept_so(machine: Any) -> None:
    machine.run("sh", "-c", PREPARE)
    machine.write("/etc/converge/ours.py", CRON)
    machine.converge("--out", "serial", "serve", "--timeout", "100ms", "/etc/converge/ours.py")
    texts = {}
    for kind, names in ADOPTED.items():
        done = machine.converge("adopt", kind, *names)
        assert done.stderr == "", kind
        texts[kind] = done.stdout
        machine.write(f"/etc/converge/adopted-{kind}.py", done.stdout)
        # Each is a whole blueprint of its own.
        plan = machine.converge("plan", "--detailed-exit-codes", f"/etc/converge/adopted-{kind}.py", check=False)
        assert plan.returncode == 0, done.stdout + plan.stdout + plan.stderr
    everything = "".join(texts.values())
    print(everything)
    assert HASH not in everything
    assert 'r.package("git", hold=True)' in texts["package"]
    assert 'r.service("app", state="running", enable=True)' in texts["service"]
    assert 'r.service("systemd-networkd", masked=True)' in texts["service"]
    assert 'r.sysctl("net.ipv4.tcp_fin_timeout", value=30)' in texts["sysctl"]
    assert 'expires="2030-01-31"' in texts["user"]
    assert 'r.hostname("web7")' in texts["hostname"]
    assert 'r.timezone("Europe/Paris")' in texts["timezone"]
    assert 'r.mount("/srv/kept", fstype="tmpfs", options="size=1m,nodev")' in texts["mount"]
    assert 'source="/srv/site", options="bind' in texts["mount"]
    assert 'r.cron(\n        "ours",\n        command="date +%s >/tmp/x",' in texts["cron"]
    assert 'r.file(\n        "/etc/cron.d/by-hand"' in texts["cron"]
    assert '# r.cron(\n    #     "by-hand",\n    #     command="date +%s >>/tmp/stamp",' in texts["cron"]

    # All in one, by --bare: nothing is found to differ, and serving it changes nothing.
    whole = texts["hostname"] + "".join(
        machine.converge("adopt", "--bare", kind, *names).stdout for kind, names in ADOPTED.items() if names
    )
    machine.write("/etc/converge/whole.py", whole)
    serve = ("--out", "json", "serve", "--timeout", "1s", "--detailed-exit-codes", "/etc/converge/whole.py")
    done = machine.converge(*serve, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(json.loads(done.stdout)["summary"]) <= {"ok", "total", "duration_ms"}

    # It is a description and not a wish that always holds: what changes afterwards is put right by it.
    machine.run("sh", "-c", "usermod -s /bin/sh deploy; sysctl -q -w net.ipv4.ip_forward=0; systemctl stop app")
    assert machine.converge(*serve, check=False).returncode == 2
    assert machine.run("systemctl", "is-active", "app").stdout == "active\n"


def test_what_is_not_there_is_said_in_a_sentence(machine: Any) -> None:
    for kind, name, said in (
        ("package", "nosuch", "the package nosuch is not installed"),
        ("service", "nosuch", "there is no unit nosuch.service"),
        ("service", "systemd-fsck-root", "there is nothing to declare"),
        ("user", "nosuch", "there is no user nosuch"),
        ("mount", "/srv", "nothing is mounted at /srv"),
        ("cron", "nosuch", "/etc/cron.d/nosuch does not exist"),
    ):
        done = machine.converge("adopt", kind, name, check=False)
        assert (done.returncode, done.stdout) == (1, ""), kind
        assert said in done.stderr
