"""``plist`` on real files, in both formats, and through a stand-in for defaults(1)."""

from __future__ import annotations

import plistlib
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converge.blueprints.load import Given, load
from converge.cli import main
from converge.core.errors import Mistakes, NotYet, ResourceError
from converge.core.platform import pretended_platform
from converge.core.resource import Uses
from converge.core.trigger import Every, PathChanged
from converge.host.process import Result
from converge.resources.plist import Plist

FORMATS = [plistlib.FMT_BINARY, plistlib.FMT_XML]
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), max_size=8)
SINGLE = (
    TEXT | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=8) | st.floats(allow_nan=False)
    | st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1)).map(lambda date: date.replace(microsecond=0))
)  # fmt: skip
VALUES = st.recursive(SINGLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(TEXT, VALUES, max_size=4), VALUES, st.sampled_from(FORMATS))
def test_applied_is_in_sync_and_all_else_is_as_it_was(
    tmp_path: Path, before: dict[str, Any], value: object, fmt: plistlib.PlistFormat
) -> None:
    path = tmp_path / "a.plist"
    path.write_bytes(plistlib.dumps(before, fmt=fmt))
    others = {key: each for key, each in before.items() if key != "Key"}
    wanted = Plist(str(path), "Key", value=value)
    assert not list(wanted.mistakes())
    wanted.apply(wanted.check())
    assert wanted.check() == ()
    assert path.read_bytes().startswith(b"bplist00") == (fmt is plistlib.FMT_BINARY)
    gone = Plist(str(path), "Key", state="absent")
    gone.apply(gone.check())
    assert gone.check() == ()
    assert plistlib.loads(path.read_bytes()) == others


@pytest.mark.parametrize(("there", "wanted"), [(1, True), (True, 1), (1, 1.0), ([1], [True]), ("1", 1)])
def test_another_type_is_another_value(tmp_path: Path, there: object, wanted: object) -> None:
    path = tmp_path / "a.plist"
    path.write_bytes(plistlib.dumps({"Key": there}))
    assert Plist(str(path), "Key", value=wanted).check()


def test_the_mode_is_kept_and_what_is_broken_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.plist"
    wanted = Plist(str(path), "Key", value=1)
    wanted.apply(wanted.check())
    path.chmod(0o600)
    path.write_bytes(plistlib.dumps({"Key": 2}))
    wanted.apply(wanted.check())
    assert path.stat().st_mode & 0o777 == 0o600
    for broken in (b"", b"bplist00", b"<plist>", plistlib.dumps([1])):
        path.write_bytes(broken)
        with pytest.raises(ResourceError, match="left as it is"):
            wanted.check()
        with pytest.raises(ResourceError, match="left as it is"):
            wanted.apply(())
        assert path.read_bytes() == broken


_PREFERENCES = """#!{python}
import json, os, pathlib, plistlib, pwd, sys
# The contract of defaults(1): preferences are in memory, and go to the disk only when somebody says "flush".
memory = pathlib.Path({memory!r})
arguments = sys.argv[1:]
host = arguments[:1] == ["-currentHost"]
verb, domain, *rest = arguments[host:]
place = ("ByHost/" if host else "") + domain
with open({log!r}, "a") as log:
    print(os.geteuid(), place, verb, file=log)
lists = plistlib.loads(memory.read_bytes()) if memory.exists() else {{}}
if verb == "export":
    if place not in lists:
        sys.exit("2026-11-25 08:00:00.000 defaults[1:2] \\nThe domain/default pair of %s does not exist" % domain)
    sys.stdout.buffer.write(plistlib.dumps(lists[place]))
elif verb == "write":
    lists.setdefault(place, {{}})[rest[0]] = plistlib.loads(b"<plist>" + rest[1].encode() + b"</plist>")
elif verb == "delete" and rest[0] not in lists.get(place, {{}}):
    sys.exit("Domain (%s) not found.\\nDefaults have not been changed." % domain)
elif verb == "delete":
    del lists[place][rest[0]]
memory.write_bytes(plistlib.dumps(lists))
"""
UUID = "564D2DC3-9E39-5A9A-B1F8-5D1E1E2B9C7A"


