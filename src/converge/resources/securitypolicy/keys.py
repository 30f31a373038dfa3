"""The settings there are, as ``secpol.msc`` and ``secedit`` name them, and where Windows keeps each."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

Category: TypeAlias = Literal["password", "lockout"]

_DAY: Final = 86400
_MINUTE: Final = 60
FOREVER: Final = 0xFFFFFFFF
"""TIMEQ_FOREVER of lmaccess.h."""


class Key(NamedTuple):
    """One setting: its place in the structure of a level of NetUserModalsGet, and its range in a person's units."""

    category: Category
    field: str
    unit: str
    """What it is counted in; one of them is so many of what the structure holds:"""
    size: int
    least: int
    most: int
    never: str = ""
    """What 0 means, where Windows writes that as FOREVER."""

    def raw(self, value: int) -> int:
        """The number in the structure."""
        return FOREVER if self.never and value == 0 else value * self.size

    def value(self, raw: int) -> float:
        """The number in a person's units; broken where somebody set it by another way."""
        if self.never and raw == FOREVER:
            return 0
        return raw // self.size if raw % self.size == 0 else raw / self.size

    def shown(self, raw: int) -> str:
        value = self.value(raw)
        return f"0 ({self.never})" if self.never and value == 0 else f"{value:g} {self.unit}".strip()


KEYS: Final = {
    "MinimumPasswordLength": Key("password", "min_passwd_len", "characters", 1, 0, 128),
    "MaximumPasswordAge": Key("password", "max_passwd_age", "days", _DAY, 0, 999, "never"),
    "MinimumPasswordAge": Key("password", "min_passwd_age", "days", _DAY, 0, 998),
    "PasswordHistorySize": Key("password", "password_hist_len", "passwords", 1, 0, 24),
    "LockoutBadCount": Key("lockout", "lockout_threshold", "attempts", 1, 0, 999),
    "LockoutDuration": Key("lockout", "lockout_duration", "minutes", _MINUTE, 0, 99999, "until unlocked"),
    "ResetLockoutCount": Key("lockout", "lockout_observation_window", "minutes", _MINUTE, 1, 99999),
}
_SAME: Final = {
    "lockoutthreshold": "LockoutBadCount",
    "lockout_threshold": "LockoutBadCount",
    "min_passwd_len": "MinimumPasswordLength",
    "password_hist_len": "PasswordHistorySize",
}
_IN_SECONDS: Final = {
    "max_passwd_age": "MaximumPasswordAge",
    "min_passwd_age": "MinimumPasswordAge",
    "lockout_duration": "LockoutDuration",
    "lockoutobservationwindow": "ResetLockoutCount",
    "lockout_observation_window": "ResetLockoutCount",
}
"""Names by which the Go tool of this name counts seconds: taken here, its numbers would mean something else."""


def canonical(name: str) -> str:
    """The setting that is meant: in any case, and by other names where a number means the same by both."""
    small = name.lower()
    return _SAME.get(small) or next((known for known in KEYS if known.lower() == small), name)


def other_name(name: str) -> str:
    """What is to be said of a name that cannot be taken as it is; nothing where it is just unknown."""
    known = _IN_SECONDS.get(name.lower())
    if known is not None:
        return f"; it is {known} here, in {KEYS[known].unit} rather than seconds"
    if name.lower() in ("forcelogoff", "force_logoff"):
        return "; it is not supported; use r.exec with net accounts /forcelogoff"
    return ""
