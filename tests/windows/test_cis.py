"""``cis`` on a Windows: what the registry holds is put right and stays so. Wine has no audit policy and no rules for
passwords, so that those sections can only be seen to fail with a sentence.
"""

from __future__ import annotations

import time
from typing import Any

from converge.shipped.cis.windows.tables import GUARDS

CIS = ("serve", "cis", "--set", "skip=passwords,lockout,audit", "--set", f"unguarded={','.join(GUARDS)}")
ONCE = ("--timeout", "1s", "--detailed-exit-codes")
TERMINAL = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services"
DEADLINE = 30.0


def test_the_registry_of_cis_converges_and_stays(windows: Any) -> None:
    first = windows.converge(*CIS, *ONCE)
    assert first.returncode == 2, first.stdout
    second = windows.converge(*CIS, *ONCE)
    assert second.returncode == 0, second.stdout
    assert windows.converge("plan", *CIS[1:], "--detailed-exit-codes").returncode == 0
    assert "0x1" in windows.reg("query", TERMINAL, "/v", "UserAuthentication").stdout
    hardened = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\NetworkProvider\HardenedPaths"
    assert "RequireIntegrity=1" in windows.reg("query", hardened, "/v", r"\\*\SYSVOL").stdout


def test_what_another_program_changes_is_put_right(windows: Any) -> None:
    with windows.guarding(*CIS[1:]):
        began = time.monotonic()
        added = windows.reg("add", TERMINAL, "/v", "UserAuthentication", "/t", "REG_DWORD", "/d", "0", "/f")
        assert added.returncode == 0, added.stdout
        while "0x1" not in windows.reg("query", TERMINAL, "/v", "UserAuthentication").stdout:
            assert time.monotonic() - began < DEADLINE
        print(f"a value of cis changed: {time.monotonic() - began:.1f} s, with reg.exe's own time")


def test_what_wine_lacks_is_said_in_a_sentence(windows: Any) -> None:
    done = windows.converge("serve", "cis", "--set", "sections=passwords,audit", "--max-retries", "0", *ONCE)
    assert "Traceback" not in done.stdout
    assert "the password policy cannot be read: the part of Windows that keeps them failed" in done.stdout
    assert "this system has no audit policy" in done.stdout


def test_that_of_a_mac_can_be_checked(windows: Any) -> None:
    checked = windows.converge("check", "cis", "--platform", "darwin", "--set", "people=ada")
    assert checked.returncode == 0, checked.stdout
    assert "no mistakes" in checked.stdout
