"""The order of versions, as rpm (rpmvercmp) and pacman (alpm_pkg_vercmp) have it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

Parts: TypeAlias = tuple[tuple[int, int, str], ...]
Number: TypeAlias = tuple[int, str]
Key: TypeAlias = tuple[Number, Parts, Parts]

_RPM_PART: Final = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")
_PACMAN_PART: Final = re.compile(r"([^0-9A-Za-z]?)([0-9]+|[A-Za-z]+)")

# How parts of different kinds stand to each other. rpm: 1.0~rc1 < 1.0 < 1.0^git < 1.0a < 1.0.1;
# pacman: 1.0rc1 < 1.0 < 1.0.rc1 < 1.0.1.
_SUFFIX, _TILDE, _END, _CARET, _LETTERS, _NUMBER = range(6)


def rpm_key(full: str) -> Key:
    """Sorts versions of rpm: ``EPOCH:VERSION-RELEASE``, of which epoch and release may be missing."""
    return _key(full, _rpm_parts)


def pacman_key(full: str) -> Key:
    """Sorts versions of pacman, written in the same way."""
    return _key(full, _pacman_parts)


def _key(full: str, parts: Callable[[str], Parts]) -> Key:
    epoch, colon, rest = full.partition(":")
    if not colon:
        epoch, rest = "0", full
    version, _, release = rest.partition("-")
    return _number(epoch) if epoch.isdecimal() else _number(""), parts(version), parts(release)


def _number(digits: str) -> Number:
    """Sorts as the number does. It is none: Python refuses to read thousands of digits, which a repository may have."""
    digits = digits.lstrip("0")
    return len(digits), digits


def _rpm_parts(version: str) -> Parts:
    return (*map(_rpm_part, _RPM_PART.findall(version)), (_END, 0, ""))


def _rpm_part(part: str) -> tuple[int, int, str]:
    if part in "~^":
        return (_TILDE if part == "~" else _CARET, 0, "")
    return (_NUMBER, *_number(part)) if part.isdecimal() else (_LETTERS, 0, part)


def _pacman_parts(version: str) -> Parts:
    parts = [
        (_NUMBER, *_number(part)) if part.isdecimal() else (_LETTERS if separator else _SUFFIX, 0, part)
        for separator, part in _PACMAN_PART.findall(version)
    ]
    return (*parts, (_END, 0, ""))
