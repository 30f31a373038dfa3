"""Section 5: SSH, sudo, passwords, sessions."""

from __future__ import annotations

from converge.shipped import common
from converge.shipped.administrators import an_administrator_has_a_key
from converge.shipped.cis.linux.tables import (
    Declaration,
    Machine,
    installed,
    limited,
    login_defs,
    new_account,
    pwquality,
    rule,
    ssh,
    sudo,
)

_HOST_KEYS = tuple(f"/etc/ssh/ssh_host_{kind}_key" for kind in ("ed25519", "ecdsa", "rsa"))


def _configuration(machine: Machine, _: str) -> None:
    machine.r.include(common.ssh_configuration)


def _no_root_login(machine: Machine, numbers: str) -> None:
    others = an_administrator_has_a_key(machine.given.administrators, root=False)
    common.ssh_drop_in(machine.r, "06-converge-cis-root.conf", f"# {numbers}\nPermitRootLogin no\n", only_if=others)


def _access(machine: Machine, numbers: str) -> None:
    given = machine.given
    for key, names in (("AllowUsers", given.ssh_users), ("AllowGroups", given.ssh_groups)):
        if names:
            ssh(f"{key} {' '.join(names)}")(machine, numbers)


def profile(name: str, text: str) -> Declaration:
    """A file that every login shell reads."""

    def declare(machine: Machine, numbers: str) -> None:
        machine.r.file(f"/etc/profile.d/60-converge-{name}.sh", content=f"# CIS {numbers}\n{text}", mode=0o644)

    return declare


_CIPHERS = "-3des-cbc,aes128-cbc,aes192-cbc,aes256-cbc"
_KEX = "-diffie-hellman-group1-sha1,diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1"
_MACS = (
    "-hmac-md5,hmac-md5-96,hmac-ripemd160,hmac-sha1-96,umac-64@openssh.com,hmac-md5-etm@openssh.com,"
    "hmac-md5-96-etm@openssh.com,hmac-ripemd160-etm@openssh.com,hmac-sha1-96-etm@openssh.com,umac-64-etm@openssh.com,"
    "umac-128-etm@openssh.com"
)
_TIMEOUT = '[ "${TMOUT:-}" = 900 ] || { TMOUT=900; readonly TMOUT; export TMOUT; }\n'

