"""The blueprints that come with converge, on a booted machine: converged once, they find nothing more to do.

The machine is a container. For most tests it passes for one that is none (``OWN_KERNEL``); what is left out in a
container has a test of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.system.guarding import holds, journal, settled, until
from tests.system.repository import Repository

UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
TIMER = "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n"
KERNELS = (
    "kernel/kptr_restrict",
    "fs/protected_symlinks",
    "fs/protected_fifos",
    "fs/protected_regular",
    "fs/suid_dumpable",
)
OWN_KERNEL = """
rm -f /run/systemd/container
for each in "$@"; do
  mkdir -p "/run/own/$(dirname "$each")"
  cat "/proc/sys/$each" >"/run/own/$each"
  mount --bind "/run/own/$each" "/proc/sys/$each"
done
"""
"""Settings of the host's kernel are not a container's to change: it gets copies of them, and passes for a machine with
a clock of its own."""
NETWORK = """
set -e
ip netns add client
ip link add outside type veth peer name inside netns client
ip addr add 10.9.0.1/24 dev outside
ip link set outside up
ip -n client addr add 10.9.0.2/24 dev inside
ip -n client link set inside up
mkdir -p -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
"""
AS_NOBODY = """
import encodings.ascii, os, sys
from converge.cli import main
# The folders of our Python may be closed to others: all is imported first.
for user in (0, 65534):
    os.setresuid(user, user, user)
    code = main(["--out", "serial", "plan", sys.argv[1]])
sys.exit(code)
"""
BOTH = """
from converge import Run, blueprint

@blueprint("both")
def both(r: Run) -> None:
    r.include("linux_server", ports=["8080"])
    r.include("cis", ports=["8080"])
