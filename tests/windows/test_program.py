"""The program on a Windows Python, and the registry put right there while other programs change it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

KEY = r"HKLM\SOFTWARE\ConvergeTest"
SITE = r"""
from converge import Run, blueprint

KEY = r"HKLM\SOFTWARE\ConvergeTest"


@blueprint("site", "some values")
def site(r: Run) -> None:
    r.registry(KEY, "Port", data=8080)
    r.registry(KEY, "Name", data="converge")
    r.registry(KEY, "Many", data=["one", "two"])
    r.registry(KEY, "Long", data=2**40)
    r.registry(KEY, "Folder", data=r"%ProgramData%\x", type="expandstring")
    r.registry(KEY + r"\Below", "", data=b"\x00\x01")
    r.registry(KEY, "Gone", state="absent")
"""
DEADLINE = 30.0


# Any: the fixture is loaded by path
def until_value(windows: Any, name: str, wanted: str, key: str = KEY) -> float:
    """Seconds until another program sees it; reg.exe itself takes most of them."""
    began = time.monotonic()
    while wanted not in windows.reg("query", key, "/v", name).stdout:
        assert time.monotonic() - began < DEADLINE, f"{name} is not {wanted} again"
    return time.monotonic() - began


def test_the_program_starts(windows: Any) -> None:
    version = windows.converge("version")
    assert version.returncode == 0, version.stdout
    assert "windows" in version.stdout
    assert "registry" in windows.converge("list", "-e").stdout


def test_what_windows_lacks_is_a_mistake(windows: Any, tmp_path: Path) -> None:
    (tmp_path / "site.py").write_text(SITE + '    r.sysctl("kernel.panic", 1)\n')
    checked = windows.converge("check", windows.path(tmp_path / "site.py"))
    assert checked.returncode == 1, checked.stdout
    assert "there is no r.sysctl on windows" in checked.stdout


@pytest.mark.parametrize(
    ("name", "platform"), [("linux_server", "linux"), ("cis", "linux"), ("darwin", "darwin"), ("windows", "windows")]
)
def test_blueprints_for_other_machines_can_be_checked(windows: Any, name: str, platform: str) -> None:
    checked = windows.converge("check", name, "--platform", platform)
    assert checked.returncode == 0, checked.stdout
    assert "no mistakes" in checked.stdout


def test_the_registry_is_converged_and_guarded(windows: Any, tmp_path: Path) -> None:
    (tmp_path / "site.py").write_text(SITE)
    site = windows.path(tmp_path / "site.py")
    windows.reg("add", KEY, "/v", "Gone", "/d", "x", "/f")
    assert windows.converge("plan", site, "--detailed-exit-codes").returncode == 5
    once = ("serve", site, "--timeout", "1s", "--detailed-exit-codes")
    first = windows.converge(*once)
    assert first.returncode == 2, first.stdout
    second = windows.converge(*once)
    assert second.returncode == 0, second.stdout
    assert windows.converge("plan", site, "--detailed-exit-codes").returncode == 0
    assert "Gone" not in windows.reg("query", KEY).stdout

    with windows.guarding(site):
        windows.reg("add", KEY, "/v", "Port", "/t", "REG_DWORD", "/d", "1", "/f")
        print(f"value changed: {until_value(windows, 'Port', '0x1f90'):.1f} s")
        windows.reg("delete", KEY, "/v", "Name", "/f")
        print(f"value deleted: {until_value(windows, 'Name', 'converge'):.1f} s")
        windows.reg("delete", KEY, "/f")
        print(f"key deleted: {until_value(windows, 'Folder', '%ProgramData%'):.1f} s")


GATED = r"""
from converge import Run, blueprint, registry_key_exists, registry_value_equals, registry_value_exists

KEY = r"HKLM\SOFTWARE\ConvergeGate"
DONE = r"HKLM\SOFTWARE\ConvergeDone"


