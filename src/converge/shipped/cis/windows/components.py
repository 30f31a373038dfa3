"""Sections 18.10.5 to 18.10.42: what comes with Windows."""

from __future__ import annotations

from collections.abc import Iterator

from converge.shipped.cis.windows.tables import EXPLORER, LEVEL_2, POLICIES, SYSTEM, Rule, Table

_component = Table("components")
_CLOUD = rf"{POLICIES}\Windows\CloudContent"
_DATA = rf"{POLICIES}\Windows\DataCollection"
_INSTALLER = rf"{POLICIES}\Windows\AppInstaller"
_SHELL = rf"{POLICIES}\Windows\Explorer"

_DISK = "Nothing starts because a disk was put in."
_ADVERTS = "A server shows no advertisements and loads nothing for them."
_TOLD = "What is done here is not told to others."
_CHOSEN = "What is installed here is what its owner chose."
_MEMORY = "A program that misbehaves ends before it is misused."


def _logs() -> Iterator[Rule]:
    """The event logs: old events make room for new ones, and there is room for enough of them."""
    event_log = Table("event-log")
    for place, (name, kilobytes) in enumerate(
        (("Application", 32768), ("Security", 196608), ("Setup", 32768), ("System", 32768)), start=1
    ):
        key, chapter = rf"{POLICIES}\Windows\EventLog\{name}", f"18.10.26.{place}"
        yield event_log(
            f"{chapter}.1", f"{name}: Log behavior at maximum size: overwrite the oldest events",
            "The newest are needed most.",
            key, "Retention", "0",
        )  # fmt: skip
        yield event_log(
            f"{chapter}.2", f"{name}: Maximum log file size: {kilobytes} KB", "More of the past fits.",
            key, "MaxSize", kilobytes,
        )  # fmt: skip


RULES = (
    _component(
        "18.10.5.1", "Allow Microsoft accounts to be optional", "Accounts of the organization end when people leave.",
        SYSTEM, "MSAOptional", 1,
    ),
    _component("18.10.7.1", "Disallow Autoplay for non-volume devices", _DISK, _SHELL, "NoAutoplayfornonVolume", 1),
    _component(
        "18.10.7.2", "Default behavior for AutoRun: Do not execute any autorun commands", _DISK, EXPLORER, "NoAutorun",
        1,
    ),
    _component("18.10.7.3", "Turn off Autoplay: All drives", _DISK, EXPLORER, "NoDriveTypeAutoRun", 255),
    _component(
        "18.10.8.1.1", "Enhanced anti-spoofing (facial recognition)", "A face is known to all.",
        rf"{POLICIES}\Biometrics\FacialFeatures", "EnhancedAntiSpoofing", 1,
    ),
    _component(
        "18.10.12.1", "Turn off cloud consumer account state content", _ADVERTS, _CLOUD,
        "DisableConsumerAccountStateContent", 1,
    ),
    _component(
        "18.10.12.2", "Turn off cloud optimized content", _ADVERTS, _CLOUD, "DisableCloudOptimizedContent", 1,
        extra=LEVEL_2,
    ),
    _component(
        "18.10.12.3", "Turn off Microsoft consumer experiences", _ADVERTS, _CLOUD, "DisableWindowsConsumerFeatures", 1,
    ),
    _component(
        "18.10.13.1", "Require pin for pairing", "A neighbour's could be taken for one's own.",
        rf"{POLICIES}\Windows\Connect", "RequirePinForPairing", 1,
    ),
    _component(
        "18.10.14.1", "Do not display the password reveal button", "Others may look at the screen.",
        rf"{POLICIES}\Windows\CredUI", "DisablePasswordReveal", 1,
    ),
    _component(
        "18.10.14.2", "Enumerate administrator accounts on elevation: Disabled",
        "Whoever guesses has to guess the name, too.",
        r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\CredUI", "EnumerateAdministrators", 0,
    ),
    _component("18.10.15.1", "Diagnostic Data: Send required diagnostic data", _TOLD, _DATA, "AllowTelemetry", 1),
    _component("18.10.15.3", "Disable OneSettings Downloads", _TOLD, _DATA, "DisableOneSettingsDownloads", 1),
    _component("18.10.15.4", "Do not show feedback notifications", _TOLD, _DATA, "DoNotShowFeedbackNotifications", 1),
    _component(
        "18.10.15.5", "Enable OneSettings Auditing", "What Windows asked for is known.",
        _DATA, "EnableOneSettingsAuditing", 1,
    ),
    _component("18.10.15.6", "Limit Diagnostic Log Collection", _TOLD, _DATA, "LimitDiagnosticLogCollection", 1),
    _component("18.10.15.7", "Limit Dump Collection", _TOLD, _DATA, "LimitDumpCollection", 1),
    _component(
        "18.10.15.8", "Toggle user control over Insider builds: Disabled", "They are for trying, not for work.",
        rf"{POLICIES}\Windows\PreviewBuilds", "AllowBuildPreview", 0,
    ),
    _component("18.10.17.1", "App Installer: Disabled", _CHOSEN, _INSTALLER, "EnableAppInstaller", 0),
    _component(
        "18.10.17.2", "App Installer Experimental Features: Disabled", _CHOSEN, _INSTALLER,
        "EnableExperimentalFeatures", 0,
    ),
    _component("18.10.17.3", "App Installer Hash Override: Disabled", _CHOSEN, _INSTALLER, "EnableHashOverride", 0),
    _component(
        "18.10.17.4", "App Installer ms-appinstaller protocol: Disabled", _CHOSEN, _INSTALLER,
        "EnableMSAppInstallerProtocol", 0,
    ),
    *_logs(),
    _component(
        "18.10.29.2", "Turn off Data Execution Prevention for Explorer: Disabled", _MEMORY, _SHELL,
        "NoDataExecutionPrevention", 0,
    ),
    _component(
        "18.10.29.3", "Turn off heap termination on corruption: Disabled", _MEMORY, _SHELL,
        "NoHeapTerminationOnCorruption", 0,
    ),
    _component(
        "18.10.29.4", "Turn off shell protocol protected mode: Disabled", "A web page must not start programs.",
        EXPLORER, "PreXPSP2ShellProtocolBehavior", 0,
    ),
    _component(
        "18.10.42.1", "Block all consumer Microsoft account user authentication",
        "Accounts of the organization end when people leave.",
        rf"{POLICIES}\MicrosoftAccount", "DisableUserAuth", 1, guard="microsoft-accounts",
    ),
)  # fmt: skip
