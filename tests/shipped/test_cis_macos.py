"""``cis`` for a pretended Mac; its scripts are run here, with stand-ins for the programs that only macOS has."""

from __future__ import annotations

import dataclasses
import json
import re
import runpy
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from converge.blueprints.run import Run
from converge.resources.exec import Exec
from converge.shipped.cis import darwin
from converge.shipped.cis.darwin.tables import GUARDS, SECTIONS
from converge.testing import Site, declare

_CHAPTERS = {
    "updates": ("1",), "firewall": ("2.2",), "sharing": ("2.3",), "time": ("2.3.2",), "menus": ("2.4",),
    "privacy": ("2.5", "2.6", "2.9.1"), "energy": ("2.9",), "screen": ("2.10", "5.7"),
    "login": ("2.10", "2.11", "2.12", "5.9"), "logging": ("3",), "services": ("4",), "files": ("5.1",),
    "passwords": ("5.2",), "sudo": ("5",), "programs": ("6",),
}  # fmt: skip
_PEOPLE = ("ada", "bob")
_PROGRAMS = Path(__file__).with_name("macos_programs.py")
_NAMES = runpy.run_path(str(_PROGRAMS))
_PATHS: frozenset[str] = _NAMES["PATHS"]


def cis(**parameters: Any) -> Site:  # whatever the blueprint takes
    return declare("cis", platform="darwin", **parameters)


def whole() -> Site:
    return cis(unguarded=list(GUARDS), people=list(_PEOPLE))


def test_it_is_whole_and_without_mistakes() -> None:
    site = whole()
    assert site.mistakes == ()
    assert {id.partition(":")[0] for id in site.ids} == {"plist", "service", "exec", "file"}
    assert site.comes_before("exec:audit_control", "service:com.apple.auditd")


def test_every_recommendation_is_there_once_and_in_its_section() -> None:
    rules = darwin.rules()
    numbers = [rule.number for rule in rules]
    assert len(numbers) == len(set(numbers)) > 50
    plain = [number for number in numbers if not number.startswith("M26-")]
    assert plain == sorted(plain, key=lambda number: [int(each) for each in number.split(".")])
    assert {rule.section for rule in rules} == set(SECTIONS) == set(_CHAPTERS)
    for rule in rules:
        assert re.fullmatch(r"(M26-)?\d+(\.\d+){1,3}", rule.number)
        assert rule.number.startswith("M26-") == bool(rule.extra)
        assert f"{rule.number}.".removeprefix("M26-").startswith(
            tuple(f"{each}." for each in _CHAPTERS[rule.section])
        ), rule
        assert rule.title
        assert rule.why.endswith((".", "?"))


def test_what_macos_26_adds_is_kept_where_it_is_named() -> None:
    plain, more = whole(), cis(unguarded=list(GUARDS), people=list(_PEOPLE), also=["M26-2"])
    assert more.mistakes == ()
    assert {"plist:~ada/com.apple.Siri:VoiceTriggerUserEnabled"} <= set(more.ids) - set(plain.ids)


def test_nothing_that_can_lock_out_is_done_unless_it_is_named() -> None:
    everything, careful = set(cis(unguarded=list(GUARDS)).ids), set(cis().ids)
    for dangerous in (
        "service:com.openssh.sshd", "service:com.apple.screensharing", "exec:no remote management",
        "exec:password policy maxFailedLoginAttempts", "exec:password policy maxMinutesUntilChangePassword",
        "exec:screens are their owners'", "exec:no waking by network",
    ):  # fmt: skip
        assert dangerous not in careful
        assert dangerous in everything


def test_parameters_are_the_owners() -> None:
    site = cis(people=["ada"], banner="Mine.\n", idle_seconds=300, password_length=20)
    assert site["plist:com.apple.loginwindow:LoginwindowText"].value == "Mine."
    assert site["plist:~ada/ByHost/com.apple.screensaver:idleTime"].value == 300
    assert "minChars=20" in site["exec:password policy minChars"].command
    assert "minChars=15" in cis()["exec:password policy minChars"].command, "as the benchmark has it"
    assert not [id for id in cis().ids if "~" in id], "people are only touched where they are named"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"sections": ["sharin"]}, "cis has no section 'sharin' (did you mean sharing?); it has updates, firewall"),
        ({"skip": ["3.9"]}, "nothing in cis is called '3.9'"),
        ({"unguarded": ["ssh"]}, "nothing is guarded as 'ssh'; see screen-sharing"),
        ({"unguarded": ["remote-logins"]}, "did you mean remote-login"),
        ({"banner_title": "Mine"}, "banner_title is no parameter of cis on macOS"),
        ({"lockout_after": 0}, "lockout_after takes a number from 1 up, not 0"),
        ({"people": ["../root"]}, "'../root' is no name of a user"),
    ],
)
def test_mistakes(parameters: dict[str, object], said: str) -> None:
    mistakes = cis(**parameters).mistakes
    assert any(said in str(mistake) for mistake in mistakes), mistakes


