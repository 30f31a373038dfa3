"""Whether somebody is at work in a tree."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from converge.host.fs import busy
from converge.host.fs.busy import is_stirred


def test_a_change_deep_in_it_is_seen_until_it_has_been_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    assert is_stirred(str(tmp_path))
    later = time.time() + 10
    monkeypatch.setattr(time, "time", lambda: later)
    assert not is_stirred(str(tmp_path))
    (tmp_path / "a" / "b" / "file").write_text("y")
    assert not is_stirred(str(tmp_path)), "what is in its files is not looked at"


def test_what_is_gone_is_being_removed(tmp_path: Path) -> None:
    assert is_stirred(str(tmp_path / "gone"))


def test_a_tree_that_is_too_large_or_too_deep_is_looked_at_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(busy, "_MOST", 5)
    for number in range(10):
        (tmp_path / str(number)).mkdir()
    later = time.time() + 10
    monkeypatch.setattr(time, "time", lambda: later)
    assert not is_stirred(str(tmp_path))


def test_links_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "up").symlink_to("..")
    later = time.time() + 10
    monkeypatch.setattr(time, "time", lambda: later)
    assert not is_stirred(str(tmp_path / "tree"))


def test_a_tree_that_is_removed_meanwhile_is_no_error(tmp_path: Path) -> None:
    import shutil

    for number in range(300):
        (tmp_path / "tree" / str(number)).mkdir(parents=True)
    remover = threading.Thread(target=shutil.rmtree, args=(tmp_path / "tree",))
    remover.start()
    while os.path.exists(tmp_path / "tree"):
        assert is_stirred(str(tmp_path / "tree"))
    remover.join()
