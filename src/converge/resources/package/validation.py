"""Names and versions of packages: which can be given to a package manager, and which fit what is wanted."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final

# No manager reads such a word as an option, a path, a pattern or more than one word. apt would read a '-' at the end as
# "remove it". An architecture may follow, as in foo:i386 (dpkg) or foo.i686 (rpm).
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._@-]*(?::[a-z0-9-]*[a-z0-9])?")
_VERSION: Final = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9.+~:^_*?-]*")


def name_mistake(name: str) -> str | None:
    """Why this cannot be the name of a package; None where it can."""
    if _NAME.fullmatch(name) and not name.endswith("-"):
        return None
    if not name:
        return "the name is empty"
    if "=" in name:
        return f"{name!r} is no name of a package; give the version as version="
    if any(sign in name for sign in "*?[ "):
        return f"{name!r} is no name of a package; declare each package by its own name"
    return f"{name!r} is no name of a package; it begins with a letter or digit and has letters, digits, and . + _ @ -"


def version_mistake(version: str) -> str | None:
    """Why this cannot be a version; None where it can."""
    if not _VERSION.fullmatch(version):
        return f"version={version!r} is no version; write it as the package manager shows it, such as '1.2-3' or '1.2*'"
    if not version.strip("*"):
        return f"version={version!r} is any version; leave it out"
    return None


def is_pattern(version: str) -> bool:
    """Whether it stands for more than one version."""
    return "*" in version or "?" in version


def fits(version: str, wanted: str) -> bool:
    """Whether a version is the wanted one, or one that the wanted pattern stands for."""
    return fnmatchcase(version, wanted) if is_pattern(wanted) else version == wanted