"""
ADA = "useradd -m -s /bin/bash ada; cp -r /root/.ssh /home/ada/; chown -R ada: /home/ada; usermod -aG sudo ada"
AT = "/etc/converge/both.py"
TAMPERINGS = {
    "sshd's settings": (
        "echo 'Nonsense yes' >/etc/ssh/sshd_config.d/05-converge-cis.conf",
        "sshd -T | grep -qx 'permitemptypasswords no' && sshd -T | grep -qx 'maxauthtries 4'",
    ),
    "mode of /etc/shadow": ("chmod 644 /etc/shadow", "test $(stat -c %a /etc/shadow) = 640"),
    "mode of a host key": (
        "chmod 644 /etc/ssh/ssh_host_rsa_key",
        "test $(stat -c %a /etc/ssh/ssh_host_rsa_key) = 600",
    ),
    "a setting of the network": (
        "sysctl -qw net.ipv4.conf.all.accept_redirects=1",
        "grep -q 0 /proc/sys/net/ipv4/conf/all/accept_redirects",
    ),
    "the firewall": ("nft flush ruleset", "nft list chain inet converge input | grep -q 'policy drop'"),
    "a package that must not be there": ("apt-get -qq install telnet", "! test -e /usr/share/telnet"),
    "a setting of login.defs": (
        "sed -i 's/^PASS_MAX_DAYS.*/PASS_MAX_DAYS 99999/' /etc/login.defs",
        "grep -q '^PASS_MAX_DAYS[[:space:]]365$' /etc/login.defs",
    ),
    "options of /dev/shm": ("mount -o remount,exec /dev/shm", "findmnt -no OPTIONS /dev/shm | grep -q noexec"),
}
"""What somebody else does, and what holds once it is undone."""


def told(machine: Any, *arguments: str) -> tuple[int, dict[str, str]]:
    """The exit code, and what became of each resource; none of them may have failed."""
    done = machine.converge("--out", "json", *arguments, "--detailed-exit-codes", check=False)
    assert done.stdout, done.stderr
    resources = json.loads(done.stdout)["resources"]
    wrong = [each for each in resources if each["status"] == "failed"]
    assert not wrong, json.dumps(wrong, indent=1)
    return done.returncode, {each["id"]: each["status"] for each in resources}


def converges(machine: Any, name: str, *more: str) -> dict[str, str]:
    """Once, and then nothing changes any more. Returns what became of each resource the second time."""
    code, planned = told(machine, "plan", name, *more)
    assert code == 5, planned
    code, done = told(machine, "serve", name, "--timeout", "1s", *more)
    assert code == 2, done
    code, again = told(machine, "serve", name, "--timeout", "1s", *more)
    assert (code, set(again.values()) - {"skipped"}) == (0, {"ok"}), {
        k: v for k, v in again.items() if v not in ("ok", "skipped")
    }
    code, planned = told(machine, "plan", name, *more)
    assert (code, set(planned.values()) - {"skipped"}) == (0, {"ok"}), planned
    counts = {status: list(done.values()).count(status) for status in sorted(set(done.values()))}
    print(f"{name}: {counts}, and then nothing")
    return again


def logs_in(machine: Any, user: str = "root") -> bool:
    """By key, from another network namespace."""
    options = (
        "-oStrictHostKeyChecking=no",
        "-oUserKnownHostsFile=/dev/null",
        "-oBatchMode=yes",
        "-oConnectTimeout=5",
        "-q",
    )
    command = ("ip", "netns", "exec", "client", "ssh", *options, f"{user}@10.9.0.1", "echo", "in")
    done: subprocess.CompletedProcess[str] = machine.run(*command, check=False)
    return done.stdout == "in\n"


def effective(machine: Any, option: str) -> str:
    """What sshd goes by."""
    lines = machine.run("sshd", "-T").stdout.splitlines()
    return str(next(line.partition(" ")[2] for line in lines if line.partition(" ")[0] == option))


@pytest.fixture
def stocked(machine: Any, tmp_path: Path) -> Any:
    """A container as it is, with a mirror of the packages that the blueprints ask for."""
    repository = Repository(machine, tmp_path)
    for name in (
        "unattended-upgrades", "apparmor", "apparmor-utils", "libpam-pwquality", "telnet", "rsync", "systemd-coredump",
        "curl", "neovim", "telemetry", "jq", "audispd-plugins", "aide",
    ):  # fmt: skip
        repository.add(name)
    repository.add("at", **{"/etc/at.deny": "www-data\n"})
    reload = "#!/bin/sh\nsystemctl daemon-reload\n"
    for name in ("systemd-timesyncd", "chrony", "fail2ban"):
        scripts = {"postinst": reload, "postrm": reload, "prerm": f"#!/bin/sh\nsystemctl disable --now {name}\n"}
        repository.add(name, "99", **{f"/usr/lib/systemd/system/{name}.service": UNIT}, **scripts)
    # Stand-ins: the kernel's audit is the host's as well.
    repository.add("auditd", postinst=f"{reload}chmod 755 /usr/sbin/auditctl /usr/sbin/augenrules\n", **{
        "/usr/lib/systemd/system/auditd.service": UNIT,
        "/usr/sbin/auditctl": "#!/bin/sh\necho enabled 1\n",
        "/usr/sbin/augenrules": "#!/bin/sh\ncat /etc/audit/rules.d/*.rules >/run/loaded.rules\n",
    })  # fmt: skip
    repository.add("aide-common", postinst=f"{reload}chmod 755 /usr/sbin/aideinit\n", **{
        "/usr/lib/systemd/system/dailyaidecheck.timer": TIMER,
        "/usr/lib/systemd/system/dailyaidecheck.service": UNIT,
        "/usr/sbin/aideinit": "#!/bin/sh\nmkdir -p /var/lib/aide && touch /var/lib/aide/aide.db\n",
    })  # fmt: skip
    yes = "#!/bin/sh\nexit 0\n"
    executable = "#!/bin/sh\nchmod 755 /usr/bin/sudo /usr/sbin/visudo\n"
    repository.add("sudo", postinst=executable, **{
        "/usr/bin/sudo": yes, "/usr/sbin/visudo": yes,
        "/etc/sudoers": "root ALL=(ALL:ALL) ALL\n", "/etc/sudoers.d/README": "",
    })  # fmt: skip
    repository.publish()
    return machine


@pytest.fixture
def server(stocked: Any) -> Any:
    """A machine on a network, which passes for one that is no container."""
    machine = stocked
    machine.run("apt-get", "-qq", "install", "telnet", "rsync")
    machine.run("sh", "-c", OWN_KERNEL, "sh", *KERNELS)
    machine.run("sh", "-c", NETWORK)
    return machine


def test_each_converges_and_stays_so(server: Any) -> None:
    machine = server
    # Before anything of it is there, anybody can see what would be done.
    for name in ("linux_server", "cis"):
        said = machine.run(str(machine.python), "-c", AS_NOBODY, name).stdout
        assert "FAILED" not in said
        assert len(re.findall(r"^\d+ pending", said, re.MULTILINE)) == 2
    for name in ("baseline", "linux"):
        converges(machine, name)

    # Nobody has a key: passwords stay. Then root has one, and they go.
    server_told = converges(machine, "linux_server")
    assert server_told["file:/etc/ssh/sshd_config.d/11-converge-keys.conf"] == "skipped"
    assert effective(machine, "passwordauthentication") == "yes"
    machine.run("sh", "-c", "cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys")
    code, now = told(machine, "serve", "linux_server", "--timeout", "1s")
    assert (code, now["file:/etc/ssh/sshd_config.d/11-converge-keys.conf"]) == (2, "changed")
    assert effective(machine, "passwordauthentication") == "no"
    assert effective(machine, "permitrootlogin") == "without-password"
    assert logs_in(machine)

    # Only from networks that are named, and from these again.
    told(machine, "serve", "linux_server", "--timeout", "1s", "--set", "ssh_from=10.8.0.0/16")
    assert not logs_in(machine)
    told(machine, "serve", "linux_server", "--timeout", "1s", "--set", "ssh_from=10.8.0.0/16,10.9.0.0/24")
    assert logs_in(machine)

    machine.run("sh", "-c", "nft flush ruleset; rm -rf /etc/ssh/sshd_config.d/*; systemctl restart ssh")
    cis_told = converges(machine, "cis")
    assert cis_told["file:/etc/ssh/sshd_config.d/06-converge-cis-root.conf"] == "skipped", "only root has a key"
    assert not holds(machine, "test -e /usr/share/telnet || test -e /usr/share/rsync")
    assert effective(machine, "maxauthtries") == "4"
    assert logs_in(machine)

    # What there was nothing to do about before.
    machine.run("apt-get", "-qq", "install", "rsync", "at", "systemd-coredump")
    machine.write("/boot/grub/grub.cfg", "menuentry\n")
    machine.write("/etc/default/apport", "enabled=1\n")
    more = ("time_service=chrony", "time_servers=ntp.example.com", "static_ipv6=true", "cron_users=root,ada",
            "also=auditd,5.1.8", "ssh_users=root,ada")  # fmt: skip
    converges(machine, "cis", *(word for each in more for word in ("--set", each)))
    for right in (
        "test $(stat -c %a /boot/grub/grub.cfg) = 600",
        "grep -qx enabled=0 /etc/default/apport",
        "grep -qx Storage=none /etc/systemd/coredump.conf.d/60-converge-cis.conf",
        "grep -qx ada /etc/at.allow && ! test -e /etc/at.deny",
        "systemctl is-active chrony && ! test -e /usr/lib/systemd/system/systemd-timesyncd.service",
        "grep -q 0 /proc/sys/net/ipv6/conf/default/accept_ra",
        "! test -e /usr/share/rsync",
        "systemctl -q is-active auditd && cat /etc/audit/rules.d/*.rules | cmp - /run/loaded.rules",
        "grep -qx -e '-e 2' /etc/audit/rules.d/99-finalize.rules",
        "systemctl -q is-active dailyaidecheck.timer && test -e /var/lib/aide/aide.db",
        "sshd -T | grep -qx 'disableforwarding yes' && sshd -T | grep -qx 'allowusers ada'",
    ):
        assert holds(machine, right), right
    assert logs_in(machine)

    machine.run("apt-get", "-qq", "install", "rsync")
    code, chosen = told(machine, "plan", "cis", "--set", "keep=rsync", "--set", "skip=ssh,7.1,time,cron")
    assert code == 0, "what is kept and what is skipped is not declared"
    assert not {"package:rsync", "file:/etc/shadow", "file:/etc/ssh/sshd_config"} & chosen.keys()


def test_together_and_guarded(server: Any) -> None:
    machine = server
    machine.run("sh", "-c", "cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys")
    machine.write(AT, BOTH)
    converges(machine, AT)
    assert logs_in(machine)

    machine.run("systemd-run", "--unit=guard", str(machine.python), "-m", "converge", "--out", "serial", "serve", AT)
    until(lambda: "WATCHING" in journal(machine), "WATCHING")
    for what, (command, right) in TAMPERINGS.items():
        machine.run("sh", "-c", command)
        took = until(lambda right=right: holds(machine, right), f"{what}\n{journal(machine)}")
        print(f"{what}: right again {took * 1000:.0f} ms after the other had ended")
        settled(machine)

    # Somebody else than root can log in, and become root: now root need not.
    machine.run("sh", "-c", ADA)
    until(lambda: effective(machine, "permitrootlogin") == "no", f"root's login\n{journal(machine)}")
    until(lambda: not logs_in(machine), "sshd has read it")
    assert logs_in(machine, "ada")
    machine.run("systemctl", "stop", "guard")
    code, again = told(machine, "plan", AT)
    assert code == 0, {id: status for id, status in again.items() if status not in ("ok", "skipped")}

    # Nothing of ours runs after the next boot, but the firewall is there.
    machine.power_off()
    machine.boot()
    assert holds(machine, TAMPERINGS["the firewall"][1])
    assert holds(machine, "nft list chain inet converge input | grep -q 'dport 8080 accept'")


WITH = {
    "packages": "git,curl,neovim", "motd": "Managed by converge", "ssh": "true",
    "account": "devuser", "account_groups": "sudo", "canary": "telemetry", "canary_percent": "100",
}  # fmt: skip
SET = [word for name, value in WITH.items() for word in ("--set", f"{name}={value}")]


def guarding(machine: Any, *words: str) -> None:
    machine.run(
        "systemd-run", "--unit=guard", str(machine.python), "-m", "converge", "--out", "serial", "serve", *words
    )
    until(lambda: "WATCHING" in journal(machine), f"WATCHING\n{journal(machine)}")


def test_baseline_does_what_other_tools_baselines_do(stocked: Any) -> None:
    """Eight steps: plan, converge, again, drift of a file, a service and a user, the time limit, and the firewall."""
    machine = stocked
    code, planned = told(machine, "plan", "baseline", *SET)
    assert code == 5
    assert planned["user:devuser"] == "pending"

    code, done = told(machine, "serve", "baseline", "--timeout", "5s", *SET)
    assert code == 2, done
    assert machine.read("/etc/motd") == "Managed by converge\n"
    for package in ("curl", "neovim", "telemetry"):
        assert done[f"package:{package}"] == "changed"
    code, again = told(machine, "serve", "baseline", "--timeout", "5s", *SET)
    assert (code, set(again.values()) - {"skipped"}) == (0, {"ok"}), again

    guarding(machine, "baseline", *SET)
    for command, right in (
        ("echo TAMPERED >/etc/motd", "grep -qx 'Managed by converge' /etc/motd"),
        ("systemctl stop ssh", "systemctl -q is-active ssh"),
        ("userdel devuser", "id -nG devuser | grep -qw sudo"),
    ):
        machine.run("sh", "-c", command)
        took = until(lambda right=right: holds(machine, right), f"{command}\n{journal(machine)}")
        print(f"{command}: right again {took * 1000:.0f} ms after it had ended")
        settled(machine)
    machine.run("systemctl", "stop", "guard")

    began = time.monotonic()
    machine.converge("serve", "baseline", "--timeout", "3s", *SET)
    assert time.monotonic() - began <= 20
    machine.converge("serve", "baseline", "--timeout", "1s", *SET)
    assert holds(machine, "nft list table inet converge | grep -q 'dport 22 accept'")


def converges_not_at_all(machine: Any, name: str) -> dict[str, str]:
    code, result = told(machine, "serve", name, "--timeout", "1s")
    assert code == 0, result
    return result


def test_what_is_not_a_containers_to_change_is_left_out(stocked: Any) -> None:
    machine = stocked
    for name in ("cis", "baseline", "linux", "linux_server"):
        result = converges(machine, name, *(("--set", "also=auditd") if name == "cis" else ()))
        if name != "baseline":
            assert result["service:systemd-timesyncd"] == "skipped", "the clock is the host's"
        if name == "cis":
            assert result["service:auditd"] == "skipped", "so is the kernel's audit"
        for key, value in (("kernel.randomize_va_space", "2"), ("fs.protected_symlinks", "1")):
            if name == "cis" and key.startswith("fs."):
                continue  # no recommendation
            right = machine.read(f"/proc/sys/{key.replace('.', '/')}") == f"{value}\n"
            assert result[f"sysctl:{key}"] == ("ok" if right else "skipped"), "/proc/sys is read-only"
    wrong = "sh", "-c", "mount --bind /proc/sys/kernel/ostype /proc/sys/fs/protected_symlinks"
    machine.run(*wrong)
    assert converges_not_at_all(machine, "linux_server")["sysctl:fs.protected_symlinks"] == "skipped"
    assert result["sysctl:net.ipv4.tcp_syncookies"] == "ok", "the network is its own"


def test_what_owners_ask_a_server_for(stocked: Any) -> None:
    machine = stocked
    asked = ("packages=jq", "motd=Ours", "cron=true", "fail2ban=true", "block_smtp=true", "max_auth_tries=3",
             "sysctls=net.ipv4.ip_forward=0,net.ipv4.conf.all.send_redirects=0", "skip=updates,journal")  # fmt: skip
    result = converges(machine, "linux_server", *(word for each in asked for word in ("--set", each)))
    assert effective(machine, "maxauthtries") == "3"
    for right in (
        "nft list chain inet converge output | grep -q 'dport 25 drop'",
        "systemctl -q is-active fail2ban && systemctl -q is-enabled fail2ban",
        "grep -q 0 /proc/sys/net/ipv4/conf/all/send_redirects",
        "! test -e /usr/share/unattended-upgrades",
    ):
        assert holds(machine, right), right
    assert not {"package:unattended-upgrades", "file:/etc/systemd/journald.conf.d/50-converge.conf"} & result.keys()


def test_what_a_container_may_not_do_at_all_is_left_out(stocked: Any) -> None:
    """As in Docker, whose root may neither change the packet filter nor mount."""
    machine = stocked
    machine.run("apt-get", "-qq", "install", "sudo")
    words = ("--out", "json", "serve", "cis", "--timeout", "1s", "--set", "skip=services,clients,integrity")
    less = ("setpriv", "--bounding-set", "-net_admin,-sys_admin")
    done = machine.run(*less, str(machine.python), "-m", "converge", *words, check=False)
    result = {each["id"]: each["status"] for each in json.loads(done.stdout)["resources"]}
    for id in ("firewall_policy:inbound", "firewall:loopback from elsewhere", "mount:/dev/shm"):
        assert result[id] == "skipped"
    assert "failed" not in result.values(), done.stdout
    assert done.returncode == 0
