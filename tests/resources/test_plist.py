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

from converge.cli import main
from converge.errors import Mistakes
from converge.loading import Given, load
from converge.platform import pretended_platform
from converge.resources.base import ResourceError
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


@pytest.mark.parametrize("value", ["a <b>", True, 3, 1.5, b"\x00", datetime(2026, 1, 2), [1, {"a": "b"}]])
def test_a_domain_is_changed_by_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 501)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "Library" / "Preferences"
    folder.mkdir(parents=True)
    script = tmp_path / "defaults"
    script.write_text(
        f"#!{sys.executable}\nimport pathlib, plistlib, sys\nverb, domain, key, *value = sys.argv[1:]\n"
        f"path = pathlib.Path({str(folder)!r}, domain + '.plist')\n"
        "all = plistlib.loads(path.read_bytes()) if path.exists() else {}\n"
        "if verb == 'write':\n    all[key] = plistlib.loads(b'<plist>' + value[0].encode() + b'</plist>')\n"
        "elif verb == 'delete':\n    del all[key]\n"
        "path.write_bytes(plistlib.dumps(all, fmt=plistlib.FMT_BINARY))\n"
    )
    script.chmod(0o755)
    wanted = Plist("com.example.app", "Key", value=value)
    wanted.tell(str(script))
    assert wanted.check() == ()
    gone = Plist("com.example.app", "Key", state="absent")
    gone.tell(str(script))
    assert gone.check() == ()
    with pytest.raises(ResourceError, match="defaults delete ended with exit status 1"):
        gone.tell(str(script))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(Plist("com.a", "k"), "value is missing"), (Plist("com.a", "k", value=1, type="bool"), "of the type int"),
     (Plist("dock", "k", value=1), "no domain"), (Plist("a/b.plist", "k", value=1), "absolute"),
     (Plist("/a/../b.plist", "k", value=1), "not plain"), (Plist("com.a", "-k", value=1), "no name for a key"),
     (Plist("com.a", "k", value=1, state="absent"), "leave out"), (Plist("com.a", "k", value=[None]), "NoneType"),
     (Plist("com.a", "k", value=2**64), "too large"), (Plist("com.a", "k", value=float("nan")), "NaN")],
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
