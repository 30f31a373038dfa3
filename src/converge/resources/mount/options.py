"""Options of mounts: which of them can be seen on what is mounted, and whether they are as declared; see mount(8)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from converge.host.mountinfo import Mounted

_OPPOSITES = {"ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec"}
_IMPLIED = {
    "user": ("nosuid", "nodev", "noexec"),
    "users": ("nosuid", "nodev", "noexec"),
    "owner": ("nosuid", "nodev"),
    "group": ("nosuid", "nodev"),
}
_TIMES: Mapping[str, Mapping[str, bool]] = {
    "noatime": {"noatime": True},
    "relatime": {"noatime": False, "relatime": True},
    "strictatime": {"noatime": False, "relatime": False},
    "nodiratime": {"nodiratime": True},
    "diratime": {"nodiratime": False},
    "nosymfollow": {"nosymfollow": True},
}
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_PAGE = 4096
_SECRET = re.compile(r"\b(pass(?:word|wd|phrase)?|pw)=[^,\s]*", re.IGNORECASE)


def split(options: str) -> list[str]:
    """The single options; a comma within quotes does not end one."""
    return re.findall(r'(?:[^,"]|"[^"]*")+', options)


def masked(text: str) -> str:
    """The text without the passwords that options may hold."""
    return _SECRET.sub(r"\1=***", text)


def is_bind(options: str) -> bool:
    """Whether what is mounted is a directory, or a file, that is to be seen elsewhere too."""
    return not {"bind", "rbind"}.isdisjoint(split(options))


def wanted_flags(options: str) -> dict[str, bool]:
    """Which flags of a mount are declared to be set, or not to be.

    What is not declared is not set, as at a fresh mount; but a bind mount takes over what is not declared.
    """
    flags = {} if is_bind(options) else dict.fromkeys(_OPPOSITES, False)
    for option in split(options):
        flags |= dict.fromkeys(_IMPLIED.get(option, ()), True)
        flags |= _TIMES.get(option, {})
        for flag, opposite in _OPPOSITES.items():
            if option in (flag, opposite):
                flags[flag] = option == flag
    return flags


def flag_differences(options: str, live: Mounted) -> Iterator[tuple[str, str]]:
    """(now, wanted) for each flag that is not as declared."""
    for flag, wanted in wanted_flags(options).items():
        found = _is_set(flag, live, bind=is_bind(options))
        if found != wanted:
            opposite = _OPPOSITES.get(flag, f"not {flag}")
            yield (flag if found else opposite), (flag if wanted else opposite)


def size_differences(options: str, live: Mounted) -> Iterator[tuple[str, str, str]]:
    """(option, now, wanted) for the limits of a tmpfs that are not as declared. A share of memory is not compared."""
    if live.fstype != "tmpfs":
        return
    last = {name: value for name, _, value in (option.partition("=") for option in split(options))}
    for name, value in last.items():
        wanted = parse_size(value)
        if name not in ("size", "nr_inodes") or not wanted:
            continue
        now = live.value(name)
        step = _PAGE if name == "size" else 1
        if now is None or (parse_size(now) or 0) != -(-wanted // step) * step:
            yield name, now or "default", value


def remount_options(options: str) -> str:
    """What a remount is given: all that is declared, and expressly what is not to be set any more."""
    explicit = [flag if wanted else _OPPOSITES[flag] for flag, wanted in wanted_flags(options).items()
                if flag in _OPPOSITES]  # fmt: skip
    kept = [option for option in split(options) if option not in ("defaults", "bind", "rbind", "loop")]
    bind = ["bind"] if is_bind(options) else []
    return ",".join(dict.fromkeys(["remount", *bind, *kept, *explicit]))


def parse_size(text: str) -> int | None:
    """``64m`` in bytes (or in numbers of inodes); None where it is none, as for ``50%``."""
    found = re.fullmatch(r"(\d+)([kmgt]?)", text.strip().lower())
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def _is_set(flag: str, live: Mounted, *, bind: bool) -> bool:
    if flag == "ro" and not bind:
        return live.read_only()
    return flag in live.flags
