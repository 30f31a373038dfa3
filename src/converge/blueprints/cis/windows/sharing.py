"""Sections 2.3.8 to 2.3.17: sharing, authentication, and programs of administrators."""

from __future__ import annotations

from converge.blueprints.cis.windows.catalogue import (
    CONTROL,
    LSA,
    SERVICES,
    SYSTEM,
    Table,
)

_CLIENT = rf"{SERVICES}\LanmanWorkstation\Parameters"
_SERVER = rf"{SERVICES}\LanManServer\Parameters"
_MSV = rf"{LSA}\MSV1_0"
_REMOTE = rf"{CONTROL}\SecurePipeServers\Winreg"

_sharing, _authentication, _uac = Table("sharing"), Table("authentication"), Table("uac")

_TO_DOMAIN = "Whoever sits between this machine and its domain could read or change what they say."
_SIGNED = "A file that comes over the network is the one that was sent, from whom it seems to come."
_STRANGERS = "Strangers learn nothing about this machine, not even names."
_OLD_HASHES = "What the old ways send over the network is cracked, or passed on, by whoever sees it."
_ASKED = "A program of an administrator does not act as one unless somebody agrees."
_TWO_KEYS = 537395200
"""NTLMSSP_NEGOTIATE_NTLM2 and NTLMSSP_NEGOTIATE_128."""
_AES_AND_LATER = 2147483640

