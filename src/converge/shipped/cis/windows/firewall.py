"""Section 9: the firewall, in its three profiles."""

from __future__ import annotations

from collections.abc import Iterator

from converge.shipped.cis.windows.tables import POLICIES, Rule, Table

_LEAST_KB = 16384
_SHUT = "What nobody allowed has no business here."
_TRACES = "Who tried to come in is known afterwards."


def _profile(chapter: str, profile: str, logging: int) -> Iterator[Rule]:
    """What the three have in common; ``logging`` is the number of the first recommendation on that."""
    key, row = rf"{POLICIES}\WindowsFirewall\{profile}Profile", Table("firewall")
    yield row(
        f"{chapter}.1",
        f"Windows Firewall: {profile}: Firewall state: On",
        _SHUT,
        key,
        "EnableFirewall",
        1,
        guard="firewall",
    )
    yield row(
        f"{chapter}.2", f"Windows Firewall: {profile}: Inbound connections: Block", _SHUT,
        key, "DefaultInboundAction", 1, guard="firewall",
    )  # fmt: skip
    yield row(
        f"{chapter}.3", f"Windows Firewall: {profile}: Outbound connections: Allow",
        "Updates and logons must not depend on rules.",
        key, "DefaultOutboundAction", 0,
    )  # fmt: skip
    yield row(
        f"{chapter}.4", f"Windows Firewall: {profile}: Display a notification: No",
        "Whoever is at the screen would say yes.", key, "DisableNotifications", 1,
    )  # fmt: skip
    key = rf"{key}\Logging"
    file = rf"%SystemRoot%\System32\logfiles\firewall\{profile.lower()}fw.log"
    yield row(f"{chapter}.{logging}", f"Windows Firewall: {profile}: Logging: Name", _TRACES, key, "LogFilePath", file)
    yield row(
        f"{chapter}.{logging + 1}",
        f"Windows Firewall: {profile}: Logging: Size limit: 16,384 KB",
        _TRACES,
        key,
        "LogFileSize",
        _LEAST_KB,
    )
    yield row(
        f"{chapter}.{logging + 2}",
        f"Windows Firewall: {profile}: Logging: dropped packets",
        _TRACES,
        key,
        "LogDroppedPackets",
        1,
    )
    yield row(
        f"{chapter}.{logging + 3}",
        f"Windows Firewall: {profile}: Logging: successful connections",
        _TRACES,
        key,
        "LogSuccessfulConnections",
        1,
    )


def _public() -> Iterator[Rule]:
    key, row = rf"{POLICIES}\WindowsFirewall\PublicProfile", Table("firewall")
    why = "A program that is installed here opens its own port, and that is meant for networks of friends."
    yield row(
        "9.3.5", "Windows Firewall: Public: Apply local firewall rules: No", why, key, "AllowLocalPolicyMerge", 0,
        guard="local-firewall-rules",
    )  # fmt: skip
    yield row(
        "9.3.6", "Windows Firewall: Public: Apply local connection security rules: No", why, key,
        "AllowLocalIPsecPolicyMerge", 0,
        guard="local-firewall-rules",
    )  # fmt: skip


RULES = (*_profile("9.1", "Domain", 5), *_profile("9.2", "Private", 5), *_profile("9.3", "Public", 7), *_public())
