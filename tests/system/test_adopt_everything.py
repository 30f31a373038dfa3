"""What ``converge adopt`` prints always checks, and plans clean: for all that a machine has, however it is named."""

from __future__ import annotations

import json
from typing import Any

PREPARE = r"""
set -e
useradd -m -s /bin/sh -c 'Zoë, "the" $owner, 100%' zoe
passwd -q -l zoe
useradd -o -u 0 -g 0 -M -s /bin/bash toor
useradd -r -s '' -d /nonexistent bare
usermod -p '!!' bare
useradd -u 1777 -g 1 -M -d / other
usermod -p '*' other
groupadd -g 1888 empty
groupadd -o -g 1888 again

mkdir -p /srv/odd '/srv/odd/with space' '/srv/odd/café' /mnt/café '/mnt/a b'
printf 'a\r\nb\rc\n' >/srv/odd/crlf
printf '\357\273\277bom\n' >/srv/odd/bom
printf 'latin \351\n' >/srv/odd/latin
printf '{{ x }} %%s \\n \\\\ "\047"" $HOME' >/srv/odd/quotes
printf 'no newline' >"/srv/odd/with space/file"
printf '\n\n\n' >/srv/odd/newlines
: >/srv/odd/empty
printf 'x\n' >/srv/odd/unowned; chown 54321:54321 /srv/odd/unowned
printf 'x\n' >/srv/odd/setuid; chmod 4755 /srv/odd/setuid
printf 'x\n' >/srv/odd/closed; chmod 0000 /srv/odd/closed
chmod 1777 '/srv/odd/with space'
ln -s nowhere /srv/odd/dangling
ln -s 'with space' /srv/odd/to-space
ln -s /srv/odd /srv/way

printf 'tmpfs /mnt/caf\\303\\251 tmpfs size=1g,size=2m,nodev 0 0\n' >>/etc/fstab
printf 'tmpfs /mnt/a\\040b tmpfs rw,nosuid,mode=700 0 0\n' >>/etc/fstab
systemctl daemon-reload
mount /mnt/café
mount '/mnt/a b'
: >/srv/odd/gone; : >/mnt/gone; mount --bind /srv/odd/gone /mnt/gone; rm /srv/odd/gone

cd /etc/systemd/system
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\nAlias=web.service\n' \
  >app.service
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >linked.service
ln -s linked.service by-link.service
printf '[Service]\nExecStart=/bin/sleep infinity\n' >fixed.service
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\nDefaultInstance=one\n' \
  >many@.service
printf '[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n' >broken.service
printf '[Service]\nExecStart=/bin/true\nType=oneshot\nRemainAfterExit=yes\n' >once.service
cat >/etc/init.d/old <<'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides: old
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
exit 0
END
chmod 755 /etc/init.d/old
systemctl daemon-reload
systemctl -q enable --now app many@two
systemctl start linked fixed once
systemctl start broken || true

printf '# a remark\n0\t0 * * *  root\techo "a b" \\%% >/dev/null\n' >/etc/cron.d/tabs
printf 'MAILTO=""\nSHELL=/bin/bash\n@reboot root true\n' >/etc/cron.d/at-boot
printf '*/5 * * * * root one\n*/6 * * * * root two\n' >/etc/cron.d/both
: >/etc/cron.d/nothing
"""
LISTS = {
    "user": "getent passwd | cut -d: -f1",
    "group": "getent group | cut -d: -f1",
    "package": "dpkg-query -W -f '${binary:Package}\\n${Package}\\n'",
    "service": "systemctl list-unit-files --no-legend --type=service,timer,socket,path | cut -d' ' -f1;"
    "systemctl list-units --all --no-legend --plain --type=service,timer,socket | cut -d' ' -f1;"
    "printf '%s\\n' ssh sshd app web linked by-link many@two many@ old",
    "sysctl": "cd /proc/sys && find net/ipv4 kernel vm fs -type f -perm -u=w | grep -v -e random -e state -e _last_pid"
    " -e _next_id; printf '%s\\n' net.ipv4.ip_forward net/ipv4/ip_forward kernel.printk",
    "mount": "cut -d' ' -f5 /proc/self/mountinfo | xargs -d '\\n' printf '%b\\n';"
    " printf '%s\\n' /mnt/café/ '/mnt/../mnt/a b' /tmp",
    "file": "find /srv/odd /etc -xdev -type f -not -path '/etc/cron.d/*';"
    " printf '%s\\n' /srv/odd//crlf /srv/odd/../odd/crlf /srv/way/crlf",
    "directory": "find /srv /etc -xdev -type d; printf '%s\\n' /srv/odd/ /srv/way /srv/way/ /",
    "symlink": "find /srv /etc -xdev -type l; printf '%s\\n' /srv/way/dangling",
    "cron": "ls /etc/cron.d",
    "hostname": "",
    "timezone": "",
}
"""How all that there is of a kind is listed, with other names of the same things."""


def test_whatever_is_adopted_checks_and_plans_clean_together(machine: Any) -> None:
    machine.run("bash", "-c", PREPARE)
    printed: list[str] = []
    said: dict[str, dict[str, Any]] = {}
    for kind, listing in LISTS.items():
        names = list(dict.fromkeys(machine.run("bash", "-c", listing).stdout.splitlines())) if listing else []
        done = machine.converge("--out", "json", "adopt", "--bare", kind, *names, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        found = json.loads(done.stdout)
        assert found["resources"], (kind, found["errors"])
        assert len(set(found["resources"])) == len(found["resources"]), kind
        differing = {
            name: notes for name, notes in found["notes"].items() if "a plan" in str(notes) or "a check" in str(notes)
        }
        assert not differing, (kind, differing)
        printed.append(found["blueprint"])
        said[kind] = found["notes"] | found["errors"]
    assert said["service"]["sshd"] == ["the same as ssh.service, declared once"]
    assert said["service"]["web"] == ["the same as app.service, declared once"]
    assert said["mount"]["/mnt/café/"] == ["the same as /mnt/café, declared once"]
    assert said["mount"]["/mnt/gone"] == "/mnt/gone shows /srv/odd/gone, which has been deleted"
    assert said["file"]["/srv/odd//crlf"] == ["the same as /srv/odd/crlf, declared once"]
    head = "from converge import Run, blueprint\n\n\n@blueprint('all')\ndef adopted(r: Run) -> None:\n"
    machine.write("/etc/converge/all.py", head + "".join(printed))
    checked = machine.converge("check", "/etc/converge/all.py", check=False)
    assert checked.returncode == 0, checked.stdout[-6000:] + checked.stderr[-6000:]
    plan = machine.converge("--out", "json", "plan", "--detailed-exit-codes", "/etc/converge/all.py", check=False)
    assert plan.returncode == 0, _unclean(plan.stdout) + plan.stderr[-3000:]


def _unclean(output: str) -> str:
    """The resources of a plan that are not ok."""
    resources = json.loads(output)["resources"]
    return json.dumps([each for each in resources if each.get("status") != "ok"], indent=1)[-6000:]
