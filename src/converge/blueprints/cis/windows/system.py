"""Section 18.9: the system."""

from __future__ import annotations

from converge.blueprints.cis.windows.catalogue import EXPLORER, LSA, POLICIES, SYSTEM, Table, gone, rule, values

_system, _remote = Table("system"), Table("remote-desktop")
_WINDOWS = rf"{POLICIES}\Windows\System"
_REGISTRY_POLICY = rf"{POLICIES}\Windows\Group Policy\{{35378EAC-683F-11D2-A89A-00C04FBBCFA2}}"
_WAKING = rf"{POLICIES}\Power\PowerSettings\0e796bdb-100d-47d6-a2d5-f7d2daa51f51"
_TERMINAL = rf"{POLICIES}\Windows NT\Terminal Services"

_LOGON = "Whoever stands before the machine learns no names, and has no ways around the password."
_GROUP_POLICY = "What the domain wants holds here, also when somebody changed it."
_OFFER = "Nobody takes over somebody's session by being asked to help."

RULES = (
    _system(
        "18.9.3.1", "The log of new processes has their command lines", "A name alone does not tell what was done.",
        rf"{SYSTEM}\Audit", "ProcessCreationIncludeCmdLine_Enabled", 1,
    ),
    _remote(
        "18.9.4.1", "CredSSP of old, open to CVE-2018-0886, is refused", "It let others act with one's logon.",
        rf"{SYSTEM}\CredSSP\Parameters", "AllowEncryptionOracle", 0, guard="remote-desktop",
    ),
    _remote(
        "18.9.4.2", "Logons that leave no password behind are possible", "What is not here cannot be stolen here.",
        rf"{POLICIES}\Windows\CredentialsDelegation", "AllowProtectedCreds", 1,
    ),
    _system(
        "18.9.7.2", "No descriptions of devices come from the internet", "What is plugged in here is told to nobody.",
        rf"{POLICIES}\Windows\Device Metadata", "PreventDeviceMetadataFromNetwork", 1,
    ),
    _system(
        "18.9.13.1", "Bad drivers are loaded at the start only where nothing goes without",
        "What is loaded first sees and hides everything.",
        r"HKLM\SYSTEM\CurrentControlSet\Policies\EarlyLaunch", "DriverLoadPolicy", 3,
    ),
    _system(
        "18.9.19.2", "Policies are applied while people work", _GROUP_POLICY, _REGISTRY_POLICY, "NoBackgroundPolicy", 0,
    ),
    _system(
        "18.9.19.3", "And when they have not changed", _GROUP_POLICY, _REGISTRY_POLICY, "NoGPOListChanges", 0,
    ),
    _system(
        "18.9.19.4", "What is begun here is not continued on other devices", "A server is nobody's own device.",
        _WINDOWS, "EnableCdp", 0,
    ),
    rule(
        "system", "18.9.19.5", "Nothing keeps policies from being refreshed", _GROUP_POLICY,
        gone(SYSTEM, "DisableBkGndGroupPolicy"),
    ),
    _system(
        "18.9.20.1.1", "Printer drivers are not fetched by HTTP", "Anybody on the way can send another.",
        rf"{POLICIES}\Windows NT\Printers", "DisableWebPnPDownload", 1,
    ),
    _system(
        "18.9.20.1.5", "Wizards fetch no lists of providers", "What they show is a stranger's.",
        EXPLORER, "NoWebServices", 1,
    ),
    _system(
        "18.9.24.1", "Devices that read all memory wait until somebody has logged on",
        "Plugged in, they take the keys of a locked machine.",
        rf"{POLICIES}\Windows\Kernel DMA Protection", "DeviceEnumerationPolicy", 0,
    ),
    _system(
        "18.9.25.1", "Nothing but Microsoft's own sees passwords at a logon",
        "Thieves add a module of their own there.",
        _WINDOWS, "AllowCustomSSPsAPs", 0, guard="lsa",
    ),
    _system(
        "18.9.25.2", "The process that knows the passwords is protected", "That is where thieves look first.",
        LSA, "RunAsPPL", 1, guard="lsa",
    ),
    _system(
        "18.9.27.1", "Mail addresses are not shown at a logon", _LOGON,
        _WINDOWS, "BlockUserFromShowingAccountDetailsOnSignin", 1,
    ),
    _system("18.9.27.2", "Nor can networks be chosen", _LOGON, _WINDOWS, "DontDisplayNetworkSelectionUI", 1),
    _system("18.9.27.3", "Those who are connected are not listed", _LOGON, _WINDOWS, "DontEnumerateConnectedUsers", 1),
    _system("18.9.27.4", "Nor are local accounts", _LOGON, _WINDOWS, "EnumerateLocalUsers", 0),
    _system(
        "18.9.27.5", "Programs show nothing on the lock screen", _LOGON,
        _WINDOWS, "DisableLockScreenAppNotifications", 1,
    ),
    _system("18.9.27.6", "A picture is no password", _LOGON, _WINDOWS, "BlockDomainPicturePassword", 1),
    _system("18.9.27.7", "Nor is a simple PIN", _LOGON, _WINDOWS, "AllowDomainPINLogon", 0),
    rule(
        "system", "18.9.32.6.3", "A machine on battery asks for the password when it wakes", _LOGON,
        *values(_WAKING, DCSettingIndex=1),
    ),
    rule(
        "system", "18.9.32.6.4", "So does one that is plugged in", _LOGON, *values(_WAKING, ACSettingIndex=1),
    ),
    _remote("18.9.34.1", "Nobody offers help by Remote Assistance", _OFFER, _TERMINAL, "fAllowUnsolicited", 0),
    _remote("18.9.34.2", "Nor asks for it", _OFFER, _TERMINAL, "fAllowToGetHelp", 0),
    _system(
        "18.9.35.1", "Whoever asks for an RPC service says who he is", "Strangers learn nothing about this machine.",
        rf"{POLICIES}\Windows NT\Rpc", "EnableAuthEpResolution", 1,
    ),
)  # fmt: skip