def test_it_goes_together_with_darwin() -> None:
    def both(r: Run) -> None:
        r.include("darwin")
        r.include("cis", people=["ada"], unguarded=list(GUARDS))

    assert declare(both, platform="darwin").mistakes == ()


# --- the scripts -------------------------------------------------------------------------------------------------


@pytest.fixture
def mac(tmp_path: Path) -> Path:
    """A folder with the programs, and a root of files that are as open as can be."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "state.json").write_text(json.dumps(_NAMES["FRESH"]))
    for path in _PATHS:
        program = programs / Path(path).name
        program.write_text(f"#!{sys.executable}\n" + _PROGRAMS.read_text())
        program.chmod(0o755)
    for name, mode in (("Users/ada", 0o755), ("Users/bob", 0o711), ("Users/Shared", 0o777)):
        _folder(tmp_path / name, mode)
    _folder(tmp_path / "Applications/Open.app/Contents/Inner.app", 0o777)
    _folder(tmp_path / "Applications/Closed.app", 0o755)
    _folder(tmp_path / "System/Volumes/Data/System/Library/open", 0o777)
    _folder(tmp_path / "System/Volumes/Data/System/downloadDir", 0o777)
    for folder in ("etc/asl", "etc/security"):
        _folder(tmp_path / folder, 0o755)
    (tmp_path / "etc/asl/com.apple.install").write_text(INSTALL)
    (tmp_path / "etc/security/audit_control").write_text("dir:/var/audit\nexpire-after:10M\n")
    (tmp_path / "etc/security/audit_control").chmod(0o440)
    return tmp_path


INSTALL = """\
? [= Facility install] claim only
* file /var/log/install.log format='$((Time)(JZ)) $Host $(Sender)[$(PID\\\\)]: $Message' rotate=utc all_max=50M ttl=30
* other /var/log/install.log.1
"""


def _folder(path: Path, mode: int) -> None:
    path.mkdir(parents=True)
    path.chmod(mode)


def _here(resource: Exec, mac: Path) -> Exec:
    """The same command with our programs, on our files."""

    def moved(word: str) -> str:
        for path in sorted(_PATHS, key=len, reverse=True):
            word = word.replace(path, str(mac / "programs" / Path(path).name))
        return str(mac / word[1:]) if re.match(r"/(Users|Applications|System|etc)\b", word) else word

    assert not isinstance(resource.command, str)
    assert resource.unless is not None
    assert not isinstance(resource.unless, str)
    return dataclasses.replace(
        resource, command=[moved(word) for word in resource.command], unless=[moved(word) for word in resource.unless]
    )


def _scripts() -> list[str]:
    return [id for id in whole().ids if id.startswith("exec:") and id != "exec:audit_control"]


@pytest.mark.parametrize("id", _scripts())
def test_what_a_script_does_its_guard_sees(id: str, mac: Path) -> None:
    resource = whole()[id]
    assert isinstance(resource, Exec)
    here = _here(resource, mac)
    found = here.check()
    assert found, "a Mac as it comes, or as careless as can be"
    here.apply(found)
    assert here.check() == ()
    before = (mac / "programs/state.json").read_text()
    assert here.check() == ()
    assert (mac / "programs/state.json").read_text() == before, "a guard only looks"


def _apply(id: str, mac: Path) -> None:
    resource = whole()[id]
    assert isinstance(resource, Exec)
    here = _here(resource, mac)
    here.apply(here.check())


def test_the_log_of_installations_keeps_its_other_settings(mac: Path) -> None:
    path = mac / "etc/asl/com.apple.install"
    path.chmod(0o640)
    _apply("exec:install.log for a year", mac)
    assert path.read_text() == INSTALL.replace(" all_max=50M ttl=30", " ttl=365")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_audit_keeps_its_other_settings(mac: Path) -> None:
    path = mac / "etc/security/audit_control"
    _apply("exec:audited for 60 days", mac)
    assert path.read_text() == "dir:/var/audit\nexpire-after:60d OR 5G\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o440
    assert json.loads((mac / "programs/state.json").read_text())["audit"] == "read again"


def test_homes_are_closed_and_nothing_else_is(mac: Path) -> None:
    _apply("exec:closed homes", mac)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (mac / "Users").iterdir()}
    assert modes == {"ada": 0o700, "bob": 0o711, "Shared": 0o777}


def test_folders_of_the_system_are_closed_but_for_those_that_are_meant_to_be_open(mac: Path) -> None:
    _apply("exec:closed system", mac)
    system = mac / "System/Volumes/Data/System"
    assert stat.S_IMODE((system / "Library/open").stat().st_mode) == 0o775
    assert stat.S_IMODE((system / "downloadDir").stat().st_mode) == 0o777


def test_a_right_keeps_what_it_is_not_about(mac: Path) -> None:
    _apply("exec:settings for all", mac)
    rights = json.loads((mac / "programs/state.json").read_text())["rights"]
    assert len(rights) == 8
    wanted = {"class": "user", "shared": False, "group": "admin", "authenticate-user": True, "session-owner": False}
    assert all(right == wanted | {"timeout": 300} for right in rights.values())
