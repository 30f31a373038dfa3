"""Password, lock and expiry: what only root may read, and what is never shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from converge.resources.accounts.database import ShadowEntry
from converge.resources.accounts.user import NEVER, days
from converge.resources.base import Change, Permanent

if TYPE_CHECKING:
    from converge.resources.accounts.user import User

HIDDEN = "(hidden)"


def shadow_differences(user: User, shadow: ShadowEntry | None) -> Iterator[Change]:
    """What differs in password, lock and expiry; unknown where ``shadow`` is None."""
    if shadow is None:
        unknown = f"unknown (not readable by uid {os.geteuid()})"
        wanted = {
            "password": None if user.password_hash is None else HIDDEN,
            "locked": None if user.locked is None or user.password_hash is not None else _yes(user.locked),
            "expires": user.expires,
        }
        for name, value in wanted.items():
            if value is not None:
                yield Change(name, unknown, value, "unknown")
        return
    if user.password_hash is not None:
        if shadow.password != password_field(user):
            yield Change("password", HIDDEN, HIDDEN)
    elif user.locked is not None and _is_locked(shadow.password) is not user.locked:
        if not shadow.password.strip("!*"):  # nothing is behind the lock: usermod -U refuses as well
            raise Permanent(
                f"{user.name} has no password that could be unlocked; give password_hash=, or leave out locked=False"
            )
        yield Change("locked", _yes(not user.locked), _yes(user.locked))
    if user.expires is not None and shadow.expires != days(user.expires):
        yield Change("expires", show_day(shadow.expires), user.expires)


def password_field(user: User) -> str:
    """What the second field of shadow(5) is to be; a ``!`` in front locks it."""
    return ("!" if user.locked else "") + (user.password_hash or "")


def _is_locked(field: str) -> bool:
    """As ``passwd --status`` has it: no password can be ``!``, ``!!`` or ``*``, so nobody gets in by one."""
    return field.startswith(("!", "*"))


def show_day(day: int | None) -> str:
    """A day as shadow(5) counts them, for a person."""
    if day is None:
        return NEVER
    from datetime import date, timedelta

    try:
        return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    except OverflowError:
        return f"day {day}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
