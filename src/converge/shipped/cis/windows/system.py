"""Section 18.9: the system."""

from __future__ import annotations

from converge.shipped.cis.windows.tables import (
    EXPLORER,
    LSA,
    NEXT_GENERATION,
    POLICIES,
    SYSTEM,
    Table,
    gone,
    rule,
    values,
)

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
        "18.9.3.1", "Include command line in process creation events", "A name alone does not tell what was done.",
        rf"{SYSTEM}\Audit", "ProcessCreationIncludeCmdLine_Enabled", 1,
    ),
    _remote(
        "18.9.4.1", "Encryption Oracle Remediation: Force Updated Clients", "It let others act with one's logon.",
        rf"{SYSTEM}\CredSSP\Parameters", "AllowEncryptionOracle", 0, guard="remote-desktop",
    ),
    _remote(
        "18.9.4.2", "Remote host allows delegation of non-exportable credentials",
        "What is not here cannot be stolen here.",
        rf"{POLICIES}\Windows\CredentialsDelegation", "AllowProtectedCreds", 1,
    ),
    _system(
        "18.9.7.2", "Prevent device metadata retrieval from the Internet", "What is plugged in here is told to nobody.",
        rf"{POLICIES}\Windows\Device Metadata", "PreventDeviceMetadataFromNetwork", 1,
    ),
    _system(
        "18.9.13.1", "Boot-Start Driver Initialization Policy: Good, unknown and bad but critical",
        "What is loaded first sees and hides everything.",
        r"HKLM\SYSTEM\CurrentControlSet\Policies\EarlyLaunch", "DriverLoadPolicy", 3,
    ),
    _system(
        "18.9.19.2", "Registry policy processing: also during background processing", _GROUP_POLICY, _REGISTRY_POLICY,
        "NoBackgroundPolicy", 0,
    ),
    _system(
        "18.9.19.3", "Registry policy processing: even if the Group Policy objects have not changed", _GROUP_POLICY,
        _REGISTRY_POLICY, "NoGPOListChanges", 0,
    ),
    _system(
        "18.9.19.4", "Continue experiences on this device: Disabled", "A server is nobody's own device.",
        _WINDOWS, "EnableCdp", 0,
    ),
    rule(
        "system", "18.9.19.5", "Turn off background refresh of Group Policy: Disabled", _GROUP_POLICY,
        gone(SYSTEM, "DisableBkGndGroupPolicy"),
    ),
    _system(
        "18.9.20.1.1", "Turn off downloading of print drivers over HTTP", "Anybody on the way can send another.",
        rf"{POLICIES}\Windows NT\Printers", "DisableWebPnPDownload", 1,
    ),
    _system(
        "18.9.20.1.5", "Turn off Internet download for Web publishing and online ordering wizards",
        "What they show is a stranger's.",
        EXPLORER, "NoWebServices", 1,
    ),
    _system(
        "18.9.24.1", "Kernel DMA Protection: Block all external devices that are incompatible",
        "Plugged in, they take the keys of a locked machine.",
        rf"{POLICIES}\Windows\Kernel DMA Protection", "DeviceEnumerationPolicy", 0,
    ),
    _system(
        "18.9.25.1", "Custom SSPs and APs loaded into LSASS: Disabled",
        "Thieves add a module of their own there.",
        _WINDOWS, "AllowCustomSSPsAPs", 0, guard="lsa",
    ),
    _system(
        "18.9.25.2", "LSASS runs as a protected process", "That is where thieves look first.",
        LSA, "RunAsPPL", 1, guard="lsa", extra=NEXT_GENERATION,
    ),
    _system(
        "18.9.27.1", "Block user from showing account details on sign-in", _LOGON,
        _WINDOWS, "BlockUserFromShowingAccountDetailsOnSignin", 1,
    ),
    _system("18.9.27.2", "Do not display network selection UI", _LOGON, _WINDOWS, "DontDisplayNetworkSelectionUI", 1),
    _system(
        "18.9.27.3", "Do not enumerate connected users on domain-joined computers", _LOGON, _WINDOWS,
        "DontEnumerateConnectedUsers", 1,
    ),
    _system(
        "18.9.27.4", "Enumerate local users on domain-joined computers: Disabled", _LOGON, _WINDOWS,
        "EnumerateLocalUsers", 0,
    ),
    _system(
        "18.9.27.5", "Turn off app notifications on the lock screen", _LOGON,
        _WINDOWS, "DisableLockScreenAppNotifications", 1,
    ),
    _system("18.9.27.6", "Turn off picture password sign-in", _LOGON, _WINDOWS, "BlockDomainPicturePassword", 1),
    _system("18.9.27.7", "Convenience PIN sign-in: Disabled", _LOGON, _WINDOWS, "AllowDomainPINLogon", 0),
    rule(
        "system", "18.9.32.6.3", "Require a password when a computer wakes (on battery)", _LOGON,
        *values(_WAKING, DCSettingIndex=1),
    ),
    rule(
        "system", "18.9.32.6.4", "Require a password when a computer wakes (plugged in)", _LOGON, *values(_WAKING,
        ACSettingIndex=1),
    ),
    _remote("18.9.34.1", "Offer Remote Assistance: Disabled", _OFFER, _TERMINAL, "fAllowUnsolicited", 0),
    _remote("18.9.34.2", "Solicited Remote Assistance: Disabled", _OFFER, _TERMINAL, "fAllowToGetHelp", 0),
    _system(
        "18.9.35.1", "RPC Endpoint Mapper Client Authentication", "Strangers learn nothing about this machine.",
        rf"{POLICIES}\Windows NT\Rpc", "EnableAuthEpResolution", 1,
    ),
)  # fmt: skip
