"""What is only kept where ``also`` names it: level 2, Next Generation, and what only the edition for Windows 11 has."""

from __future__ import annotations

from converge.shipped.cis.windows.tables import (
    LEVEL_2,
    LSA,
    NEXT_GENERATION,
    POLICIES,
    SOFTWARE,
    WINDOWS_11,
    WINLOGON,
    Table,
    rule,
    values,
)

_logon, _sharing, _network = Table("logon"), Table("sharing"), Table("network")
_system, _components, _remote, _winrm = Table("system"), Table("components"), Table("remote-desktop"), Table("winrm")
_guard = Table("device-guard")
_LLTD = rf"{POLICIES}\Windows\LLTD"
_REPORTS = rf"{POLICIES}\Windows\Windows Error Reporting"
_GUARD = rf"{POLICIES}\Windows\DeviceGuard"
_SEARCH = rf"{POLICIES}\Windows\Windows Search"
_TERMINAL = rf"{POLICIES}\Windows NT\Terminal Services"

_TOLD = "What is done here is not told to others."
_MAP = "Strangers on the network learn nothing about this machine."
_UNUSED = "What is not used cannot be attacked."
_ISOLATED = "Even the kernel does not see passwords, nor does it run what nobody signed. With a lock in UEFI."

RULES = (
    _logon(
        "2.3.7.6", "Interactive logon: Number of previous logons to cache: 4", "Each is a hash to guess from.",
        WINLOGON, "CachedLogonsCount", "4", extra=LEVEL_2,
    ),
    _sharing(
        "2.3.10.4", "Network access: Do not allow storage of passwords and credentials for network authentication",
        "What is not here cannot be stolen here. Scheduled tasks with stored passwords end.",
        LSA, "DisableDomainCreds", 1, extra=LEVEL_2,
    ),
    _network(
        "18.6.5.1", "Font Providers: Disabled", "Fonts are parsed by the system.",
        rf"{POLICIES}\Windows\System", "EnableFontProviders", 0, extra=LEVEL_2,
    ),
    rule(
        "network", "18.6.9.1", "Mapper I/O (LLTDIO) driver: Disabled", _MAP,
        *values(_LLTD, AllowLLTDIOOnDomain=0, AllowLLTDIOOnPublicNet=0, EnableLLTDIO=0, ProhibitLLTDIOOnPrivateNet=0),
        extra=LEVEL_2,
    ),
    rule(
        "network", "18.6.9.2", "Responder (RSPNDR) driver: Disabled", _MAP,
        *values(_LLTD, AllowRspndrOnDomain=0, AllowRspndrOnPublicNet=0, EnableRspndr=0, ProhibitRspndrOnPrivateNet=0),
        extra=LEVEL_2,
    ),
    _network(
        "18.6.10.2", "Microsoft Peer-to-Peer Networking Services: off", _UNUSED, rf"{POLICIES}\Peernet", "Disabled", 1,
        extra=LEVEL_2,
    ),
    _guard(
        "18.9.5.1", "Virtualization Based Security", _ISOLATED, _GUARD, "EnableVirtualizationBasedSecurity", 1,
        extra=NEXT_GENERATION,
    ),
    _guard(
        "18.9.5.2", "Virtualization Based Security: Platform Security Level: Secure Boot and DMA Protection", _ISOLATED,
        _GUARD, "RequirePlatformSecurityFeatures", 3, extra=NEXT_GENERATION,
    ),
    _guard(
        "18.9.5.3", "Virtualization Based Protection of Code Integrity: Enabled with UEFI lock", _ISOLATED,
        _GUARD, "HypervisorEnforcedCodeIntegrity", 1, extra=NEXT_GENERATION,
    ),
    _guard(
        "18.9.5.4", "Require UEFI Memory Attributes Table", _ISOLATED, _GUARD, "HVCIMATRequired", 1,
        extra=NEXT_GENERATION,
    ),
    _guard(
        "18.9.5.5", "Credential Guard Configuration: Enabled with UEFI lock", _ISOLATED, _GUARD, "LsaCfgFlags", 1,
        extra=NEXT_GENERATION,
    ),
    _system(
        "18.9.20.1.4", "Turn off Internet Connection Wizard", _UNUSED,
        rf"{POLICIES}\Windows\Internet Connection Wizard", "ExitOnMSICW", 1, extra=LEVEL_2,
    ),
    _system(
        "18.9.20.1.6", "Turn off printing over HTTP", "Everybody on the way can read it.",
        rf"{POLICIES}\Windows NT\Printers", "DisableHTTPPrinting", 1, extra=LEVEL_2,
    ),
    rule(
        "system", "18.9.20.1.13", "Turn off Windows Error Reporting",
        "Reports take memory of programs out of the machine.",
        *values(_REPORTS, Disabled=1), *values(rf"{POLICIES}\PCHealth\ErrorReporting", DoReport=0), extra=LEVEL_2,
    ),
    _system(
        "18.9.35.2", "Restrict Unauthenticated RPC clients: Authenticated", _MAP,
        rf"{POLICIES}\Windows NT\Rpc", "RestrictRemoteClients", 1, extra=LEVEL_2,
    ),
    _components(
        "18.10.10.1", "Allow Use of Camera: Disabled", "It shows the room.", rf"{POLICIES}\Camera", "AllowCamera", 0,
        extra=LEVEL_2,
    ),
    _components(
        "18.10.63.1", "Turn off KMS Client Online AVS Validation", _TOLD,
        rf"{POLICIES}\Windows NT\CurrentVersion\Software Protection Platform", "NoGenTicket", 1, extra=LEVEL_2,
    ),
    _winrm(
        "18.10.90.1", "Allow Remote Shell Access: Disabled", "Whoever has a password types commands from anywhere.",
        rf"{POLICIES}\Windows\WinRM\Service\WinRS", "AllowRemoteShellAccess", 0, guard="winrm", extra=LEVEL_2,
    ),
    _sharing(
        "W11-2.3.14.1", "System cryptography: Force strong key protection for user keys", "A key alone opens nothing.",
        rf"{POLICIES}\Cryptography", "ForceKeyProtection", 2, extra=f"{WINDOWS_11}, {LEVEL_2}",
    ),
    _network(
        "W11-18.6.23.2.1", "Automatic connection to suggested open hotspots: Disabled", "Anybody can open one.",
        rf"{SOFTWARE}\WcmSvc\wifinetworkmanager\config", "AutoConnectAllowedOEM", 0, extra=WINDOWS_11,
    ),
    _remote(
        "W11-18.10.57.3.2.1", "Allow users to connect remotely by using Remote Desktop Services: Disabled", _UNUSED,
        _TERMINAL, "fDenyTSConnections", 1, guard="remote-desktop", extra=f"{WINDOWS_11}, {LEVEL_2}",
    ),
    _components(
        "W11-18.10.59.4", "Allow Cortana above lock screen: Disabled",
        "A locked machine does nothing for whoever stands before it.", _SEARCH, "AllowCortanaAboveLock", 0,
        extra=WINDOWS_11,
    ),
)  # fmt: skip