@blueprint("gated", "some values, each when it is time")
def condition_answered(r: Run) -> None:
    r.registry(DONE, "Key", data="done", condition=registry_key_exists(KEY))
    r.registry(DONE, "Value", data="done", condition=registry_value_exists(KEY, "There"))
    r.registry(DONE, "Equal", data="done", condition=registry_value_equals(KEY, "There", 2))
"""


def test_conditions_wait_for_the_registry(windows: Any, tmp_path: Path) -> None:
    (tmp_path / "gated.py").write_text(GATED)
    done, gate = r"HKLM\SOFTWARE\ConvergeDone", r"HKLM\SOFTWARE\ConvergeGate"
    with windows.guarding(windows.path(tmp_path / "gated.py")):
        assert "done" not in windows.reg("query", done).stdout
        windows.reg("add", gate, "/f")
        until_value(windows, "Key", "done", done)
        windows.reg("add", gate, "/v", "There", "/t", "REG_DWORD", "/d", "1", "/f")
        until_value(windows, "Value", "done", done)
        assert "Equal" not in windows.reg("query", done).stdout
        windows.reg("add", gate, "/v", "There", "/t", "REG_DWORD", "/d", "2", "/f")
        until_value(windows, "Equal", "done", done)


MAKE_LINK = r"""
import ctypes, winreg
from ctypes import wintypes

CREATE_LINK, LINK = 2, 6
with winreg.CreateKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\ConvergeTarget\Inside") as key:
    winreg.SetValueEx(key, "Dear", 0, winreg.REG_SZ, "kept")
winreg.CreateKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\ConvergeOld").Close()
key = wintypes.HKEY()
make = ctypes.windll.advapi32.RegCreateKeyExW
make.argtypes = (
    wintypes.HKEY, wintypes.LPCWSTR, wintypes.DWORD, wintypes.LPWSTR, wintypes.DWORD, wintypes.DWORD,
    ctypes.c_void_p, ctypes.POINTER(wintypes.HKEY), ctypes.c_void_p,
)
name = r"SOFTWARE\ConvergeOld\Link"
code = make(winreg.HKEY_LOCAL_MACHINE, name, 0, None, CREATE_LINK, winreg.KEY_ALL_ACCESS, None, ctypes.byref(key), None)
assert code == 0, code
target = r"\Registry\Machine\SOFTWARE\ConvergeTarget".encode("utf-16-le")
write = ctypes.windll.advapi32.RegSetValueExW
write.argtypes = (
    wintypes.HKEY, wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, ctypes.c_char_p, wintypes.DWORD,
)
assert write(key, "SymbolicLinkValue", 0, LINK, target, len(target)) == 0
with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, name + r"\Inside") as inside:
    print(winreg.QueryValueEx(inside, "Dear")[0])
"""


def test_nothing_is_removed_through_a_link(windows: Any, tmp_path: Path) -> None:
    assert "kept" in windows.python(MAKE_LINK), "the link leads there"
    (tmp_path / "site.py").write_text(
        'from converge import Run, blueprint\n@blueprint("old")\ndef old(r: Run) -> None:\n'
        '    r.registry(r"HKLM\\SOFTWARE\\ConvergeOld", state="absent", retry=0)\n'
    )
    served = windows.converge("serve", windows.path(tmp_path / "site.py"), "--timeout", "1s")
    assert served.returncode == 1, served.stdout
    assert "is a link to another key" in served.stdout
    assert "kept" in windows.reg("query", r"HKLM\SOFTWARE\ConvergeTarget\Inside", "/v", "Dear").stdout


def test_our_own_blueprint_converges(windows: Any) -> None:
    once = ("serve", "windows", "--timeout", "1s", "--detailed-exit-codes")
    first = windows.converge(*once)
    assert first.returncode == 2, first.stdout
    second = windows.converge(*once)
    assert second.returncode == 0, second.stdout
