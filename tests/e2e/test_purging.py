"""A purged directory that is guarded: what others own stays, all else goes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.resources.test_file_deep import nest

if TYPE_CHECKING:
    from .conftest import Place

SITE = """
    r.file(HERE / "top/sub/kept", content="kept", parents=True)
    r.directory(HERE / "top", purge=True, limit=1000)
    r.exec("build", ["sh", "-c", f"mkdir -p {HERE}/top/built && touch {HERE}/top/built/x"], creates=f"{HERE}/top/built")
"""


def test_a_guarded_directory_keeps_what_others_own(place: Place) -> None:
    place.declare(SITE)
    top = place.managed / "top"
    top.mkdir()
    daemon = place.serve()
    (top / "built/more").write_text("x")
    (top / "sub/gone").write_text("x")
    (top / ".other.converge-deadbeef").write_text("x")
    daemon.until(lambda: not list(top.glob(".*")) and not (top / "sub/gone").exists(), "what nobody owns goes")
    assert (top / "built/more").exists()
    assert (top / "sub/kept").read_text() == "kept"
    (place.managed / "moved").mkdir()
    nest(place.managed / "moved")
    (place.managed / "moved").rename(top / "moved")
    daemon.until(lambda: not (top / "moved").exists(), "a deep directory goes")
    assert daemon.stop() == 0


def test_plan_says_how_many_entries_go(place: Place) -> None:
    place.declare(SITE)
    old = place.managed / "top/old"
    old.mkdir(parents=True)
    for number in range(7):
        (old / str(number)).write_text("x")
    said = place.plan().out
    assert "entry: old -> (none)" in said
    assert "purge: 8 entries -> (none)" in said
