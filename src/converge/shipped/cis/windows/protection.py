"""Sections 18.10.43 to 18.10.93: Defender, Remote Desktop, PowerShell, WinRM and updates."""

from __future__ import annotations

from converge.shipped.cis.windows.tables import LEVEL_2, POLICIES, SYSTEM, Table, rule, values

_component, _defender, _remote = Table("components"), Table("defender"), Table("remote-desktop")
_powershell, _winrm, _updates = Table("powershell"), Table("winrm"), Table("updates")
_DEFENDER = rf"{POLICIES}\Windows Defender"
_GUARD = rf"{_DEFENDER}\Windows Defender Exploit Guard"
_LIVE = rf"{_DEFENDER}\Real-Time Protection"
_TERMINAL = rf"{POLICIES}\Windows NT\Terminal Services"
_SEARCH = rf"{POLICIES}\Windows\Windows Search"
_CLIENT, _SERVICE = rf"{POLICIES}\Windows\WinRM\Client", rf"{POLICIES}\Windows\WinRM\Service"
_UPDATE = rf"{POLICIES}\Windows\WindowsUpdate"

_ADVERTS = "A server shows no advertisements and loads nothing for them."
_TOLD = "What is done here is not told to others."
_CHOSEN = "What is installed here is what its owner chose."
_MEMORY = "A program that misbehaves ends before it is misused."
_FOUND = "What is known to be bad is stopped before it runs."
_SESSION = "What somebody typed or opened in a session is not left for others."
_READ = "Everybody on the way can read it."
_PATCHED = "Most machines are taken by faults that were mended months ago."

_ASR = (
    "26190899-1602-49e8-8b27-eb1d0a1ce869", "3b576869-a4ec-4529-8536-b80a7769e899",
    "56a863a9-875e-4185-98a7-b882c64b5ce5", "5beb7efe-fd9a-4556-801d-275e5ffc04cc",
    "75668c1f-73b5-4cf0-bb93-3ecf5cb7cc84", "7674ba52-37eb-4a4f-a9a1-f0f9a1619a2c",
    "92e97fa1-2edf-4476-bdd6-9dd0b4dddc7b", "9e6c4e1f-7d60-472f-ba1a-a39ef669e4b2",
    "b2b3f03d-6a65-4f7b-a9c7-1c7ef74a9ba4", "be9ba2d9-53ea-4cdc-84e5-9b1eeee46550",
    "d3e037e1-3eb8-44c8-a917-57927947596d", "d4f940ab-401b-4efc-aadc-ad5f3c50688a",
    "e6db77e5-3df2-4cf1-b95a-636979351e5b",
)  # fmt: skip
"""The rules of attack surface reduction that the benchmark names."""


