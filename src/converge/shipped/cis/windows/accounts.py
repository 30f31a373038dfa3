"""Section 1: passwords, and accounts that are locked after wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from converge.blueprints.run import Run
from converge.shipped.cis.windows.tables import CONTROL, Declaration, Options, rule, value


def _policy(category: Literal["password", "lockout"], key: str, wanted: Callable[[Options], int]) -> Declaration:
    def declare(r: Run, given: Options) -> None:
        r.securitypolicy(key, category=category, value=wanted(given))

    return declare


_GUESSING = "Whoever guesses passwords gets a few tries an hour instead of thousands."

RULES = (
    rule(
        "passwords", "1.1.1", "Enforce password history: 24 passwords",
        "A new password that is an old one is no new one.",
        _policy("password", "PasswordHistorySize", lambda _: 24),
    ),
    rule(
        "passwords", "1.1.2", "Maximum password age: 365 days", "One that was stolen unnoticed ends some day.",
        _policy("password", "MaximumPasswordAge", lambda given: given.password_days), guard="password-age",
    ),
    rule(
        "passwords", "1.1.3", "Minimum password age: 1 day",
        "Otherwise somebody changes it 24 times in a row to get the old one back.",
        _policy("password", "MinimumPasswordAge", lambda _: 1),
    ),
    rule(
        "passwords", "1.1.4", "Minimum password length: 14 characters", "Shorter ones are found by trying.",
        _policy("password", "MinimumPasswordLength", lambda given: given.password_length),
    ),
    rule(
        "passwords", "1.1.6", "Relax minimum password length limits",
        "An old limit, kept for programs of the nineties.",
        value(rf"{CONTROL}\SAM", "RelaxMinimumPasswordLengthLimits", 1),
    ),
    rule(
        "lockout", "1.2.1", "Account lockout duration: 15 minutes", _GUESSING,
        _policy("lockout", "LockoutDuration", lambda given: given.lockout_minutes), guard="lockout",
    ),
    rule(
        "lockout", "1.2.2", "Account lockout threshold: 5 attempts", _GUESSING,
        _policy("lockout", "LockoutBadCount", lambda given: given.lockout_after), guard="lockout",
    ),
    rule(
        "lockout", "1.2.4", "Reset account lockout counter after 15 minutes", _GUESSING,
        _policy("lockout", "ResetLockoutCount", lambda given: given.lockout_minutes), guard="lockout",
    ),
)  # fmt: skip
