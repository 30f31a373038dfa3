"""What git is asked and told. It never prompts, and runs as the owner of the checkout."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from converge.core.errors import ResourceError
from converge.core.urls import hide_credentials
from converge.resources.git.changes import changes, out_of_the_way
from converge.resources.git.program import must, run

if TYPE_CHECKING:
    from converge.resources.git import Git

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REMARK = re.compile(r"(warning|hint|error|fatal): ")
_MOST_FILES = 5


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
    lines = must(it, None, "ls-remote", "--", it.repo, *asked).splitlines()
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
    must(it, path, "init", "--quiet")
    must(it, path, "remote", "add", "origin", "--", it.repo)
    check_out(it, path)


def point_to(it: Git, path: str) -> None:
    """Let it come from where it is declared to."""
    verb = "set-url" if address(it, path) else "add"
    must(it, path, "remote", verb, "origin", "--", it.repo)


def check_out(it: Git, path: str) -> None:
    """Fetch the revision where it is not here, and make the files those of it."""
    named = resolve(it, path)
    if not _has(it, path, named.commit):
        named = Named(_fetch(it, path, named))
    words = ["-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", named.commit]
    if it.force:
        must(it, path, *words, "--force")
    elif run(it, path, *words).returncode != 0:
        with out_of_the_way(it, path, named.commit):
            must(it, path, *words)


def _fetch(it: Git, path: str, named: Named) -> str:
    depth = [] if it.depth is None else [f"--depth={it.depth}"]
    fetch = ["fetch", "--quiet", "--no-tags", *depth, "origin"]
    if named.ref is not None:
        target = named.ref if named.ref.startswith("refs/tags/") else ""
        must(it, path, *fetch, f"+{named.ref}:{target}" if target else named.ref)
        return _commit_in(must(it, path, "rev-parse", "FETCH_HEAD^{commit}"))
    if run(it, path, *fetch, named.commit).returncode != 0:
        # Not every server gives a commit that no name leads to; then all that has a name is fetched.
        must(it, path, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
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
