"""Reasons that name recommendations by number, and counts by these."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converge.cli import main
from converge.core.recommendation import recommendations, title_of


@pytest.mark.parametrize(
    ("why", "found"),
    [
        ("CIS 5.2.3: Title. It matters.", [("CIS", "5.2.3", "Title")]),
        ("CIS 5.2.3: Randomization (ASLR). It matters", [("CIS", "5.2.3", "Randomization (ASLR)")]),
        ("CIS 1.1, 1.2: Both. So", [("CIS", "1.1", "Both"), ("CIS", "1.2", "Both")]),
        ("CIS 1.1, 1.2. They stand in a file.", [("CIS", "1.1", ""), ("CIS", "1.2", "")]),
        ("CIS 1.1 for Debian 12, 1.2 for Debian 12: X", [("CIS", "1.1", "X"), ("CIS", "1.2", "X")]),
        ("we use it; also: CIS 1.1: X. Y", [("CIS", "1.1", "X")]),
        ("STIG-2 1.1: X; also: CIS 1.1: Y", [("STIG-2", "1.1", "X"), ("CIS", "1.1", "Y")]),
        ("because of 1.2", []),
        ("Version 1.2 of it is wanted by the shop", []),
        ("", []),
    ],
)
def test_numbers_and_titles_are_read_from_a_reason(why: str, found: list[tuple[str, str, str]]) -> None:
    assert [tuple(each) for each in recommendations(why)] == found


def test_a_title_is_the_first_sentence() -> None:
    assert title_of("One 1.2 of\n  them. Two") == "One 1.2 of them"


def plan(folder: Path, count: int, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """A plan of recommendations 1.0 to 1.``count``: of each a file that is there, and one that is not."""
    body = "".join(
        f"    with r.because('CIS 1.{number}: Title {number}. Why'):\n"
        f"        r.file({str(folder)!r} + '/new{number}', content='x')\n"
        f"        r.file({str(folder)!r} + '/kept{number}', content='')\n"
        for number in range(count)
    )
    for number in range(count):
        (folder / f"kept{number}").write_text("")
    (folder / "new2").write_text("x")
    (folder / "site.py").write_text(
        f"from converge import Run, blueprint\n@blueprint('site')\ndef site(r: Run) -> None:\n{body}"
        f"    r.file({str(folder)!r} + '/own', content='x')\n"
        f"    r.file({str(folder)!r} + '/no/folder', content='x', why='CIS 1.1: Title 1. Why')\n"
    )
    main(["plan", f"{folder}/site.py", *options])
    return capsys.readouterr().out


def test_many_recommendations_are_counted_in_the_order_of_their_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = plan(tmp_path, 12, capsys)
    listed, _, counted = said.partition("Recommendations\n")
    assert f"file:{tmp_path}/own" in listed
    assert f"FAILED file:{tmp_path}/no/folder" in listed
    assert "/new" not in listed
    numbers = [line.split("CIS ")[1].partition(":")[0] for line in counted.splitlines() if "CIS" in line]
    assert numbers == [f"1.{number}" for number in range(12) if number != 2]
    assert "  ~      CIS 1.0: Title 0  1 pending, 1 ok\n" in counted
    assert "  FAILED CIS 1.1: Title 1  1 pending, 1 failed, 1 ok\n" in counted
    assert "  1 of 12 are kept (-v lists them, and every resource)\n" in counted


def test_verbosely_everything_is_listed_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed, _, counted = plan(tmp_path, 12, capsys, "-v").partition("Recommendations\n")
    assert f"file:{tmp_path}/new7" in listed
    assert f"file:{tmp_path}/kept7" in listed
    assert "  ok     CIS 1.2: Title 2  2 ok\n" in counted


def test_a_few_recommendations_are_not_worth_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = plan(tmp_path, 3, capsys)
    assert "Recommendations" not in said
    assert f"file:{tmp_path}/new1" in said


def test_json_has_the_counts_beside_all_resources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(plan(tmp_path, 3, capsys, "--out", "json"))
    assert said["recommendations"] == [
        {"label": "CIS", "number": "1.0", "title": "Title 0", "pending": 1, "ok": 1},
        {"label": "CIS", "number": "1.1", "title": "Title 1", "pending": 1, "failed": 1, "ok": 1},
        {"label": "CIS", "number": "1.2", "title": "Title 2", "ok": 2},
    ]
    assert len(said["resources"]) == said["summary"]["total"]
