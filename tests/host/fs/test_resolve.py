"""Paths free of links: as the system follows them, but for what may hang."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.host.fs import resolve as resolving
from converge.host.fs.resolve import Resolver
from converge.host.mountinfo import mount_of

PARTS = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=4).map("/".join)
LINKS = st.dictionaries(st.sampled_from(["a", "b", "a/a", "a/b", "b/c"]), st.tuples(st.booleans(), PARTS), max_size=4)


@given(LINKS, st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map("/".join))
def test_law_of_resolving(links: dict[str, tuple[bool, str]], path: str) -> None:
    """It comes to what the system's own resolution does, wherever that comes to an end."""
    with tempfile.TemporaryDirectory() as made:
        top = os.path.realpath(made)
        for folder in ("a", "b", "a/a", "b/c"):
            if folder not in links and os.path.isdir(os.path.dirname(f"{top}/{folder}")):
                os.makedirs(f"{top}/{folder}", exist_ok=True)
        for name, (absolute, target) in links.items():
            if os.path.isdir(os.path.dirname(f"{top}/{name}")) and not os.path.lexists(f"{top}/{name}"):
                os.symlink(f"{top}/{target}" if absolute else target, f"{top}/{name}")
        try:
            expected = os.path.realpath(f"{top}/{path}", strict=True)
        except OSError:
            return
        assert Resolver("/nowhere").path(f"{top}/{path}") == expected.rstrip("/")


def test_what_does_not_exist_stays_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone/there")
    assert Resolver("/nowhere").path(f"{tmp_path}/link/x") == f"{tmp_path}/gone/there/x"
    (tmp_path / "round").symlink_to("round")
    assert Resolver("/nowhere").path(f"{tmp_path}/round/x")
    assert Resolver("/nowhere").path("/") == Resolver("/nowhere").path("") == ""


@pytest.mark.parametrize(("real", "followed"), [("/nowhere", False), ("{top}/far", True), ("{top}/far/in", True)])
def test_nothing_is_followed_on_what_may_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: str, followed: bool
) -> None:
    top = os.path.realpath(tmp_path)
    (tmp_path / "far/in").mkdir(parents=True)
    (tmp_path / "far/link").symlink_to("in")
    (tmp_path / "near").symlink_to("far/in/../link")
    far = mount_of(f"{top}/far", "nfs4")
    monkeypatch.setattr(resolving, "read_mounts", lambda: {far.point: far})
    resolve = Resolver(real.format(top=top))
    assert resolve.path(f"{top}/near/x") == (f"{top}/far/in/x" if followed else f"{top}/far/link/x")
    assert resolve.may_hang(f"{top}/far/in") is not followed
    assert not resolve.may_hang(f"{top}/farther")
