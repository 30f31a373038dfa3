"""cron: what stands in its file, and what is no schedule. Whether cron agrees is seen in tests/system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from converge.core.change import IN_SYNC
from converge.core.errors import NotYet
from converge.resources import cron
from converge.resources.cron import Cron, schedule_mistakes

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can write cron's files")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cron, "FOLDER", str(tmp_path / "cron.d"))
    (tmp_path / "cron.d").mkdir()
    return tmp_path / "cron.d"


@as_root
def test_a_file_is_written_kept_and_removed(folder: Path) -> None:
    it = Cron("report", "date +%F >/tmp/x", "*/5  * * * *", env={"MAILTO": "", "WHO": 'a "b"'})
    it.apply(it.check())
    assert it.check() == IN_SYNC
    assert (folder / "report").read_text() == (
        "# Kept by converge (cron:report).\n"
        "MAILTO=\"\"\nWHO='a \"b\"'\n"
        "*/5 * * * * root date +\\%F >/tmp/x\n"
    )  # fmt: skip
    (folder / "report").chmod(0o666)
    assert [change.property for change in it.check()] == ["mode"]
    gone = Cron("report", state="absent")
    gone.apply(gone.check())
    assert gone.check() == IN_SYNC
    assert not (folder / "report").exists()


@as_root
def test_cron_or_the_user_may_be_yet_to_come(folder: Path) -> None:
    with pytest.raises(NotYet) as raised:
        Cron("x", "true", "@daily", user="nosuchuser").check()
    assert raised.value.needs == "user:nosuchuser"
    assert raised.value.changes
    folder.rmdir()
    with pytest.raises(NotYet) as raised:
        Cron("x", "true", "@daily").check()
    assert raised.value.needs == "package:cron"
    assert Cron("x", state="absent").check() == IN_SYNC


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "*/5 0-23/2 1,15 jan-mar,Dec Mon-FRI",
        "0 0 31 12 7",
        "@reboot",
        "@daily",
        "59 23 1 1 0",
        "5-5 * * * *",
        "0\t0 * * *",
        " \t0  0\t\t* * mon,wed-fri ",
        "@daily\t",
    ],
)
def test_schedules(schedule: str) -> None:
    assert list(schedule_mistakes(schedule)) == []


@pytest.mark.parametrize(
    "schedule",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5/2 * * * *",
     "*/0 * * * *", "*/60 * * * *", "5-1 * * * *", ", * * * *", "1-2-3 * * * *", "a * * * *", "* * * mon *", "@never",
     "* * * * *\n", "0\n0 * * *", "0\xa00 * * *", "0\v0 * * *", "@Daily", "@daily root", "* * * * fri-sun",
     "-1 * * * *", "*5 * * * *", "²* * * *"],
)  # fmt: skip
def test_no_schedules(schedule: str) -> None:
    assert list(schedule_mistakes(schedule)) != []


@pytest.mark.parametrize(
    ("it", "mistake"),
    [
        (Cron("a.b", "true", "@daily"), "so cron would not read its file"),
        (Cron("x", "", "@daily"), "command is empty"),
        (Cron("x", "a\nb", "@daily"), "must be one line"),
        (Cron("x", "%" * 500, "@daily"), "must be one line"),
        (Cron("x", "date +\\%F", "@daily"), "has a backslash before"),
        (Cron("x", "printf a\\\\n", "@daily"), "has a backslash before"),
        (Cron("x", "true"), "has not five fields"),
        (Cron("x", "true", "@daily", user="a b"), "no name for a user"),
        (Cron("x", "true", "@daily", env={"A B": ""}), "no name for a variable"),
        (Cron("x", "true", "@daily", env={"A": "\"'"}), "cannot be written for cron"),
        (Cron("x", "true", state="absent"), "nothing is run"),
    ],
)
def test_mistakes(it: Cron, mistake: str) -> None:
    (text,) = it.mistakes()
    assert mistake in text