RULES = (
    rule(
        "ssh", "5.1.1", "sshd_config: owner and permissions", "The configuration tells who may log in, and how.",
        _configuration,
    ),
    rule(
        "ssh", "5.1.2", "SSH private host keys: owner and permissions",
        "Whoever has one can pretend to be this machine.",
        *(limited(path, 0o600) for path in _HOST_KEYS),
    ),
    rule(
        "ssh", "5.1.3", "SSH public host keys: owner and permissions", "Others compare with them.",
        *(limited(f"{path}.pub", 0o644) for path in _HOST_KEYS),
    ),
    rule(
        "ssh", "5.1.4", "sshd access: AllowUsers and AllowGroups, with ssh_users or ssh_groups",
        "An account that is for a service has no business on the network.", _access,
    ),
    rule(
        "ssh", "5.1.5", "sshd Banner", "A rule has to be told before it can be held against anybody.",
        ssh("Banner /etc/issue.net"),
    ),
    rule(
        "ssh", "5.1.6", "sshd Ciphers: no weak ones", "What was recorded today can be read when a cipher is broken.",
        ssh(f"Ciphers {_CIPHERS}"),
    ),
    rule(
        "ssh", "5.1.7", "sshd ClientAliveInterval and ClientAliveCountMax", "A forgotten one is a way in.",
        ssh("ClientAliveInterval 15", "ClientAliveCountMax 3"),
    ),
    rule(
        "ssh", "5.1.8", "sshd DisableForwarding yes: no TCP, agent, X11 and socket forwarding",
        "A tunnel leads around firewalls.", ssh("DisableForwarding yes"), extra="level 2",
    ),
    rule(
        "ssh", "5.1.9", "sshd GSSAPIAuthentication no", "What is not used cannot be attacked.",
        ssh("GSSAPIAuthentication no"), extra="level 2",
    ),
    rule(
        "ssh", "5.1.10", "sshd HostbasedAuthentication no", "Whoever owns the other machine would own this one.",
        ssh("HostbasedAuthentication no"),
    ),
    rule(
        "ssh", "5.1.11", "sshd IgnoreRhosts yes", "Whoever owns the other machine would own this one.",
        ssh("IgnoreRhosts yes"),
    ),
    rule(
        "ssh", "5.1.12", "sshd KexAlgorithms: no weak ones", "SHA-1 is broken.", ssh(f"KexAlgorithms {_KEX}"),
    ),
    rule(
        "ssh", "5.1.13", "sshd LoginGraceTime: 60 seconds", "Unfinished ones use up the server.",
        ssh("LoginGraceTime 60"),
    ),
    rule(
        "ssh", "5.1.14", "sshd LogLevel VERBOSE", "The log names the key that was used.", ssh("LogLevel VERBOSE"),
    ),
    rule(
        "ssh", "5.1.15", "sshd MACs: no weak ones", "Short or broken sums let data be changed on its way.",
        ssh(f"MACs {_MACS}"),
    ),
    rule(
        "ssh", "5.1.16", "sshd MaxAuthTries: 4", "Guessing takes longer, and is logged.", ssh("MaxAuthTries 4"),
    ),
    rule(
        "ssh", "5.1.17", "sshd MaxSessions: 10", "One user does not use up the server.", ssh("MaxSessions 10"),
    ),
    rule(
        "ssh", "5.1.18", "sshd MaxStartups: 10:30:60", "Whoever is not let in cannot keep others waiting.",
        ssh("MaxStartups 10:30:60"),
    ),
    rule(
        "ssh", "5.1.19", "sshd PermitEmptyPasswords no", "An empty password protects nothing.",
        ssh("PermitEmptyPasswords no"),
    ),
    rule(
        "ssh", "5.1.20", "sshd PermitRootLogin no, once another administrator has a key",
        "Who did it is only known of those who come by a name of their own.", _no_root_login,
    ),
    rule(
        "ssh", "5.1.21", "sshd PermitUserEnvironment no", "Some of these lead around what a key allows.",
        ssh("PermitUserEnvironment no"),
    ),
    rule(
        "ssh", "5.1.22", "sshd UsePAM yes", "What is decided there about accounts holds for SSH too.",
        ssh("UsePAM yes"),
    ),
    rule(
        "sudo", "5.2.1", "sudo package", "Administrators use a name of their own.", installed("sudo"),
    ),
    rule(
        "sudo", "5.2.2", "sudo use_pty",
        "A program that goes on in the background cannot type into the caller's.", sudo("Defaults use_pty"),
    ),
    rule(
        "sudo", "5.2.3", "sudo log file", "The log names who ran what.", sudo('Defaults logfile="/var/log/sudo.log"'),
    ),
    rule(
        "sudo", "5.2.6", "sudo timestamp_timeout: 15 minutes", "A terminal is left alone sometimes.",
        sudo("Defaults timestamp_timeout=15"),
    ),
    rule(
        "passwords", "5.3.1.3 5.3.2.3", "pam_pwquality: package and module",
        "People choose what is easily guessed; Debian's package of pam_pwquality enables it.",
        installed("libpam-pwquality"),
    ),
    rule(
        "passwords", "5.3.3.2.1", "pwquality difok: 2 changed characters", "Otherwise the new password is the old one.",
        pwquality("difok = 2"),
    ),
    rule(
        "passwords", "5.3.3.2.2", "pwquality minlen: 14 characters", "Length is what guessing fails on.",
        pwquality("minlen = 14"),
    ),
    rule(
        "passwords", "5.3.3.2.3", "pwquality complexity: dcredit, ucredit, ocredit, lcredit, minclass, gecoscheck",
        "A digit, a capital, a small letter and a sign each, and not one's name; NIST advises against such rules.",
        pwquality("dcredit = -1", "ucredit = -1", "ocredit = -1", "lcredit = -1", "minclass = 4", "gecoscheck = 1"),
        extra="manual",
    ),
    rule(
        "passwords", "5.3.3.2.4", "pwquality maxrepeat: 3 consecutive characters",
        "aaaa counts as one character to whoever guesses.",
        pwquality("maxrepeat = 3"),
    ),
    rule(
        "passwords", "5.3.3.2.5", "pwquality maxsequence: 3 sequential characters", "1234 is guessed first.",
        pwquality("maxsequence = 3"),
    ),
    rule(
        "passwords", "5.3.3.2.6", "pwquality dictcheck: dictionary check", "These are tried first.",
        pwquality("dictcheck = 1"),
    ),
    rule(
        "passwords", "5.3.3.2.7", "pwquality enforcing: quality checking is enforced", "A warning alone stops nobody.",
        pwquality("enforcing = 1"),
    ),
    rule(
        "passwords", "5.3.3.2.8", "pwquality enforce_for_root", "root's password matters most.",
        pwquality("enforce_for_root"),
    ),
    rule(
        "passwords", "5.4.1.1", "PASS_MAX_DAYS: password expiration after 365 days",
        "One that leaked is of no use for ever.",
        login_defs("PASS_MAX_DAYS", "365"),
    ),
    rule(
        "passwords", "5.4.1.2", "PASS_MIN_DAYS: minimum password age of 1 day",
        "Otherwise somebody changes it often enough to get the old one back.", login_defs("PASS_MIN_DAYS", "1"),
        extra="level 2",
    ),
    rule(
        "passwords", "5.4.1.3", "PASS_WARN_AGE: expiration warning 7 days before", "Nobody is shut out by surprise.",
        login_defs("PASS_WARN_AGE", "7"),
    ),
    rule(
        "passwords", "5.4.1.4", "ENCRYPT_METHOD: password hashing with yescrypt",
        "It makes guessing dear, also with graphics cards.",
        login_defs("ENCRYPT_METHOD", "YESCRYPT"),
    ),
    rule(
        "passwords", "5.4.1.5", "INACTIVE: inactive password lock after 45 days", "Nobody uses them any more.",
        new_account("INACTIVE", "45"),
    ),
    rule(
        "sessions", "5.4.3.2", "TMOUT: shell timeout of 900 seconds", "A terminal is left alone sometimes.",
        profile("timeout", _TIMEOUT),
    ),
    rule(
        "sessions", "5.4.3.3", "umask 027 for users", "What should be read can be said to be.",
        login_defs("UMASK", "027"), profile("umask", "umask 027\n"),
    ),
)  # fmt: skip
