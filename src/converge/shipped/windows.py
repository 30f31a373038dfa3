"""``windows``: uncontroversial defaults for any Windows machine."""

from __future__ import annotations

from converge.blueprints.run import Run
from converge.shipped import common

_SYSTEM = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"
_EXPLORER = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer"
_POLICIES = r"HKLM\SOFTWARE\Policies\Microsoft"
_CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control"

_SETTINGS = (
    (_SYSTEM, "EnableLUA", 1),  # programs of administrators ask before they act as such
    (_SYSTEM, "PromptOnSecureDesktop", 1),  # and where no other program can answer
    (_EXPLORER, "NoDriveTypeAutoRun", 255),  # nothing starts because a disk was put in
    (_EXPLORER, "NoAutorun", 1),
    (rf"{_CONTROL}\Lsa", "NoLMHash", 1),  # no password is stored in a form that is found in minutes,
    (rf"{_CONTROL}\SecurityProviders\WDigest", "UseLogonCredential", 0),  # nor kept in memory as it was typed,
    (rf"{_CONTROL}\Lsa", "LimitBlankPasswordUse", 1),  # and an empty one is good for the console alone
    (rf"{_CONTROL}\Lsa", "RestrictAnonymousSAM", 1),  # strangers are not told who has an account
    (rf"{_POLICIES}\Windows NT\DNSClient", "EnableMulticast", 0),  # nor does any neighbour answer for a host's name
    (rf"{_POLICIES}\Windows NT\Terminal Services", "UserAuthentication", 1),  # who connects is known before a session
    (r"HKLM\SYSTEM\CurrentControlSet\Services\LanManServer\Parameters", "SMB1", 0),  # its successor is of 2006
    (rf"{_POLICIES}\Windows\PowerShell\ScriptBlockLogging", "EnableScriptBlockLogging", 1),
)
_UPDATES = rf"{_POLICIES}\Windows\WindowsUpdate\AU"
_ADVANCED = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Explorer\Advanced"
_PROFILES = ("DomainProfile", "PrivateProfile", "PublicProfile")


def windows(
    r: Run,
    automatic_updates: bool = True,
    firewall: bool = False,
    file_extensions: bool = False,
    telemetry: int | None = None,
) -> None:
    """Windows' own protections on, and the old ways in closed.

    ``automatic_updates``: updates are fetched and installed by themselves.
    ``firewall``: on in all profiles; what it lets in is left as it is, so look at that before.
    ``file_extensions``: Explorer shows them to the account that converge runs as.
    ``telemetry``: what Microsoft is told, from 0 (Enterprise and Server only) to 3; unset, what is set now.
    """
    common.only_on(r, "windows", "windows")
    for key, value, data in _SETTINGS:
        r.include(common.registry_value, key, value, data)
    if automatic_updates:
        r.include(common.registry_value, _UPDATES, "NoAutoUpdate", 0)
        r.include(common.registry_value, _UPDATES, "AUOptions", 4)
    if firewall:
        for profile in _PROFILES:
            r.include(common.registry_value, rf"{_POLICIES}\WindowsFirewall\{profile}", "EnableFirewall", 1)
    if file_extensions:
        r.include(common.registry_value, _ADVANCED, "HideFileExt", 0)
    if telemetry is not None:
        r.include(common.registry_value, rf"{_POLICIES}\Windows\DataCollection", "AllowTelemetry", telemetry)
