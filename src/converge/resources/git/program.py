"""Runs git."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from converge.core.errors import ResourceError
from converge.core.urls import hide_credentials
from converge.host import process
from converge.host.process.variables import NETWORK

if TYPE_CHECKING:
    from converge.resources.git import Git


class Unreadable(ResourceError):
    """git cannot make sense of the checkout."""


def must(it: Git, path: str | None, *words: str) -> str:
    """What git answers. Raises ResourceError, or Unreadable for a checkout, where it fails."""
    result = run(it, path, *words)
    if result.returncode != 0:
        said = hide_credentials(" ".join(result.output.split())) or result.ending()
        verb = next(word for word in words if not word.startswith("-") and "=" not in word)
        raise (ResourceError if path is None else Unreadable)(f"git {verb} failed: {said}")
    return result.output


def output_of(it: Git, path: str, *words: str, limit: int) -> str:
    """What git answers, without any warnings; as much as this many bytes."""
    result = run(it, path, *words, limit=limit, errors=False)
    return result.output if result.returncode == 0 else must(it, path, *words)


def run(
    it: Git, path: str | None, *words: str, stdin: bytes | None = None, limit: int = process.KEPT_OUTPUT,
    errors: bool = True,
) -> process.Result:  # fmt: skip
    """Run git, in a checkout or nowhere."""
    place = [] if path is None else ["-C", path]
    result = process.run(
        ["git", *place, *words], cwd="/", env=_ENVIRONMENT, keep=_keep(it), user=it.runs_as(), timeout=it.seconds(),
        stdin=stdin, limit=limit, errors=errors,
    )  # fmt: skip
    if result.timed_out:
        raise ResourceError(f"git {words[0]} did not end in time and was ended")
    return result


# No locks: to look at the files must change none of them, which would be news.
_ENVIRONMENT: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}


def _keep(it: Git) -> Collection[str]:
    """What git takes from our environment: the proxy, and the keys of an agent that is its user's own."""
    return NETWORK if it.runs_as() is not None or os.geteuid() == 0 else NETWORK | {"SSH_AUTH_SOCK"}
