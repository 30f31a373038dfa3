"""Values of the registry of Windows: what can be told of a declaration anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.cli import main
from converge.core.trigger import RegistryChanged
from converge.resources.registry import Registry

KEY = r"HKLM\SOFTWARE\Example"


def mistakes(it: Registry) -> list[str]:
    return list(it.mistakes())


@pytest.mark.parametrize(
    "key", [KEY, r"hklm\software\EXAMPLE", r"HKEY_LOCAL_MACHINE\Software\Example", "HKLM\\SOFTWARE\\Example\\"]
)
def test_one_value_is_one_however_it_is_written(key: str) -> None:
    assert list(Registry(key, "Port", data=1).claims()) == list(Registry(KEY, "PORT", data=1).claims())
    assert Registry(key, "Port", data=1).id.lower() == r"registry:hklm\software\example\port"


def test_the_id_is_as_written_but_for_the_top_key() -> None:
    assert Registry(r"HKEY_LOCAL_MACHINE\SOFTWARE\Example", "Port", data=1).id == r"registry:HKLM\SOFTWARE\Example\Port"


def test_a_key_is_not_the_value_of_that_name_in_the_key_above() -> None:
    assert Registry(KEY + r"\Port").id != Registry(KEY, "Port", data=1).id
    assert Registry(KEY).id != Registry(KEY, "", data="x").id


@pytest.mark.parametrize(
    ("data", "number"), [(1, 4), ((1 << 32) - 1, 4), (1 << 32, 11), ("x", 1), (b"\x01", 3), (["a"], 7), ([], 7)]
)
def test_the_type_follows_from_the_data(data: int | str | bytes | Sequence[str], number: int) -> None:
    it = Registry(KEY, "x", data=data)
    assert mistakes(it) == []
    assert it.wanted() == (number, data)


@pytest.mark.parametrize(
    ("name", "number"),
    [("sz", 1), ("REG_SZ", 1), ("Expand_SZ", 2), ("reg_expand_sz", 2), ("expandstring", 2), ("ExpandString", 2)],
)
def test_types_have_several_names(name: str, number: int) -> None:
    it = Registry(KEY, "x", data="%PATH%", type=name)
    assert mistakes(it) == []
    assert it.wanted() == (number, "%PATH%")


@pytest.mark.parametrize(
    ("it", "told"),
    [
        (Registry(r"HKXX\a", "x", data=1), "begins with none of"),
        (Registry("HKLM", "x", data=1), "top of the registry"),
        (Registry(r"HKLM\a\\b", "x", data=1), "empty or too long"),
        (Registry("HKLM\\" + "a" * 256, "x", data=1), "empty or too long"),
        (Registry(r"HKLM\SOFTWARE", state="absent"), "cannot be declared absent"),
        (Registry(KEY, "x"), "data is missing"),
        (Registry(KEY, "x\0", data=1), "no name"),
        (Registry(KEY, data=1), "without value"),
        (Registry(KEY, "x", data=1, state="absent"), "with state absent"),
        (Registry(KEY, "x", data=1, type="word"), "is no type"),
        (Registry(KEY, "x", data=-1), "from 0 to 4294967295"),
        (Registry(KEY, "x", data=1 << 32, type="dword"), "from 0 to 4294967295"),
        (Registry(KEY, "x", data=1 << 64), "from 0 to 18446744073709551615"),
        (Registry(KEY, "x", data="1", type="qword"), "whole number"),
        (Registry(KEY, "x", data=1, type="sz"), "takes text"),
        (Registry(KEY, "x", data="a\0b"), "NUL"),
        (Registry(KEY, "x", data="ab", type="multistring"), "list of texts"),
        (Registry(KEY, "x", data=["a", ""]), "no empty texts"),
        (Registry(KEY, "x", data="ff", type="binary"), "takes bytes"),
    ],
)
def test_mistakes_say_what_is_wrong(it: Registry, told: str) -> None:
    (said,) = mistakes(it)
    assert told in said


@given(st.integers())
def test_whole_numbers_are_taken_exactly_where_64_bits_hold_them(data: int) -> None:
    it = Registry(KEY, "x", data=data)
    assert (mistakes(it) == []) == (0 <= data < 1 << 64)


def test_only_the_users_own_keys_need_no_administrator() -> None:
    assert Registry(r"HKEY_CURRENT_USER\Software\X").needs_root() is None
    assert Registry(KEY).needs_root() == "only an administrator can change HKLM"


def test_the_key_is_watched() -> None:
    assert Registry(r"HKEY_CURRENT_USER\Software\X", "v", data=1).triggers() == (RegistryChanged(r"HKCU\Software\X"),)


def test_a_blueprint_for_windows_is_checked_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "site.py"
    place.write_text(
        "from converge import Run, blueprint\n"
        '@blueprint("site")\n'
        "def site(r: Run) -> None:\n"
        '    r.registry(r"HKLM\\SOFTWARE\\Example", "Port", data=8080)\n'
        '    r.registry(r"HKEY_LOCAL_MACHINE\\software\\example", state="present")\n'
    )
    assert main(["check", str(place), "--platform", "windows"]) == 0
    assert "2 resources, no mistakes for windows" in capsys.readouterr().out
    assert main(["check", str(place), "--platform", "linux"]) == 1
    assert "there is no r.registry on linux, only on windows" in "".join(capsys.readouterr())
    place.write_text(place.read_text() + '    r.registry(r"HKLM\\Software\\EXAMPLE", "PORT", data=1)\n')
    assert main(["check", str(place), "--platform", "windows"]) == 1
    assert "only one can have it" in "".join(capsys.readouterr())


def test_the_removal_of_a_whole_key_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "site.py"
    head = 'from converge import Run, blueprint\n@blueprint("site")\ndef site(r: Run) -> None:\n'
    place.write_text(head + '    r.registry(r"HKLM\\SOFTWARE\\Example", state="absent")\n')
    assert main(["check", str(place), "--platform", "windows"]) == 0
    said = capsys.readouterr().err
    assert f"{place}:4: registry:HKLM\\SOFTWARE\\Example" in said
    assert "removes the key and all that is below it" in said
    place.write_text(head + '    r.registry(r"HKLM\\SOFTWARE\\Example", "", state="absent")\n')
    assert main(["check", str(place), "--platform", "windows"]) == 0
    assert capsys.readouterr().err == ""


def test_other_names_of_types() -> None:
    assert Registry(KEY, "x", type="string", data="a").wanted() == (1, "a")
    assert Registry(KEY, "x", type="REG_SZ", data="a").wanted() == (1, "a")
    (said,) = mistakes(Registry(KEY, "x", type="multistring", data="a,b"))
    assert said == "a multistring takes a list of texts, such as ['a', 'b']"
