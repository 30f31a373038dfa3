"""``cis`` for a pretended Windows; tests/windows/test_cis.py has it converge."""

from __future__ import annotations

import re
from typing import Any

import pytest

from converge.blueprints.run import Run
from converge.shipped.cis import windows
from converge.shipped.cis.windows.tables import GUARDS, SECTIONS
from converge.testing import Site, declare

_CHAPTERS = {
    "passwords": "1.1", "lockout": "1.2", "accounts": "2.3", "logon": "2.3", "sharing": "2.3", "authentication": "2.3",
    "uac": "2.3", "firewall": "9", "audit": "17", "hardening": "18", "network": "18.6", "printing": "18.7",
    "system": "18", "components": "18.10", "event-log": "18.10.26", "defender": "18.10", "remote-desktop": "18",
    "powershell": "18.10.87", "winrm": "18.10", "updates": "18.10.93",
    "services": "W11-5", "device-guard": "18.9.5",
}  # fmt: skip


def cis(**parameters: Any) -> Site:  # whatever the blueprint takes
    return declare("cis", platform="windows", **parameters)


def test_it_is_whole_and_without_mistakes() -> None:
    site = cis(unguarded=list(GUARDS))
    assert site.mistakes == ()
    assert len(site.resources) > 250
    assert {id.partition(":")[0] for id in site.ids} == {"registry", "auditpolicy", "securitypolicy"}


def test_every_recommendation_is_there_once_and_in_its_section() -> None:
    rules = windows.rules()
    numbers = [rule.number for rule in rules]
    assert len(numbers) == len(set(numbers)) > 240
    assert {rule.section for rule in rules} == set(SECTIONS) == set(_CHAPTERS)
    for rule in rules:
        assert re.fullmatch(r"\d+(\.\d+){2,6}|W11-\d+(\.\d+)+", rule.number)
        assert f"{rule.number}.".removeprefix("W11-").startswith(f"{_CHAPTERS[rule.section].removeprefix('W11-')}."), (
            rule
        )
        assert not rule.number.startswith("W11-") or rule.extra.startswith("Windows 11")
        assert rule.title
        assert rule.why.endswith((".", ")"))


def test_nothing_that_can_lock_out_is_done_unless_it_is_named() -> None:
    everything = set(cis(unguarded=list(GUARDS), also=list(SECTIONS)).ids)
    careful = set(cis().ids)
    for dangerous in (
        "EnableFirewall", "LocalAccountTokenFilterPolicy", "NoConnectedUser", "UserAuthentication", "RunAsPPL",
        "AllowLocalPolicyMerge", "securitypolicy:MaximumPasswordAge", "LockoutBadCount",
        r"Service\AllowBasic", "service:sshd", "service:WinRM", "service:TermService", "fDenyTSConnections",
    ):  # fmt: skip
        assert not [id for id in careful if id.endswith(dangerous)]
        assert [id for id in everything if id.endswith(dangerous)]


def test_what_is_of_level_2_is_kept_where_it_is_named() -> None:
    plain, more = set(cis().ids), set(cis(also=["18.10.59.4", "18.10.12.2", "W11-5", "device-guard"]).ids)
    added = {id.rpartition("\\")[2] for id in more - plain}
    assert {"EnableDynamicContentInWSB", "DisableCloudOptimizedContent", "LsaCfgFlags", "service:Spooler"} <= added
    assert not {"service:sshd", "service:WinRM"} & added, "these can lock somebody out"
    builds = cis()[r"registry:HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\ManagePreviewBuildsPolicyValue"]
    assert builds.data == 1


def test_both_halves_of_the_audit_policy() -> None:
    for both in (False, True):
        policies = [each for each in cis(audit_both=both).resources if each.kind == "auditpolicy"]
        assert len(policies) == 27
        assert all(each.success and each.failure for each in policies) == both


def test_parameters_are_the_owners() -> None:
    limits = {"password_length": 20, "lockout_after": 10, "lockout_minutes": 30, "idle_seconds": 300}
    site = cis(**limits, banner="Mine.\n", unguarded=["lockout"])
    assert site["securitypolicy:MinimumPasswordLength"].value == 20
    assert site["securitypolicy:LockoutBadCount"].value == 10
    assert site["securitypolicy:LockoutDuration"].value == site["securitypolicy:ResetLockoutCount"].value == 30
    key = r"registry:HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"
    assert site[rf"{key}\InactivityTimeoutSecs"].data == 300
    assert site[rf"{key}\LegalNoticeText"].data == "Mine."


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"sections": ["firewal"]}, "cis has no section 'firewal' (did you mean firewall?); it has passwords, lockout"),
        ({"skip": ["3.1"]}, "nothing in cis is called '3.1'"),
        ({"unguarded": ["rdp"]}, "nothing is guarded as 'rdp'; see password-age"),
        ({"unguarded": ["firewal"]}, "did you mean firewall"),
        ({"keep": ["nginx"]}, "keep is no parameter of cis on Windows"),
        ({"password_length": 200}, "MinimumPasswordLength is from 0 to 128"),
        ({"idle_seconds": "soon"}, "idle_seconds"),
    ],
)
def test_mistakes(parameters: dict[str, object], said: str) -> None:
    mistakes = cis(**parameters).mistakes
    assert any(said in str(mistake) for mistake in mistakes), mistakes


def test_it_goes_together_with_windows() -> None:
    def both(r: Run) -> None:
        r.include("windows", firewall=True)
        r.include("cis", unguarded=list(GUARDS))

    assert declare(both, platform="windows").mistakes == ()
    (mistake,) = declare("cis", distro="debian", idle_seconds=60).mistakes
    assert "idle_seconds is no parameter of cis on Linux" in str(mistake)
