"""Sections 2.3.8 to 2.3.17: sharing, authentication, and programs of administrators."""

from __future__ import annotations

from converge.shipped.cis.windows.tables import CONTROL, LSA, SERVICES, SYSTEM, Table

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
    _sharing(
        "2.3.8.1", "Microsoft network client: Digitally sign communications (always)", _SIGNED, _CLIENT,
        "RequireSecuritySignature", 1,
    ),
    _sharing(
        "2.3.8.2", "Microsoft network client: Digitally sign communications (if server agrees)", _SIGNED, _CLIENT,
        "EnableSecuritySignature", 1,
    ),
    _sharing(
        "2.3.8.3", "Microsoft network client: Send unencrypted password to third-party SMB servers: Disabled",
        "Everybody on the way can read it.",
        _CLIENT, "EnablePlainTextPassword", 0,
    ),
    _sharing(
        "2.3.9.1", "Microsoft network server: Idle time before suspending session: 15 minutes",
        "Each takes memory, so that many stop the server.",
        _SERVER, "AutoDisconnect", 15,
    ),
    _sharing(
        "2.3.9.2", "Microsoft network server: Digitally sign communications (always)", _SIGNED, _SERVER,
        "RequireSecuritySignature", 1,
    ),
    _sharing(
        "2.3.9.3", "Microsoft network server: Digitally sign communications (if client agrees)", _SIGNED, _SERVER,
        "EnableSecuritySignature", 1,
    ),
    _sharing(
        "2.3.9.4", "Microsoft network server: Disconnect clients when logon hours expire",
        "Otherwise whoever is in stays in.",
        _SERVER, "EnableForcedLogOff", 1,
    ),
    _sharing(
        "2.3.9.5", "Microsoft network server: Server SPN target name validation level: Accept if provided",
        "A logon that was meant for another server is not passed on to this one.",
        _SERVER, "SMBServerNameHardeningLevel", 1,
    ),
    _sharing(
        "2.3.10.2", "Network access: No anonymous enumeration of SAM accounts", _STRANGERS, LSA, "RestrictAnonymousSAM",
        1,
    ),
    _sharing(
        "2.3.10.3", "Network access: No anonymous enumeration of SAM accounts and shares", _STRANGERS, LSA,
        "RestrictAnonymous", 1,
    ),
    _sharing(
        "2.3.10.5", "Network access: Everyone permissions for anonymous users: Disabled", _STRANGERS, LSA,
        "EveryoneIncludesAnonymous", 0,
    ),
    _sharing(
        "2.3.10.7", "Network access: Named Pipes that can be accessed anonymously: none", _STRANGERS, _SERVER,
        "NullSessionPipes", [],
    ),
    _sharing(
        "2.3.10.8", "Network access: Remotely accessible registry paths", "Programs of the system need no more.",
        rf"{_REMOTE}\AllowedExactPaths", "Machine",
        [
            r"System\CurrentControlSet\Control\ProductOptions",
            r"System\CurrentControlSet\Control\Server Applications",
            r"Software\Microsoft\Windows NT\CurrentVersion",
        ],
    ),
    _sharing(
        "2.3.10.9", "Network access: Remotely accessible registry paths and sub-paths",
        "Programs of the system need no more.",
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
        "2.3.10.10", "Network access: Restrict anonymous access to Named Pipes and Shares", _STRANGERS, _SERVER,
        "RestrictNullSessAccess", 1,
    ),
    _sharing(
        "2.3.10.11", "Network access: Remote calls to SAM: Administrators only", _STRANGERS,
        LSA, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)",
    ),
    _sharing(
        "2.3.10.12", "Network access: Shares that can be accessed anonymously: none", _STRANGERS, _SERVER,
        "NullSessionShares", [],
    ),
    _sharing(
        "2.3.10.13", "Network access: Sharing and security model for local accounts: Classic",
        "Otherwise all are the same guest.",
        LSA, "ForceGuest", 0,
    ),
    _authentication(
        "2.3.11.1", "Network security: Local System uses computer identity for NTLM",
        "It is a stranger otherwise, without encryption.",
        LSA, "UseMachineId", 1,
    ),
    _authentication(
        "2.3.11.2", "Network security: LocalSystem NULL session fallback: Disabled",
        "Sessions of strangers are not encrypted.",
        _MSV, "AllowNullSessionFallback", 0,
    ),
    _authentication(
        "2.3.11.3", "Network Security: PKU2U online identities: Disabled",
        "This machine's own accounts and the domain's are the ones that somebody looks after.",
        rf"{LSA}\pku2u", "AllowOnlineID", 0,
    ),
    _authentication(
        "2.3.11.4", "Network security: Encryption types for Kerberos: AES", "RC4 and DES are broken.",
        rf"{SYSTEM}\Kerberos\Parameters", "SupportedEncryptionTypes", _AES_AND_LATER, guard="kerberos",
    ),
    _authentication(
        "2.3.11.5", "Network security: Do not store LAN Manager hash value", _OLD_HASHES, LSA, "NoLMHash", 1,
    ),
    _authentication(
        "2.3.11.7", "Network security: LAN Manager authentication level: NTLMv2 only, refuse LM and NTLM", _OLD_HASHES,
        LSA, "LmCompatibilityLevel", 5,
    ),
    _authentication(
        "2.3.11.8", "Network security: LDAP client signing requirements: Negotiate signing", _TO_DOMAIN,
        rf"{SERVICES}\LDAP", "LDAPClientIntegrity", 1,
    ),
    _authentication(
        "2.3.11.9", "Network security: NTLM SSP clients: NTLMv2 and 128-bit encryption", _OLD_HASHES, _MSV,
        "NTLMMinClientSec", _TWO_KEYS,
    ),
    _authentication(
        "2.3.11.10", "Network security: NTLM SSP servers: NTLMv2 and 128-bit encryption", _OLD_HASHES, _MSV,
        "NTLMMinServerSec", _TWO_KEYS,
    ),
    _uac(
        "2.3.13.1", "Shutdown: Allow system to be shut down without having to log on: Disabled", "It serves others.",
        SYSTEM, "ShutdownWithoutLogon", 0,
    ),
    _uac(
        "2.3.15.1", "System objects: Require case insensitivity for non-Windows subsystems",
        "A program could put a file in the way of another that differs in letters only.",
        rf"{CONTROL}\Session Manager\Kernel", "ObCaseInsensitive", 1,
    ),
    _uac(
        "2.3.15.2", "System objects: Strengthen default permissions of internal system objects",
        "A link in the wrong place leads a program of the system astray.",
        rf"{CONTROL}\Session Manager", "ProtectionMode", 1,
    ),
    _uac(
        "2.3.17.1", "User Account Control: Admin Approval Mode for the Built-in Administrator account", _ASKED, SYSTEM,
        "FilterAdministratorToken", 1,
        guard="local-accounts",
    ),
    _uac(
        "2.3.17.2", "User Account Control: Elevation prompt for administrators: consent on the secure desktop", _ASKED,
        SYSTEM, "ConsentPromptBehaviorAdmin", 2,
    ),
    _uac(
        "2.3.17.3", "User Account Control: Elevation prompt for standard users: deny",
        "Whoever types it there gives it to what runs there.", SYSTEM, "ConsentPromptBehaviorUser", 0,
    ),
    _uac(
        "2.3.17.4", "User Account Control: Detect application installations", _ASKED, SYSTEM,
        "EnableInstallerDetection", 1,
    ),
    _uac(
        "2.3.17.5", "User Account Control: Only elevate UIAccess applications in secure locations", _ASKED,
        SYSTEM, "EnableSecureUIAPaths", 1,
    ),
    _uac(
        "2.3.17.6", "User Account Control: Run all administrators in Admin Approval Mode", _ASKED, SYSTEM, "EnableLUA",
        1,
    ),
    _uac(
        "2.3.17.7", "User Account Control: Switch to the secure desktop when prompting", _ASKED, SYSTEM,
        "PromptOnSecureDesktop", 1,
    ),
    _uac(
        "2.3.17.8", "User Account Control: Virtualize file and registry write failures",
        "They need no rights of administrators then.",
        SYSTEM, "EnableVirtualization", 1,
    ),
)  # fmt: skip
