"""Sections 3 and 4, and 5.1: what is logged, what serves others, and files."""

from __future__ import annotations

from converge.blueprints.run import Run
from converge.conditions import file_exists
from converge.shipped.cis.darwin.tables import Chapter, Options, off, script

_logging, _services, _files = Chapter("logging"), Chapter("services"), Chapter("files")

_AUDIT = "/etc/security/audit_control"
_INSTALLED = "/etc/asl/com.apple.install"
_KEPT = "What happened is often only asked for months later."
_WRITABLE = "What all can write to holds whatever somebody put there."
_REPLACE = """\
new="${{1%/*}}/.converge-${{1##*/}}"
trap 'rm -f "$new"' EXIT
cp -p "$1" "$new"
{edit} >"$new"
mv -f "$new" "$1"
"""
"""Edits a file in one step for those who read it; it keeps its owner and mode."""
_EXPIRES = "{ /usr/bin/grep -v '^expire-after:' \"$1\" || :; echo 'expire-after:60d OR 5G'; }"
_LINE = r"^\* file /var/log/install\.log"


def _audited(r: Run, _: Options) -> None:
    example = f"{_AUDIT}.example"
    # macOS 14 and later have but an example of it, and without it nothing is audited.
    either = file_exists(_AUDIT) | file_exists(example)
    made = r.exec("audit_control", ["/bin/cp", example, _AUDIT], creates=_AUDIT, condition=either)
    r.service("com.apple.auditd", state="running", enable=True, depends_on=made)


def _audit_is_roots(r: Run, _: Options) -> None:
    there = file_exists(_AUDIT)
    r.file(_AUDIT, owner="root", group="wheel", mode=0o440, condition=there)
    r.directory("/private/var/audit", owner="root", group="wheel", mode=0o700, condition=there)


def _no_exports(r: Run, _: Options) -> None:
    r.file("/etc/exports", state="absent")


_OPEN_HOMES = """\
/usr/bin/find "$1" -mindepth 1 -maxdepth 1 -type d ! -name Shared ! -name Guest ! -perm 700 ! -perm 711"""
_OPEN_PROGRAMS = "/usr/bin/find \"$1\" -iname '*.app' -type d -perm -2"
_OPEN_FOLDERS = '/usr/bin/find "$1" -type d -perm -2 ! -path "*downloadDir*" ! -path "*locks*"'
_SYSTEM = "/System/Volumes/Data/System"

RULES = (
    _logging("3.1", "Security auditing (auditd)", "Who came in, and what he changed, is known afterwards.", _audited),
    _logging(
        "3.3", "install.log: retention of 365 days", _KEPT,
        script(
            "install.log for a year",
            f'line=$(/usr/bin/grep -E "{_LINE}" "$1") || exit 1\n'
            "printf '%s\\n' \"$line\" | /usr/bin/grep -Eq ' ttl=(36[5-9]|3[7-9][0-9]|[4-9][0-9]{2}|[0-9]{4,})( |$)' "
            "&& ! printf '%s\\n' \"$line\" | /usr/bin/grep -q ' all_max='",
            _REPLACE.format(edit=f"/usr/bin/sed -E '\\#{_LINE}#{{s/ (all_max|ttl)=[^ ]*//g; s/$/ ttl=365/;}}' \"$1\""),
            _INSTALLED, watch=[_INSTALLED],
        ),
    ),
    _logging(
        "3.4", "Security auditing: retention of 60 days or 5 GB", _KEPT,
        script(
            "audited for 60 days",
            'test ! -e "$1" || /usr/bin/grep -Eqix "expire-after:60d or 5g" "$1"',
            _REPLACE.format(edit=_EXPIRES) + "/usr/sbin/audit -s\n",
            _AUDIT, watch=[_AUDIT],
        ),
    ),
    _logging("3.5", "Access to audit records", "It tells much about people.", _audit_is_roots),
    _services("4.2", "HTTP server: disabled", "What does not run cannot be attacked.", off("org.apache.httpd")),
    _services(
        "4.3", "NFS server: disabled", "It believes whoever says who he is.",
        off("com.apple.nfsd"), _no_exports,
    ),
    _files(
        "5.1.1", "Home folders: permissions", "What is in them is theirs.",
        script(
            "closed homes", f'test -z "$({_OPEN_HOMES})"', f"{_OPEN_HOMES} -exec /bin/chmod og-rwx {{}} +", "/Users",
            watch=["/Users"],
        ),
    ),
    _files(
        "5.1.5", "System wide applications: permissions", _WRITABLE,
        script(
            "closed programs", f'test -z "$({_OPEN_PROGRAMS})"', f"{_OPEN_PROGRAMS} -exec /bin/chmod -R o-w {{}} +",
            "/Applications", watch=["/Applications"],
        ),
    ),
    _files(
        "5.1.6", "System folder: no world writable folders", _WRITABLE,
        script(
            "closed system", f'test -z "$({_OPEN_FOLDERS})"', f"{_OPEN_FOLDERS} -exec /bin/chmod -R o-w {{}} +",
            _SYSTEM, watch=[_SYSTEM],
        ),
    ),
)  # fmt: skip
