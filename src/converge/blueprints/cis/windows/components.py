"""Sections 18.10.5 to 18.10.42: what comes with Windows."""

from __future__ import annotations

from collections.abc import Iterator

from converge.blueprints.cis.windows.catalogue import EXPLORER, POLICIES, SYSTEM, Rule, Table

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
            f"{chapter}.1", f"A full {name} log loses its oldest events", "The newest are needed most.",
            key, "Retention", "0",
        )  # fmt: skip
        yield event_log(
            f"{chapter}.2", f"The {name} log holds {kilobytes // 1024} MB", "More of the past fits.",
            key, "MaxSize", kilobytes,
        )  # fmt: skip


RULES = (
    _component(
        "18.10.5.1", "Programs work without a Microsoft account", "Accounts of the organization end when people leave.",
        SYSTEM, "MSAOptional", 1,
    ),
    _component("18.10.7.1", "Cameras and telephones start nothing", _DISK, _SHELL, "NoAutoplayfornonVolume", 1),
    _component("18.10.7.2", "Nothing on a disk runs by itself", _DISK, EXPLORER, "NoAutorun", 1),
    _component("18.10.7.3", "No disk is opened by itself", _DISK, EXPLORER, "NoDriveTypeAutoRun", 255),
    _component(
        "18.10.8.1.1", "A photograph is not taken for a face", "A face is known to all.",
        rf"{POLICIES}\Biometrics\FacialFeatures", "EnhancedAntiSpoofing", 1,
    ),
    _component(
        "18.10.12.1", "No account's content is fetched", _ADVERTS, _CLOUD,
        "DisableConsumerAccountStateContent", 1,
    ),
    _component("18.10.12.2", "Nor content for this machine", _ADVERTS, _CLOUD, "DisableCloudOptimizedContent", 1),
    _component("18.10.12.3", "Nor recommended programs", _ADVERTS, _CLOUD, "DisableWindowsConsumerFeatures", 1),
    _component(
        "18.10.13.1", "Another screen is connected with a PIN", "A neighbour's could be taken for one's own.",
        rf"{POLICIES}\Windows\Connect", "RequirePinForPairing", 1,
    ),
    _component(
        "18.10.14.1", "A typed password cannot be shown", "Others may look at the screen.",
        rf"{POLICIES}\Windows\CredUI", "DisablePasswordReveal", 1,
    ),
    _component(
        "18.10.14.2", "Administrators are not listed when a program asks",
        "Whoever guesses has to guess the name, too.",
        r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\CredUI", "EnumerateAdministrators", 0,
    ),
    _component("18.10.15.1", "Microsoft is told what it must be told", _TOLD, _DATA, "AllowTelemetry", 1),
    _component("18.10.15.3", "No settings for that are fetched", _TOLD, _DATA, "DisableOneSettingsDownloads", 1),
    _component("18.10.15.4", "Nobody is asked for an opinion", _TOLD, _DATA, "DoNotShowFeedbackNotifications", 1),
    _component(
        "18.10.15.5", "Asking for settings is logged", "What Windows asked for is known.",
        _DATA, "EnableOneSettingsAuditing", 1,
    ),
    _component("18.10.15.6", "No logs are sent", _TOLD, _DATA, "LimitDiagnosticLogCollection", 1),
    _component("18.10.15.7", "Nor memory", _TOLD, _DATA, "LimitDumpCollection", 1),
    _component(
        "18.10.15.8", "Nobody chooses unfinished builds", "They are for trying, not for work.",
        rf"{POLICIES}\Windows\PreviewBuilds", "AllowBuildPreview", 0,
    ),
    _component("18.10.17.1", "App Installer is off", _CHOSEN, _INSTALLER, "EnableAppInstaller", 0),
    _component("18.10.17.2", "So are its experiments", _CHOSEN, _INSTALLER, "EnableExperimentalFeatures", 0),
    _component("18.10.17.3", "It installs nothing with another checksum", _CHOSEN, _INSTALLER, "EnableHashOverride", 0),
    _component(
        "18.10.17.4", "A link on a web page installs nothing", _CHOSEN, _INSTALLER, "EnableMSAppInstallerProtocol", 0,
    ),
    *_logs(),
    _component("18.10.29.2", "Explorer runs no data", _MEMORY, _SHELL, "NoDataExecutionPrevention", 0),
    _component("18.10.29.3", "It ends when its memory is damaged", _MEMORY, _SHELL, "NoHeapTerminationOnCorruption", 0),
    _component(
        "18.10.29.4", "Links of the shell: protocol open few things", "A web page must not start programs.",
        EXPLORER, "PreXPSP2ShellProtocolBehavior", 0,
    ),
    _component(
        "18.10.42.1", "Programs do not log on with Microsoft accounts of persons",
        "Accounts of the organization end when people leave.",
        rf"{POLICIES}\MicrosoftAccount", "DisableUserAuth", 1, guard="microsoft-accounts",
    ),
)  # fmt: skip
