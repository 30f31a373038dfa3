"""Sections 18.1, 18.4 and 18.5: the lock screen, and settings that Microsoft recommends beside its policies."""

from __future__ import annotations

from converge.blueprints.cis.windows.catalogue import (
    CONTROL,
    POLICIES,
    SERVICES,
    SYSTEM,
    WINLOGON,
    Table,
)

_hardening, _system = Table("hardening"), Table("system")
_SCREEN = rf"{POLICIES}\Windows\Personalization"
_NETBT = rf"{SERVICES}\NetBT\Parameters"
_TCP = rf"{SERVICES}\Tcpip\Parameters"
_TCP6 = rf"{SERVICES}\Tcpip6\Parameters"

_LOCKED = "A locked machine does nothing for whoever stands before it."
_ROUTES = "A stranger on the network does not decide where packets go."

RULES = (
    _system("18.1.1.1", "The lock screen has no camera", _LOCKED, _SCREEN, "NoLockScreenCamera", 1),
    _system("18.1.1.2", "Nor a slide show", _LOCKED, _SCREEN, "NoLockScreenSlideshow", 1),
    _system(
        "18.1.2.2", "Nobody's voice is sent away to be understood", "What is said here is nobody else's business.",
        rf"{POLICIES}\InputPersonalization", "AllowInputPersonalization", 0,
    ),
    _hardening(
        "18.4.1", "Local administrators are no administrators over the network",
        "One stolen password of a local account would open all machines that have the same.",
        SYSTEM, "LocalAccountTokenFilterPolicy", 0, guard="local-accounts",
    ),
    _hardening(
        "18.4.2", "What is said to the print spooler is encrypted", "It was passed on to others (CVE-2021-1678).",
        rf"{CONTROL}\Print", "RpcAuthnLevelPrivacyEnabled", 1,
    ),
    _hardening(
        "18.4.4", "SMB version 1 is not served", "It has no protection at all; its successor is of 2006.",
        rf"{SERVICES}\LanManServer\Parameters", "SMB1", 0,
    ),
    _hardening(
        "18.4.5", "The chain of exception handlers is looked after", "Overwriting it was an easy way in.",
        rf"{CONTROL}\Session Manager\kernel", "DisableExceptionChainValidation", 0,
    ),
    _hardening(
        "18.4.6", "NetBIOS names are asked of servers, not of everybody", "Any neighbour can answer.",
        _NETBT, "NodeType", 2,
    ),
    _hardening(
        "18.4.7", "No password is kept in memory as it was typed", "That is where thieves look first.",
        rf"{CONTROL}\SecurityProviders\WDigest", "UseLogonCredential", 0,
    ),
    _hardening(
        "18.5.1", "Nobody is logged on when the machine starts", "The password for it lies in the registry.",
        WINLOGON, "AutoAdminLogon", "0",
    ),
    _hardening("18.5.2", "IPv6 packets do not choose their way", _ROUTES, _TCP6, "DisableIPSourceRouting", 2),
    _hardening("18.5.3", "Nor do those of IPv4", _ROUTES, _TCP, "DisableIPSourceRouting", 2),
    _hardening("18.5.4", "ICMP redirects change no routes", _ROUTES, _TCP, "EnableICMPRedirect", 0),
    _hardening(
        "18.5.6", "Nobody takes this machine's NetBIOS name away", "A single packet could.",
        _NETBT, "NoNameReleaseOnDemand", 1,
    ),
    _hardening(
        "18.5.8", "Libraries are looked for in the system's folders first",
        "One that lies in the current folder is a stranger's.",
        rf"{CONTROL}\Session Manager", "SafeDllSearchMode", 1,
    ),
    _hardening(
        "18.5.9", "The screen saver locks after five seconds at most", "People walk away from their screens.",
        WINLOGON, "ScreenSaverGracePeriod", "5",
    ),
    _hardening(
        "18.5.12", "A security log that is nearly full is reported", "What happens after that is not known.",
        rf"{SERVICES}\Eventlog\Security", "WarningLevel", 90,
    ),
)  # fmt: skip
