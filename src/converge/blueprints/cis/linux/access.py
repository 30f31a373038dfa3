"""Section 5: SSH, sudo, passwords, sessions."""

from __future__ import annotations

from converge.blueprints import parts
from converge.blueprints.administrators import an_administrator_has_a_key
from converge.blueprints.cis.linux.catalogue import (
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
    machine.r.include(parts.ssh_configuration)


def _no_root_login(machine: Machine, numbers: str) -> None:
    others = an_administrator_has_a_key(machine.given.administrators, root=False)
    parts.ssh_drop_in(machine.r, "06-converge-cis-root.conf", f"# {numbers}\nPermitRootLogin no\n", only_if=others)


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
        "ssh", "5.1.1", "Only root reads sshd's configuration", "It tells who may come in, and how.", _configuration,
    ),
    rule(
        "ssh", "5.1.2", "Only root reads the private host keys", "Whoever has one can pretend to be this machine.",
        *(limited(path, 0o600) for path in _HOST_KEYS),
    ),
    rule(
        "ssh", "5.1.3", "Only root writes the public host keys", "Others compare with them.",
        *(limited(f"{path}.pub", 0o644) for path in _HOST_KEYS),
    ),
    rule(
        "ssh", "5.1.5", "The banner is shown before a login", "See banners.", ssh("Banner /etc/issue.net"),
    ),
    rule(
        "ssh", "5.1.6", "No weak ciphers", "What was recorded today can be read when a cipher is broken.",
        ssh(f"Ciphers {_CIPHERS}"),
    ),
    rule(
        "ssh", "5.1.7", "Connections that are dead end", "A forgotten one is a way in.",
        ssh("ClientAliveInterval 15", "ClientAliveCountMax 3"),
    ),
    rule(
        "ssh", "5.1.10", "Hosts are not trusted", "Whoever owns the other machine would own this one.",
        ssh("HostbasedAuthentication no"),
    ),
    rule("ssh", "5.1.11", "Files of rhosts are ignored", "The same.", ssh("IgnoreRhosts yes")),
    rule(
        "ssh", "5.1.12", "No weak key exchanges", "SHA-1 is broken.", ssh(f"KexAlgorithms {_KEX}"),
    ),
    rule(
        "ssh", "5.1.13", "A login takes a minute at most", "Unfinished ones use up the server.",
        ssh("LoginGraceTime 60"),
    ),
    rule(
        "ssh", "5.1.14", "Logins are logged with their key", "Who was it?", ssh("LogLevel VERBOSE"),
    ),
    rule(
        "ssh", "5.1.15", "No weak message authentication", "Short or broken sums let data be changed on its way.",
        ssh(f"MACs {_MACS}"),
    ),
    rule(
        "ssh", "5.1.16", "Four tries a connection", "Guessing takes longer, and is logged.", ssh("MaxAuthTries 4"),
    ),
    rule(
        "ssh", "5.1.17", "Ten sessions a connection", "One user does not use up the server.", ssh("MaxSessions 10"),
    ),
    rule(
        "ssh", "5.1.18", "Few unfinished logins at once", "Whoever is not let in cannot keep others waiting.",
        ssh("MaxStartups 10:30:60"),
    ),
    rule(
        "ssh", "5.1.19", "No empty passwords", "They are none.", ssh("PermitEmptyPasswords no"),
    ),
    rule(
        "ssh", "5.1.20", "root does not log in, once another administrator can, by key",
        "Who did it is only known of those who come by a name of their own.", _no_root_login,
    ),
    rule(
        "ssh", "5.1.21", "Users do not set variables of their sessions", "Some of these lead around what a key allows.",
        ssh("PermitUserEnvironment no"),
    ),
    rule(
        "ssh", "5.1.22", "PAM has a say", "What is decided there about accounts holds for SSH too.", ssh("UsePAM yes"),
    ),
    rule(
        "sudo", "5.2.1", "sudo is installed", "Administrators use a name of their own.", installed("sudo"),
    ),
    rule(
        "sudo", "5.2.2", "It gives programs a terminal of their own",
        "A program that goes on in the background cannot type into the caller's.", sudo("Defaults use_pty"),
    ),
    rule(
        "sudo", "5.2.3", "It has a log", "Who did it?", sudo('Defaults logfile="/var/log/sudo.log"'),
    ),
    rule(
        "sudo", "5.2.6", "It asks again after 15 minutes", "A terminal is left alone sometimes.",
        sudo("Defaults timestamp_timeout=15"),
    ),
    rule(
        "passwords", "5.3.1.3 5.3.2.3", "New passwords are looked at",
        "People choose what is easily guessed; Debian's package of pam_pwquality enables it.",
        installed("libpam-pwquality"),
    ),
    rule(
        "passwords", "5.3.3.2.1", "A new one differs in two characters", "Or it is the old one.",
        pwquality("difok = 2"),
    ),
    rule(
        "passwords", "5.3.3.2.2", "It has 14 characters", "Length is what guessing fails on.", pwquality("minlen = 14"),
    ),
    rule(
        "passwords", "5.3.3.2.4", "At most three of a kind in a row", "aaaa is short.", pwquality("maxrepeat = 3"),
    ),
    rule(
        "passwords", "5.3.3.2.5", "At most three that follow each other", "So is 1234.", pwquality("maxsequence = 3"),
    ),
    rule(
        "passwords", "5.3.3.2.6", "No word of a dictionary", "These are tried first.", pwquality("dictcheck = 1"),
    ),
    rule(
        "passwords", "5.3.3.2.7", "What is too weak is refused", "Not only warned of.", pwquality("enforcing = 1"),
    ),
    rule(
        "passwords", "5.3.3.2.8", "root's too", "It matters most.", pwquality("enforce_for_root"),
    ),
    rule(
        "passwords", "5.4.1.1", "Passwords of new accounts last a year", "One that leaked is of no use for ever.",
        login_defs("PASS_MAX_DAYS", "365"),
    ),
    rule(
        "passwords", "5.4.1.3", "Their end is told a week before", "Nobody is shut out by surprise.",
        login_defs("PASS_WARN_AGE", "7"),
    ),
    rule(
        "passwords", "5.4.1.4", "They are hashed by yescrypt", "It makes guessing dear, also with graphics cards.",
        login_defs("ENCRYPT_METHOD", "YESCRYPT"),
    ),
    rule(
        "passwords", "5.4.1.5", "New accounts are locked 45 days after that", "Nobody uses them any more.",
        new_account("INACTIVE", "45"),
    ),
    rule(
        "sessions", "5.4.3.2", "A shell that waits for 15 minutes ends", "A terminal is left alone sometimes.",
        profile("timeout", _TIMEOUT),
    ),
    rule(
        "sessions", "5.4.3.3", "Others do not read new files", "What should be read can be said to be.",
        login_defs("UMASK", "027"), profile("umask", "umask 027\n"),
    ),
)  # fmt: skip
