"""Section 2: what must not serve, the time, scheduled jobs."""

from __future__ import annotations

from collections.abc import Iterator

from converge.conditions import package_installed
from converge.shipped import common
from converge.shipped.cis.linux.tables import Declaration, Machine, Rule, gone, rule

_SERVERS = {
    "2.1.1": ("autofs", "autofs"),
    "2.1.2": ("avahi daemon", "avahi-daemon"),
    "2.1.3": ("DHCP server", "isc-dhcp-server"),
    "2.1.4": ("DNS server", "bind9"),
    "2.1.5": ("dnsmasq", "dnsmasq"),
    "2.1.6": ("FTP server", "vsftpd"),
    "2.1.7": ("LDAP server", "slapd"),
    "2.1.8": ("message access server", "dovecot-imapd dovecot-pop3d"),
    "2.1.9": ("network file system server", "nfs-kernel-server"),
    "2.1.10": ("NIS server", "ypserv"),
    "2.1.11": ("print server", "cups"),
    "2.1.12": ("rpcbind", "rpcbind"),
    "2.1.13": ("rsync", "rsync"),
    "2.1.14": ("samba file server", "samba"),
    "2.1.15": ("SNMP server", "snmpd"),
    "2.1.16": ("TFTP server", "tftpd-hpa"),
    "2.1.17": ("web proxy server", "squid"),
    "2.1.18": ("web server", "apache2 nginx"),
    "2.1.19": ("xinetd", "xinetd"),
}
_CLIENTS = {
    "2.2.1": ("NIS client", "nis"),
    "2.2.2": ("rsh client", "rsh-client"),
    "2.2.3": ("talk client", "talk"),
    "2.2.4": ("telnet client", "telnet inetutils-telnet"),
    "2.2.5": ("LDAP client", "ldap-utils"),
    "2.2.6": ("FTP client", "ftp tnftp"),
}


def _not_there() -> Iterator[Rule]:
    for number, (what, packages) in _SERVERS.items():
        why = "What does not run cannot be attacked. What this machine is for is named in keep."
        yield rule("services", number, f"{what} not in use", why, gone(*packages.split()))
    for number, (what, packages) in _CLIENTS.items():
        why = "It sends names, passwords or data in the clear, or is of no use without such a server."
        yield rule("clients", number, f"{what} not installed", why, gone(*packages.split()))


def _one_time_service(machine: Machine, _: str) -> None:
    wanted, r = machine.given.time_service, machine.r
    if wanted == "none":
        return
    r.package(wanted)
    # Debian's packages of them exclude one another, so this says what is so.
    other = "chrony" if wanted == "systemd-timesyncd" else "systemd-timesyncd"
    r.package(other, state="absent")
    r.include(common.time_service, wanted)


def _time_servers(machine: Machine, numbers: str) -> None:
    servers, r = machine.given.time_servers, machine.r
    if not servers or machine.given.time_service == "none":
        return
    head = f"# Managed by converge (cis {numbers}).\n"
    if machine.given.time_service == "chrony":
        path, text = "/etc/chrony/sources.d/converge.sources", "".join(f"server {each} iburst\n" for each in servers)
    else:
        path, text = "/etc/systemd/timesyncd.conf.d/60-converge-cis.conf", f"[Time]\nNTP={' '.join(servers)}\n"
    file = r.file(path, content=head + text, mode=0o644, parents=True)
    common.reads_again(r, machine.given.time_service, file)


_CRON = package_installed("cron")


def _cron_runs(machine: Machine, _: str) -> None:
    if common.has_units(machine.r):
        machine.r.service("cron", state="running", enable=True, condition=_CRON)


def _crontab(machine: Machine, _: str) -> None:
    machine.r.file("/etc/crontab", owner="root", group="root", mode=0o600, condition=_CRON)


def _folder(name: str) -> Declaration:
    def declare(machine: Machine, _: str) -> None:
        machine.r.directory(f"/etc/{name}", owner="root", group="root", mode=0o700, condition=_CRON)

    return declare


def _only_for(name: str, group: str) -> Declaration:
    """cron or at is only for those who are named."""

    def declare(machine: Machine, _: str) -> None:
        there = package_installed(name)
        text = "".join(f"{user}\n" for user in machine.given.cron_users)
        machine.r.file(f"/etc/{name}.allow", content=text, owner="root", group=group, mode=0o640, condition=there)
        machine.r.file(f"/etc/{name}.deny", state="absent", condition=there)

    return declare


_OWN = "Jobs tell what runs here, and whoever can change one is root at its next turn."

RULES = (
    *_not_there(),
    rule(
        "time", "2.3.1.1 2.3.2.2 2.3.3.3", "Time synchronization: one daemon, enabled and running",
        "Logs, certificates and logins with one-time codes go by the time, and two services fight over it.",
        _one_time_service,
    ),
    rule(
        "time", "2.3.2.1 2.3.3.1", "Authorized time servers",
        "Whoever tells the time decides which certificates are valid.", _time_servers,
    ),
    rule(
        "cron", "2.4.1.1", "cron daemon enabled and active",
        "What should be done regularly is done, security updates too.", _cron_runs,
    ),
    rule("cron", "2.4.1.2", "/etc/crontab: owner and permissions", _OWN, _crontab),
    rule("cron", "2.4.1.3", "/etc/cron.hourly: owner and permissions", _OWN, _folder("cron.hourly")),
    rule("cron", "2.4.1.4", "/etc/cron.daily: owner and permissions", _OWN, _folder("cron.daily")),
    rule("cron", "2.4.1.5", "/etc/cron.weekly: owner and permissions", _OWN, _folder("cron.weekly")),
    rule("cron", "2.4.1.6", "/etc/cron.monthly: owner and permissions", _OWN, _folder("cron.monthly")),
    rule("cron", "2.4.1.7", "/etc/cron.d: owner and permissions", _OWN, _folder("cron.d")),
    rule(
        "cron", "2.4.1.8", "crontab restricted to authorized users",
        "A job goes on after its owner was shut out.", _only_for("cron", "crontab"),
    ),
    rule(
        "cron", "2.4.2.1", "at restricted to authorized users", "A job goes on after its owner was shut out.",
        _only_for("at", "daemon"),
    ),
)  # fmt: skip
