"""docs/coming-from.md names only what there is: methods of Run, and their options."""

from __future__ import annotations

import dataclasses
import re
from typing import get_args

import pytest
from pages import ROOT

from converge import shard_bucket
from converge.blueprints.kinds import own_kinds
from converge.blueprints.run import Run
from converge.cli import exit_codes
from converge.core.change import Action
from converge.core.platform import pretended_platform
from converge.resources.reboot import sentinel
from converge.testing import declare

PAGE = (ROOT / "docs" / "coming-from.md").read_text()


def test_what_a_blueprint_is_said_to_declare_can_be_declared() -> None:
    kinds = own_kinds()
    calls = re.findall(r"\br\.(\w+)(?:\(([^`]*)\))?", PAGE)
    assert len(calls) > 60
    for method, arguments in calls:
        assert method in vars(Run), method
        if method in kinds:
            known = {field.name for field in dataclasses.fields(kinds[method]) if field.init}
            named = set(re.findall(r"\b(\w+)=", arguments))
            assert named <= known, f"r.{method} has no {named - known}"


def test_what_is_said_to_be_missing_is_missing() -> None:
    missing = {
        name for row in PAGE.splitlines() if "*missing*" in row for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert missing
    assert not missing & set(own_kinds())


def warned_and_wrong(line: str, os: str) -> tuple[str, str]:
    """What check says of one line: its warnings, and its mistakes."""
    site = declare(lambda r: eval(line, {"r": r}), platform=os)
    mistakes = " ".join(map(str, site.mistakes))
    return "" if mistakes else " ".join(site.warnings), mistakes


@pytest.mark.parametrize(
    ("line", "os", "warning", "mistake"),
    [
        (r'r.registry("HKLM\\SOFTWARE\\X", state="absent")', "windows", "all that is below it", ""),
        (r'r.registry("HKLM\\SOFTWARE\\X", "", state="absent")', "windows", "", ""),
        (r'r.registry("HKLM\\SOFTWARE\\X", "v", type="string", data="a")', "windows", "", ""),
        (r'r.registry("HKLM\\SOFTWARE\\X", "v", type="multistring", data="a,b")', "windows", "", "['a', 'b']"),
        ('r.securitypolicy("LockoutThreshold", value=5)', "windows", "", ""),
        ('r.securitypolicy("LockoutObservationWindow", value=900)', "windows", "", "it is ResetLockoutCount here"),
        ('r.securitypolicy("ForceLogoff", value=0)', "windows", "", "net accounts"),
        ('r.file("/tmp/x", depends_on="auditpol:Logon")', "linux", "", "here it is auditpolicy:Logon"),
        ('r.plist("com.example", "k", value=1, host="current")', "darwin", "", ""),
    ],
)
def test_what_means_something_else_here(line: str, os: str, warning: str, mistake: str) -> None:
    warnings, mistakes = warned_and_wrong(line, os)
    assert warning in warnings
    assert bool(warning) == bool(warnings)
    assert mistake in mistakes
    assert bool(mistake) == bool(mistakes)


def test_shards_and_platforms_are_as_said() -> None:
    assert shard_bucket(" 1234567 ") == shard_bucket("1234567-and-more")
    assert pretended_platform("windows").init_system == "scm"
    assert (pretended_platform("windows").distro, pretended_platform("darwin").distro) == ("", "")
    assert (exit_codes.CHANGED, exit_codes.PENDING, exit_codes.NOT_ROOT, exit_codes.BLUEPRINT_NOT_FOUND) == (
        2,
        5,
        10,
        11,
    )
    assert sentinel.FOLDER == "/var/lib/converge"
    assert f"{sentinel.FOLDER}/reboot-NAME.sentinel" in PAGE
    assert set(get_args(Action)) >= {"create", "update", "remove", "run"}