RULES = (
    _defender(
        "18.10.43.5.1", "Local setting override for reporting to Microsoft MAPS: Disabled", _FOUND,
        rf"{_DEFENDER}\Spynet", "LocalSettingOverrideSpynetReporting", 0,
    ),
    _defender(
        "18.10.43.6.1.1", "Attack Surface Reduction rules", _FOUND, rf"{_GUARD}\ASR",
        "ExploitGuard_ASR_Rules", 1,
    ),
    rule(
        "defender", "18.10.43.6.1.2", "Attack Surface Reduction rules: state of each rule: Block",
        "Documents start no programs, mails no scripts.",
        *values(rf"{_GUARD}\ASR\Rules", **dict.fromkeys(_ASR, "1")),
    ),
    _defender(
        "18.10.43.6.3.1", "Prevent users and apps from accessing dangerous websites: Block", _FOUND,
        rf"{_GUARD}\Network Protection", "EnableNetworkProtection", 1,
    ),
    _defender("18.10.43.10.1", "Scan all downloaded files and attachments", _FOUND, _LIVE, "DisableIOAVProtection", 0),
    _defender(
        "18.10.43.10.2", "Turn off real-time protection: Disabled", _FOUND, _LIVE, "DisableRealtimeMonitoring", 0,
    ),
    _defender("18.10.43.10.3", "Turn on behavior monitoring", _FOUND, _LIVE, "DisableBehaviorMonitoring", 0),
    _defender("18.10.43.10.4", "Turn on script scanning", _FOUND, _LIVE, "DisableScriptScanning", 0),
    _defender(
        "18.10.43.13.1", "Scan removable drives", _FOUND, rf"{_DEFENDER}\Scan",
        "DisableRemovableDriveScanning", 0,
    ),
    _defender("18.10.43.13.2", "Turn on e-mail scanning", _FOUND, rf"{_DEFENDER}\Scan", "DisableEmailScanning", 0),
    _defender(
        "18.10.43.16", "Detection for potentially unwanted applications: Block", _FOUND, _DEFENDER, "PUAProtection", 1,
    ),
    _defender(
        "18.10.43.17", "Turn off Microsoft Defender AntiVirus: Disabled", _FOUND, _DEFENDER, "DisableAntiSpyware", 0,
    ),
    _component(
        "18.10.51.1", "Prevent the usage of OneDrive for file storage", _TOLD, rf"{POLICIES}\Windows\OneDrive",
        "DisableFileSyncNGSC", 1,
    ),
    _remote("18.10.57.2.2", "Do not allow passwords to be saved", _SESSION, _TERMINAL, "DisablePasswordSaving", 1),
    _remote("18.10.57.3.3.3", "Do not allow drive redirection", _SESSION, _TERMINAL, "fDisableCdm", 1),
    _remote(
        "18.10.57.3.9.1", "Always prompt for password upon connection", _SESSION, _TERMINAL, "fPromptForPassword", 1,
        guard="remote-desktop",
    ),
    _remote(
        "18.10.57.3.9.2", "Require secure RPC communication", _READ, _TERMINAL, "fEncryptRPCTraffic", 1,
        guard="remote-desktop",
    ),
    _remote(
        "18.10.57.3.9.3", "Security layer for RDP connections: SSL", _READ, _TERMINAL, "SecurityLayer", 2,
        guard="remote-desktop",
    ),
    _remote(
        "18.10.57.3.9.4", "Network Level Authentication", "A session alone is much to attack.",
        _TERMINAL, "UserAuthentication", 1, guard="remote-desktop",
    ),
    _remote(
        "18.10.57.3.9.5", "Client connection encryption level: High Level", _READ, _TERMINAL, "MinEncryptionLevel", 3,
        guard="remote-desktop",
    ),
    _remote(
        "18.10.57.3.11.1", "Do not delete temp folders upon exit: Disabled", _SESSION, _TERMINAL,
        "DeleteTempDirsOnExit", 1,
    ),
    _remote(
        "18.10.57.3.11.2", "Do not use temporary folders per session: Disabled", _SESSION, _TERMINAL,
        "PerSessionTempDir", 1,
    ),
    _component(
        "18.10.58.1", "Prevent downloading of enclosures", _CHOSEN,
        rf"{POLICIES}\Internet Explorer\Feeds", "DisableEnclosureDownload", 1,
    ),
    _component(
        "18.10.59.3", "Allow indexing of encrypted files: Disabled", "The index itself is not encrypted.",
        _SEARCH, "AllowIndexingEncryptedStoresOrItems", 0,
    ),
    _component(
        "18.10.59.4", "Allow search highlights: Disabled", _ADVERTS, _SEARCH, "EnableDynamicContentInWSB", 0,
        extra=LEVEL_2,
    ),
    rule(
        "defender", "18.10.76.2.1", "Windows Defender SmartScreen: Warn and prevent bypass", _FOUND,
        *values(rf"{POLICIES}\Windows\System", EnableSmartScreen=1, ShellSmartScreenLevel="Block"),
    ),
    _component(
        "18.10.80.2", "Windows Ink Workspace: On, but disallow access above lock",
        "A locked machine does nothing for whoever stands before it.",
        rf"{POLICIES}\WindowsInkWorkspace", "AllowWindowsInkWorkspace", 1,
    ),
    _component(
        "18.10.81.1", "Allow user control over installs: Disabled", _CHOSEN,
        rf"{POLICIES}\Windows\Installer", "EnableUserControl", 0,
    ),
    _component(
        "18.10.81.2", "Always install with elevated privileges: Disabled", "Whoever writes one is an administrator.",
        rf"{POLICIES}\Windows\Installer", "AlwaysInstallElevated", 0,
    ),
    _component(
        "18.10.82.1", "MPR notifications for the system: Disabled", "Thieves add one of their own.",
        SYSTEM, "EnableMPR", 0,
    ),
    _component(
        "18.10.82.2", "Sign-in and lock last interactive user after a restart: Disabled",
        "The password for it is kept.",
        SYSTEM, "DisableAutomaticRestartSignOn", 1,
    ),
    _powershell(
        "18.10.87.1", "PowerShell Script Block Logging", "Much of what intruders do, they do there.",
        rf"{POLICIES}\Windows\PowerShell\ScriptBlockLogging", "EnableScriptBlockLogging", 1,
    ),
    _powershell(
        "18.10.87.2", "PowerShell Transcription", "Much of what intruders do, they do there.",
        rf"{POLICIES}\Windows\PowerShell\Transcription", "EnableTranscripting", 1,
    ),
    _winrm("18.10.89.1.1", "WinRM client: Basic authentication: Disabled", _READ, _CLIENT, "AllowBasic", 0),
    _winrm("18.10.89.1.2", "WinRM client: unencrypted traffic: Disabled", _READ, _CLIENT, "AllowUnencryptedTraffic", 0),
    _winrm(
        "18.10.89.1.3", "WinRM client: Disallow Digest authentication", "It can be guessed from.", _CLIENT,
        "AllowDigest", 0,
    ),
    _winrm(
        "18.10.89.2.1", "WinRM service: Basic authentication: Disabled", _READ, _SERVICE, "AllowBasic", 0,
        guard="winrm",
    ),
    _winrm(
        "18.10.89.2.3", "WinRM service: unencrypted traffic: Disabled", _READ, _SERVICE, "AllowUnencryptedTraffic", 0,
        guard="winrm",
    ),
    _winrm(
        "18.10.89.2.4", "WinRM service: Disallow WinRM from storing RunAs credentials",
        "What is not here cannot be stolen here.",
        _SERVICE, "DisableRunAs", 1,
    ),
    _defender(
        "18.10.92.2.1", "Prevent users from modifying exploit protection settings", _MEMORY,
        rf"{POLICIES}\Windows Defender Security Center\App and Browser protection",
        "DisallowExploitProtectionOverride", 1,
    ),
    _updates(
        "18.10.93.1.1", "No auto-restart with logged on users: Disabled", "Without, it is not there yet.",
        rf"{_UPDATE}\AU", "NoAutoRebootWithLoggedOnUsers", 0,
    ),
    _updates("18.10.93.2.1", "Configure Automatic Updates", _PATCHED, rf"{_UPDATE}\AU", "NoAutoUpdate", 0),
    _updates(
        "18.10.93.2.2", "Configure Automatic Updates: Scheduled install day: every day", _PATCHED, rf"{_UPDATE}\AU",
        "ScheduledInstallDay", 0,
    ),
    rule(
        "updates", "18.10.93.4.1", "Manage preview builds: Disabled", "They are for trying, not for work.",
        *values(_UPDATE, ManagePreviewBuilds=1, ManagePreviewBuildsPolicyValue=1),
    ),
    rule(
        "updates", "18.10.93.4.2", "Select when Feature Updates are received: 180 days",
        "Others have found their faults by then.",
        *values(_UPDATE, DeferFeatureUpdates=1, DeferFeatureUpdatesPeriodInDays=180),
    ),
    rule(
        "updates", "18.10.93.4.3", "Select when Quality Updates are received: 0 days", _PATCHED,
        *values(_UPDATE, DeferQualityUpdates=1, DeferQualityUpdatesPeriodInDays=0),
    ),
)  # fmt: skip