class Mac:
    """A home, and a stand-in for defaults(1) and cfprefsd."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.log = root / "log"
        self.memory = root / "memory"
        (self.home / "Library/Preferences/ByHost").mkdir(parents=True)
        self.defaults = root / "defaults"
        self.defaults.write_text(_PREFERENCES.format(python=sys.executable, memory=str(self.memory), log=str(self.log)))
        self.defaults.chmod(0o755)
        self.log.touch()

    def flush(self, place: str, file: str) -> None:
        path = self.home / "Library/Preferences" / file
        path.write_bytes(plistlib.dumps(plistlib.loads(self.memory.read_bytes())[place], fmt=plistlib.FMT_BINARY))

    def calls(self) -> list[str]:
        lines = [line.split(" ", 1)[1] for line in self.log.read_text().splitlines()]
        self.log.write_text("")
        return lines


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mac:
    found = Mac(tmp_path)
    monkeypatch.setattr("converge.resources.plist.places.may_do_all", lambda: False)
    monkeypatch.setattr("converge.resources.plist.places._host", lambda: UUID)
    monkeypatch.setattr("converge.resources.plist.live.DEFAULTS", str(found.defaults))
    monkeypatch.setenv("HOME", str(found.home))
    return found


@pytest.mark.parametrize("value", ["a <b>", True, 3, 1.5, b"\x00", datetime(2026, 1, 2), [1, {"a": "b"}]])
def test_a_domain_is_changed_by_defaults_and_judged_by_what_it_says_until_the_file_is_written(
    mac: Mac, value: object
) -> None:
    wanted = Plist("com.example.app", "Key", value=value)
    assert [change.action for change in wanted.check()] == ["create"]
    wanted.apply(wanted.check())
    assert wanted.check() == ()  # though nothing is on the disk yet
    mac.flush("com.example.app", "com.example.app.plist")
    mac.calls()
    assert wanted.check() == ()
    assert not mac.calls()  # what is right in the file needs no process
    gone = Plist("com.example.app", "Key", state="absent")
    gone.apply(gone.check())
    assert gone.check() == ()
    with pytest.raises(ResourceError, match="defaults delete ended with exit status 1: Domain"):
        gone.apply(())


def test_preferences_for_one_host_are_others_than_those_for_all(mac: Mac) -> None:
    here = Plist("com.apple.screensaver", "idleTime", value=600, host="current")
    anywhere = Plist("com.apple.screensaver", "idleTime", value=600)
    assert here.id == "plist:ByHost/com.apple.screensaver:idleTime"
    here.apply(here.check())
    mac.flush("ByHost/com.apple.screensaver", f"ByHost/com.apple.screensaver.{UUID}.plist")
    assert mac.calls() == ["ByHost/com.apple.screensaver export", "ByHost/com.apple.screensaver write"]
    assert here.check() == ()
    assert anywhere.check()
    assert here.triggers() == (
        PathChanged(f"{mac.home}/Library/Preferences/ByHost/com.apple.screensaver.{UUID}.plist"),
    )
    (global_,) = Plist("NSGlobalDomain", "a", value=1, host="current").triggers()
    assert global_ == PathChanged(f"{mac.home}/Library/Preferences/ByHost/.GlobalPreferences.{UUID}.plist")


def test_a_program_in_a_sandbox_has_its_preferences_there(mac: Mac) -> None:
    wanted = Plist("com.example.app", "Key", value=1)
    wanted.apply(())
    mac.flush("com.example.app", "com.example.app.plist")  # of before it was in one
    assert wanted.check() == ()
    data = mac.home / "Library/Containers/com.example.app/Data/Library/Preferences"
    data.mkdir(parents=True)
    (data / "com.example.app.plist").write_bytes(plistlib.dumps({"Key": 2}))
    mac.memory.write_bytes(plistlib.dumps({"com.example.app": {"Key": 2}}))
    (change,) = wanted.check()
    assert change.from_ == "2"
    assert wanted.triggers() == (PathChanged(f"{data}/com.example.app.plist"),)
    assert wanted.triggers_vary()
    here = Plist("com.example.app", "Key", value=1, host="current")
    assert here.triggers() == (PathChanged(f"{data}/ByHost/com.example.app.{UUID}.plist"),)


def test_the_uuid_is_what_the_hardware_says(monkeypatch: pytest.MonkeyPatch) -> None:
    from converge.resources.plist import places

    here = Plist("com.apple.screensaver", "idleTime", value=600, host="current")
    places._host.cache_clear()
    monkeypatch.setattr("converge.host.serial.hardware_serial", lambda: "")
    with pytest.raises(ResourceError, match="hardware UUID"):
        here.check()
    monkeypatch.setattr("converge.host.serial.hardware_serial", lambda: UUID)
    (trigger,) = here.triggers()
    assert isinstance(trigger, PathChanged)
    assert trigger.path.endswith(f"/ByHost/com.apple.screensaver.{UUID}.plist")
    places._host.cache_clear()


def test_another_persons_preferences_are_changed_as_that_person(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    nobody = pwd.getpwnam("nobody")
    account = pwd.struct_passwd((*nobody[:5], str(mac.home), nobody[6]))
    monkeypatch.setattr("pwd.getpwnam", {"ada": account}.__getitem__)
    wanted = Plist("com.apple.dock", "autohide", value=True, user="ada")
    assert wanted.id == "plist:~ada/com.apple.dock:autohide"
    assert wanted.needs() == (Uses("user:ada"),)
    assert wanted.triggers() == (PathChanged(f"{mac.home}/Library/Preferences/com.apple.dock.plist"),)
    assert wanted.check()
    later = Plist("com.apple.dock", "autohide", value=True, user="bob")
    with pytest.raises(NotYet, match="user bob does not exist") as told:
        later.check()
    assert told.value.needs == "user:bob"
    assert later.triggers() == (Every(60.0),)
    seen: list[object] = []

    def run(argv: list[str], **options: object) -> Result:
        seen.append((argv[1:4], options["user"]))
        return Result(0, "")

    monkeypatch.setattr("converge.host.process.run", run)
    wanted.apply(())
    assert seen == [(["write", "com.apple.dock", "autohide"], "ada")]


def test_what_root_sets_is_for_all(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converge.resources.plist.places.may_do_all", lambda: True)
    wanted = Plist("com.apple.loginwindow", "GuestEnabled", value=False)
    assert wanted.triggers() == (PathChanged("/Library/Preferences/com.apple.loginwindow.plist"),)
    wanted.apply(())
    assert mac.calls() == ["/Library/Preferences/com.apple.loginwindow write"]


def test_a_setting_is_adopted_as_it_is(mac: Mac, tmp_path: Path) -> None:
    there = Plist("com.apple.dock", "a:b", value={"x": [1, True]})
    there.apply(())
    assert Plist.adopt("com.apple.dock:a:b").resource == there
    path = tmp_path / "a.plist"
    path.write_bytes(plistlib.dumps({"Key": b"x", "Day": datetime(2026, 1, 2)}))
    assert Plist.adopt(f"{path}:Key").resource == Plist(str(path), "Key", value=b"x")
    for wrong, said in {
        "com.apple.dock:none": "no key none", "dock": "DOMAIN:KEY", "dock:x": "no domain", f"{path}:Day": "just so"
    }.items():  # fmt: skip
        with pytest.raises(ResourceError, match=said):
            Plist.adopt(wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(Plist("com.a", "k"), "value is missing"), (Plist("com.a", "k", value=1, type="bool"), "of the type int"),
     (Plist("dock", "k", value=1), "no domain"), (Plist("a/b.plist", "k", value=1), "absolute"),
     (Plist("/a/../b.plist", "k", value=1), "not plain"), (Plist("com.a", "-k", value=1), "no name for a key"),
     (Plist("com.a", "k", value=1, state="absent"), "leave out"), (Plist("com.a", "k", value=[None]), "NoneType"),
     (Plist("com.a", "k", value=2**64), "too large"), (Plist("com.a", "k", value=1, user="-x"), "name of a user"),
     (Plist("/a/b.plist", "k", value=1, host="current"), "belong to domains"),
     (Plist("com.a", "k", value=float("nan")), "NaN")],
)  # fmt: skip
def test_mistakes_are_said(wrong: Plist, said: str) -> None:
    (sentence,) = wrong.mistakes()
    assert said in sentence


def test_a_blueprint_for_macos_may_have_it_and_one_for_linux_may_not(tmp_path: Path) -> None:
    path = tmp_path / "site.py"
    path.write_text(
        "from converge import Run, blueprint\n\n@blueprint('site')\ndef site(r: Run):\n"
        "    r.plist('com.apple.dock', 'autohide', value=True)\n"
    )
    given_ = Given(platform=pretended_platform("darwin"))
    (found,) = load(str(path), given=given_).graph.resources
    assert found.id == "plist:com.apple.dock:autohide"
    assert main(["check", "--platform", "darwin", str(path)]) == 0
    with pytest.raises(Mistakes, match="only on darwin"):
        load(str(path), given=Given(platform=pretended_platform("linux")))
