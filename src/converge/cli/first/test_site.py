"""Tests of site.py: it is run for a pretended machine, so nothing is read or changed here."""

from __future__ import annotations

from pathlib import Path

from converge.testing import Site, declare

PUBLIC = "/srv/public"


def site(title: str = "Hello") -> Site:
    """What the blueprint declares on Debian."""
    return declare(Path(__file__).with_name("site.py"), distro="debian", title=title, folder=PUBLIC)


def test_the_page_has_its_title() -> None:
    assert site(title="Welcome")[f"file:{PUBLIC}/index.html"].content == "<h1>Welcome</h1>\n"


def test_the_folder_comes_before_what_is_in_it() -> None:
    assert site().comes_before(f"file:{PUBLIC}", f"file:{PUBLIC}/index.html")


def test_a_changed_page_is_put_right_and_noted_and_nothing_else_is_done() -> None:
    trial = site().simulate({f"file:{PUBLIC}/index.html": "wrong"})
    assert trial.applied == [f"file:{PUBLIC}/index.html"]
    assert trial.refreshed == ["exec:note the change"]


def test_a_wrong_parameter_is_a_mistake() -> None:
    wrong = declare(Path(__file__).with_name("site.py"), title=5)
    assert "title must be text, not 5" in str(wrong.mistakes[0])