RULES = (
    _sharing("2.3.8.1", "As a client, signing is asked for", _SIGNED, _CLIENT, "RequireSecuritySignature", 1),
    _sharing("2.3.8.2", "It is offered as well", _SIGNED, _CLIENT, "EnableSecuritySignature", 1),
    _sharing(
        "2.3.8.3", "No password is sent as it is", "Everybody on the way can read it.",
        _CLIENT, "EnablePlainTextPassword", 0,
    ),
    _sharing(
        "2.3.9.1", "Idle sessions end after 15 minutes", "Each takes memory, so that many stop the server.",
        _SERVER, "AutoDisconnect", 15,
    ),
    _sharing("2.3.9.2", "As a server, signing is asked for", _SIGNED, _SERVER, "RequireSecuritySignature", 1),
    _sharing("2.3.9.3", "It is offered as well", _SIGNED, _SERVER, "EnableSecuritySignature", 1),
    _sharing(
        "2.3.9.4", "Sessions end when an account's hours do", "Otherwise whoever is in stays in.",
        _SERVER, "EnableForcedLogOff", 1,
    ),
    _sharing(
        "2.3.9.5", "Clients that say whom they mean are believed only if they mean this machine",
        "A logon that was meant for another server is not passed on to this one.",
        _SERVER, "SMBServerNameHardeningLevel", 1,
    ),
    _sharing("2.3.10.2", "Strangers are not told the accounts", _STRANGERS, LSA, "RestrictAnonymousSAM", 1),
    _sharing("2.3.10.3", "Nor the shares", _STRANGERS, LSA, "RestrictAnonymous", 1),
    _sharing("2.3.10.5", "Strangers do not count as everyone", _STRANGERS, LSA, "EveryoneIncludesAnonymous", 0),
    _sharing("2.3.10.7", "No named pipe is open to strangers", _STRANGERS, _SERVER, "NullSessionPipes", []),
    _sharing(
        "2.3.10.8", "Three places of the registry are open to the network", "Programs of the system need no more.",
        rf"{_REMOTE}\AllowedExactPaths", "Machine",
        [
            r"System\CurrentControlSet\Control\ProductOptions",
            r"System\CurrentControlSet\Control\Server Applications",
            r"Software\Microsoft\Windows NT\CurrentVersion",
        ],
    ),
    _sharing(
        "2.3.10.9", "And some with what is below them", "Programs of the system need no more.",
        rf"{_REMOTE}\AllowedPaths", "Machine",
        [
            r"System\CurrentControlSet\Control\Print\Printers",
            r"System\CurrentControlSet\Services\Eventlog",
            r"Software\Microsoft\OLAP Server",
            r"Software\Microsoft\Windows NT\CurrentVersion\Print",
            r"Software\Microsoft\Windows NT\CurrentVersion\Windows",
            r"System\CurrentControlSet\Control\ContentIndex",
            r"System\CurrentControlSet\Control\Terminal Server",
            r"System\CurrentControlSet\Control\Terminal Server\UserConfig",
            r"System\CurrentControlSet\Control\Terminal Server\DefaultUserConfiguration",
            r"Software\Microsoft\Windows NT\CurrentVersion\Perflib",
            r"System\CurrentControlSet\Services\SysmonLog",
        ],
    ),
    _sharing(
        "2.3.10.10", "Pipes and shares ask who comes", _STRANGERS, _SERVER, "RestrictNullSessAccess", 1,
    ),
    _sharing(
        "2.3.10.11", "Only administrators ask for accounts from afar", _STRANGERS,
        LSA, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)",
    ),
    _sharing("2.3.10.12", "No share is open to strangers", _STRANGERS, _SERVER, "NullSessionShares", []),
    _sharing(
        "2.3.10.13", "Local accounts count as themselves over the network", "Otherwise all are the same guest.",
        LSA, "ForceGuest", 0,
    ),
    _authentication(
        "2.3.11.1", "The system is this machine over the network", "It is a stranger otherwise, without encryption.",
        LSA, "UseMachineId", 1,
    ),
    _authentication(
        "2.3.11.2", "It does not fall back to being a stranger", "Sessions of strangers are not encrypted.",
        _MSV, "AllowNullSessionFallback", 0,
    ),
    _authentication(
        "2.3.11.3", "Accounts of the internet are not good for logons between machines",
        "This machine's own accounts and the domain's are the ones that somebody looks after.",
        rf"{LSA}\pku2u", "AllowOnlineID", 0,
    ),
    _authentication(
        "2.3.11.4", "Kerberos uses AES", "RC4 and DES are broken.",
        rf"{SYSTEM}\Kerberos\Parameters", "SupportedEncryptionTypes", _AES_AND_LATER, guard="kerberos",
    ),
    _authentication("2.3.11.5", "No LAN Manager hash is stored", _OLD_HASHES, LSA, "NoLMHash", 1),
    _authentication(
        "2.3.11.7", "Only NTLMv2 is sent and taken", _OLD_HASHES, LSA, "LmCompatibilityLevel", 5,
    ),
    _authentication(
        "2.3.11.8", "What is asked of a directory is signed where that can be", _TO_DOMAIN,
        rf"{SERVICES}\LDAP", "LDAPClientIntegrity", 1,
    ),
    _authentication(
        "2.3.11.9", "NTLM sessions of clients have 128 bits", _OLD_HASHES, _MSV, "NTLMMinClientSec", _TWO_KEYS,
    ),
    _authentication(
        "2.3.11.10", "So have those of servers", _OLD_HASHES, _MSV, "NTLMMinServerSec", _TWO_KEYS,
    ),
    _uac(
        "2.3.13.1", "Nobody shuts the machine down without a logon", "It serves others.",
        SYSTEM, "ShutdownWithoutLogon", 0,
    ),
    _uac(
        "2.3.15.1", "Names are the same in small and capital letters for all",
        "A program could put a file in the way of another that differs in letters only.",
        rf"{CONTROL}\Session Manager\Kernel", "ObCaseInsensitive", 1,
    ),
    _uac(
        "2.3.15.2", "What belongs to the system is not for others to change",
        "A link in the wrong place leads a program of the system astray.",
        rf"{CONTROL}\Session Manager", "ProtectionMode", 1,
    ),
    _uac(
        "2.3.17.1", "The built-in administrator is asked as well", _ASKED, SYSTEM, "FilterAdministratorToken", 1,
        guard="local-accounts",
    ),
    _uac(
        "2.3.17.2", "Administrators are asked where no program can answer", _ASKED,
        SYSTEM, "ConsentPromptBehaviorAdmin", 2,
    ),
    _uac(
        "2.3.17.3", "Others are not asked for an administrator's password",
        "Whoever types it there gives it to what runs there.", SYSTEM, "ConsentPromptBehaviorUser", 0,
    ),
    _uac("2.3.17.4", "Installers are recognized, and ask", _ASKED, SYSTEM, "EnableInstallerDetection", 1),
    _uac(
        "2.3.17.5", "Programs that may steer others lie where only administrators write", _ASKED,
        SYSTEM, "EnableSecureUIAPaths", 1,
    ),
    _uac("2.3.17.6", "Programs of administrators ask at all", _ASKED, SYSTEM, "EnableLUA", 1),
    _uac("2.3.17.7", "The question is put where no program can answer", _ASKED, SYSTEM, "PromptOnSecureDesktop", 1),
    _uac(
        "2.3.17.8", "Old programs write into copies of their own", "They need no rights of administrators then.",
        SYSTEM, "EnableVirtualization", 1,
    ),
)  # fmt: skip
