"""Sections 18.1, 18.4 and 18.5: the lock screen, and settings that Microsoft recommends beside its policies."""

from __future__ import annotations

from converge.shipped.cis.windows.tables import CONTROL, POLICIES, SERVICES, SYSTEM, WINLOGON, Table

_hardening, _system = Table("hardening"), Table("system")
_SCREEN = rf"{POLICIES}\Windows\Personalization"
_NETBT = rf"{SERVICES}\NetBT\Parameters"
_TCP = rf"{SERVICES}\Tcpip\Parameters"
_TCP6 = rf"{SERVICES}\Tcpip6\Parameters"

_LOCKED = "A locked machine does nothing for whoever stands before it."
_ROUTES = "A stranger on the network does not decide where packets go."

RULES = (
    _system("18.1.1.1", "Prevent enabling lock screen camera", _LOCKED, _SCREEN, "NoLockScreenCamera", 1),
    _system("18.1.1.2", "Prevent enabling lock screen slide show", _LOCKED, _SCREEN, "NoLockScreenSlideshow", 1),
    _system(
        "18.1.2.2", "Online speech recognition services: Disabled", "What is said here is nobody else's business.",
        rf"{POLICIES}\InputPersonalization", "AllowInputPersonalization", 0,
    ),
    _hardening(
        "18.4.1", "UAC restrictions to local accounts on network logons",
        "One stolen password of a local account would open all machines that have the same.",
        SYSTEM, "LocalAccountTokenFilterPolicy", 0, guard="local-accounts",
    ),
    _hardening(
        "18.4.2", "RPC packet level privacy setting for incoming connections",
        "It was passed on to others (CVE-2021-1678).",
        rf"{CONTROL}\Print", "RpcAuthnLevelPrivacyEnabled", 1,
    ),
    _hardening(
        "18.4.4", "SMB v1 server: Disabled", "It has no protection at all; its successor is of 2006.",
        rf"{SERVICES}\LanManServer\Parameters", "SMB1", 0,
    ),
    _hardening(
        "18.4.5", "Structured Exception Handling Overwrite Protection (SEHOP)", "Overwriting it was an easy way in.",
        rf"{CONTROL}\Session Manager\kernel", "DisableExceptionChainValidation", 0,
    ),
    _hardening(
        "18.4.6", "NetBT NodeType: P-node", "Any neighbour can answer.",
        _NETBT, "NodeType", 2,
    ),
    _hardening(
        "18.4.7", "WDigest Authentication: Disabled", "That is where thieves look first.",
        rf"{CONTROL}\SecurityProviders\WDigest", "UseLogonCredential", 0,
    ),
    _hardening(
        "18.5.1", "MSS: (AutoAdminLogon) Automatic Logon: Disabled", "The password for it lies in the registry.",
        WINLOGON, "AutoAdminLogon", "0",
    ),
    _hardening(
        "18.5.2", "MSS: (DisableIPSourceRouting IPv6): Highest protection", _ROUTES, _TCP6, "DisableIPSourceRouting", 2,
    ),
    _hardening(
        "18.5.3", "MSS: (DisableIPSourceRouting): Highest protection", _ROUTES, _TCP, "DisableIPSourceRouting", 2,
    ),
    _hardening("18.5.4", "MSS: (EnableICMPRedirect): Disabled", _ROUTES, _TCP, "EnableICMPRedirect", 0),
    _hardening(
        "18.5.6", "MSS: (NoNameReleaseOnDemand)", "A single packet could.",
        _NETBT, "NoNameReleaseOnDemand", 1,
    ),
    _hardening(
        "18.5.8", "MSS: (SafeDllSearchMode)",
        "One that lies in the current folder is a stranger's.",
        rf"{CONTROL}\Session Manager", "SafeDllSearchMode", 1,
    ),
    _hardening(
        "18.5.9", "MSS: (ScreenSaverGracePeriod): 5 seconds", "People walk away from their screens.",
        WINLOGON, "ScreenSaverGracePeriod", "5",
    ),
    _hardening(
        "18.5.12", "MSS: (WarningLevel) Security log: 90%", "What happens after that is not known.",
        rf"{SERVICES}\Eventlog\Security", "WarningLevel", 90,
    ),
)  # fmt: skip
