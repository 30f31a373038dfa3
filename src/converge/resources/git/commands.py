"""What git is asked and told. It never prompts, and runs as the owner of the checkout."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final, NamedTuple

from converge.core.errors import ResourceError
from converge.core.urls import hide_credentials
from converge.host import process
from converge.host.process.variables import NETWORK

if TYPE_CHECKING:
    from converge.resources.git import Git

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REMARK = re.compile(r"(warning|hint|error|fatal): ")
_MOST_FILES = 5


class Unreadable(ResourceError):
    """git cannot make sense of the checkout."""


class Named(NamedTuple):
    """What a revision stands for: a commit, and the name that a remote repository has for it, if any."""

    commit: str
    ref: str | None = None


def head(it: Git, path: str) -> str | None:
    """The commit that is checked out; None where there is none yet."""
    result = run(it, path, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return _commit_in(result.output) if result.returncode == 0 else None


def address(it: Git, path: str) -> str:
    """Where the checkout says that it comes from."""
    lines = run(it, path, "config", "--get", "remote.origin.url").output.splitlines()
    return "".join([line for line in lines if not _REMARK.match(line)][-1:])


def modified(it: Git, path: str) -> str:
    """The files that were changed and belong to the commit, for a person; empty where there are none."""
    from converge.resources.git.changes import changes

    found = changes(it, path).real
    first = ", ".join(found[:_MOST_FILES])
    return f"{first} and {len(found) - _MOST_FILES} more" if len(found) > _MOST_FILES else first


def resolve(it: Git, path: str | None) -> Named:
    """What the revision stands for. Asks the remote repository only for branches, and for tags that are not here."""
    if _COMMIT.fullmatch(it.revision):
        return Named(it.revision)
    if path is not None:
        result = run(it, path, "rev-parse", "--verify", "--quiet", f"refs/tags/{it.revision}^{{commit}}")
        if result.returncode == 0:
            return Named(_commit_in(result.output))
    tag, branch = f"refs/tags/{it.revision}", f"refs/heads/{it.revision}"
    asked = ["HEAD"] if it.revision == "HEAD" else [tag, f"{tag}^{{}}", branch]
    lines = _must(it, None, "ls-remote", "--", it.repo, *asked).splitlines()
    found = {name: commit for commit, _, name in (line.partition("\t") for line in lines) if _COMMIT.fullmatch(commit)}
    if tag in found:
        return Named(found.get(f"{tag}^{{}}", found[tag]), tag)
    for ref in ("HEAD", branch):
        if ref in asked and ref in found:
            return Named(found[ref], ref)
    repo = hide_credentials(it.repo)
    raise ResourceError(f"{repo} has no branch and no tag {it.revision}; a commit is written with all of its 40 digits")


def create(it: Git, path: str) -> None:
    """Make a checkout in an empty directory."""
    _must(it, path, "init", "--quiet")
    _must(it, path, "remote", "add", "origin", "--", it.repo)
    check_out(it, path)


def point_to(it: Git, path: str) -> None:
    """Let it come from where it is declared to."""
    verb = "set-url" if address(it, path) else "add"
    _must(it, path, "remote", verb, "origin", "--", it.repo)


def check_out(it: Git, path: str) -> None:
    """Fetch the revision where it is not here, and make the files those of it."""
    named = resolve(it, path)
    if not _has(it, path, named.commit):
        named = Named(_fetch(it, path, named))
    words = ["-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", named.commit]
    if it.force:
        _must(it, path, *words, "--force")
    elif run(it, path, *words).returncode != 0:
        from converge.resources.git.changes import out_of_the_way

        with out_of_the_way(it, path, named.commit):
            _must(it, path, *words)


def _fetch(it: Git, path: str, named: Named) -> str:
    depth = [] if it.depth is None else [f"--depth={it.depth}"]
    fetch = ["fetch", "--quiet", "--no-tags", *depth, "origin"]
    if named.ref is not None:
        target = named.ref if named.ref.startswith("refs/tags/") else ""
        _must(it, path, *fetch, f"+{named.ref}:{target}" if target else named.ref)
        return _commit_in(_must(it, path, "rev-parse", "FETCH_HEAD^{commit}"))
    if run(it, path, *fetch, named.commit).returncode != 0:
        # Not every server gives a commit that no name leads to; then all that has a name is fetched.
        _must(it, path, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
    if not _has(it, path, named.commit):
        raise ResourceError(f"{hide_credentials(it.repo)} has no commit {named.commit}")
    return named.commit


def _commit_in(output: str) -> str:
    """The commit that was answered, between what warnings there may be."""
    for line in output.splitlines():
        if _COMMIT.fullmatch(line):
            return line
    raise ResourceError(f"git answered {hide_credentials(' '.join(output.split()))!r} instead of a commit")


def _has(it: Git, path: str, commit: str) -> bool:
    return run(it, path, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0


def _must(it: Git, path: str | None, *words: str) -> str:
    result = run(it, path, *words)
    if result.returncode != 0:
        said = hide_credentials(" ".join(result.output.split())) or result.ending()
        verb = next(word for word in words if not word.startswith("-") and "=" not in word)
        raise (ResourceError if path is None else Unreadable)(f"git {verb} failed: {said}")
    return result.output


def output_of(it: Git, path: str, *words: str, limit: int) -> str:
    """What git answers, without any warnings; as much as this many bytes."""
    result = run(it, path, *words, limit=limit, errors=False)
    return result.output if result.returncode == 0 else _must(it, path, *words)


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
