"""Blueprints that an installed package brings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

MODULE = """
from converge import Run, blueprint

@blueprint("corp", "what all of ours have")
def corp(r: Run) -> None:
    r.file("{here}/a", content="{text}", limit=1000)
"""


@pytest.fixture
def module(place: Place) -> Path:
    """The module of a package that is installed on the scratch machine; another one of its entry points is broken."""
    site = place.root / "site"
    package, info = site / "corp_blueprints", site / "corp_blueprints-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: corp-blueprints\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[converge.blueprints]\ncorp = corp_blueprints.main:corp\nbroken = corp_blueprints.nosuch:x\n"
    )
    (package / "__init__.py").touch()
    place.env["PYTHONPATH"] = str(site)
    main = package / "main.py"
    main.write_text(MODULE.format(here=place.managed, text="one"))
    return main


def test_it_is_listed_planned_and_included_by_its_name(place: Place, module: Path) -> None:
    said = place.run("list", "-b")
    assert ["corp", "what", "all", "of", "ours", "have"] in [line.split() for line in said.out.splitlines()]
    assert said.err.startswith("converge: the blueprint broken could not be imported: No module named ")
    planned = place.run("plan", "corp", "--out", "json").json()
    assert planned["blueprint"] == "corp"
    assert planned["summary"]["pending"] == 1
    place.declare('r.include("corp")\nr.file(HERE / "b", content="x")')
    assert place.plan("--out", "json").json()["summary"]["pending"] == 2


def test_a_near_match_and_one_that_cannot_be_imported_are_told(place: Place, module: Path) -> None:
    said = place.run("plan", "crop")
    assert said.code == 11
    assert "no blueprint is called 'crop' (did you mean corp?)" in said.err
    said = place.run("plan", "broken")
    assert said.code == 11
    assert said.err == (
        "converge: the blueprint broken cannot be imported: "
        "ModuleNotFoundError: No module named 'corp_blueprints.nosuch'\n"
    )


def test_it_is_loaded_again_when_its_file_changes_and_kept_while_that_is_broken(place: Place, module: Path) -> None:
    daemon = place.start("--out", "json", site=Path("corp")).watching()
    assert (place.managed / "a").read_text() == "one"
    place.write(module, MODULE.format(here=place.managed, text="another"))
    daemon.until_reads(place.managed / "a", "another")
    place.write(module, "def (")
    daemon.until(lambda: daemon.notices("error"))
    (place.managed / "a").write_text("tampered")
    daemon.until_reads(place.managed / "a", "another")
    place.write(module, MODULE.format(here=place.managed, text="mended"))
    daemon.until_reads(place.managed / "a", "mended")
