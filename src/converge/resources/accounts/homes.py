"""Where the home of a user is, or will be."""

from __future__ import annotations

from collections.abc import Sequence


def usual_home(name: str) -> str:
    """Where a home is unless somebody chose another place."""
    return "/root" if name == "root" else f"/home/{name}"


def likely_homes(name: str) -> Sequence[str]:
    """Where it is now, and where it would be made."""
    import pwd

    try:
        now = pwd.getpwnam(name).pw_dir
    except KeyError:
        return (usual_home(name),)
    return tuple(dict.fromkeys(home for home in (now, usual_home(name)) if home.startswith("/")))
