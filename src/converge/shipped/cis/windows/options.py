"""Sections 2.3.1 to 2.3.7: accounts and logons."""

from __future__ import annotations

from converge.shipped.cis.windows.tables import CONTROL, LSA, SERVICES, SYSTEM, WINLOGON, Table, given, rule

_NETLOGON = rf"{SERVICES}\Netlogon\Parameters"

_accounts, _logon = Table("accounts"), Table("logon")

_TO_DOMAIN = "Whoever sits between this machine and its domain could read or change what they say."

RULES = (
    _accounts(
        "2.3.1.1", "Accounts: Block Microsoft accounts", "Accounts of the organization end when people leave.",
        SYSTEM, "NoConnectedUser", 3, guard="microsoft-accounts",
    ),
    _accounts(
        "2.3.1.3", "Accounts: Limit local account use of blank passwords to console logon only",
        "Otherwise it opens the machine to the network.",
        LSA, "LimitBlankPasswordUse", 1,
    ),
    _accounts(
        "2.3.2.1", "Audit: Force audit policy subcategory settings",
        "A policy of the old kind would undo the settings of section 17.", LSA, "SCENoApplyLegacyAuditPolicy", 1,
    ),
    _accounts(
        "2.3.2.2", "Audit: Shut down system if unable to log security audits: Disabled",
        "Anybody could stop it by filling the log.",
        LSA, "CrashOnAuditFail", 0,
    ),
    _accounts(
        "2.3.4.1", "Devices: Allowed to format and eject removable media: Administrators",
        "What is on them may be somebody else's.",
        WINLOGON, "AllocateDASD", "0",
    ),
    _accounts(
        "2.3.4.2", "Devices: Prevent users from installing printer drivers", "A driver runs as the system.",
        rf"{CONTROL}\Print\Providers\LanMan Print Services\Servers", "AddPrinterDrivers", 1,
    ),
    _accounts(
        "2.3.6.1", "Domain member: Digitally encrypt or sign secure channel data (always)", _TO_DOMAIN, _NETLOGON,
        "RequireSignOrSeal", 1,
    ),
    _accounts(
        "2.3.6.2", "Domain member: Digitally encrypt secure channel data (when possible)", _TO_DOMAIN, _NETLOGON,
        "SealSecureChannel", 1,
    ),
    _accounts(
        "2.3.6.3", "Domain member: Digitally sign secure channel data (when possible)", _TO_DOMAIN, _NETLOGON,
        "SignSecureChannel", 1,
    ),
    _accounts(
        "2.3.6.4", "Domain member: Disable machine account password changes: Disabled",
        "One that never changes is stolen once and for all.",
        _NETLOGON, "DisablePasswordChange", 0,
    ),
    _accounts(
        "2.3.6.5", "Domain member: Maximum machine account password age: 30 days",
        "One that never changes is stolen once and for all.",
        _NETLOGON, "MaximumPasswordAge", 30,
    ),
    _accounts("2.3.6.6", "Domain member: Require strong session key", _TO_DOMAIN, _NETLOGON, "RequireStrongKey", 1),
    _logon(
        "2.3.7.1", "Interactive logon: Do not require CTRL+ALT+DEL: Disabled",
        "No program can draw a screen of its own that answers to it.",
        SYSTEM, "DisableCAD", 0,
    ),
    _logon(
        "2.3.7.2", "Interactive logon: Don't display last signed-in", "Whoever guesses has to guess the name, too.",
        SYSTEM, "DontDisplayLastUserName", 1,
    ),
    rule(
        "logon", "2.3.7.3", "Interactive logon: Machine inactivity limit: 900 seconds",
        "People walk away from their screens.",
        given(SYSTEM, "InactivityTimeoutSecs", lambda options: options.idle_seconds),
    ),
    rule(
        "logon", "2.3.7.4", "Interactive logon: Message text",
        "A rule has to be told before it can be held against anybody.",
        given(SYSTEM, "LegalNoticeText", lambda options: options.banner.strip()),
    ),
    rule(
        "logon", "2.3.7.5", "Interactive logon: Message title",
        "A rule has to be told before it can be held against anybody.",
        given(SYSTEM, "LegalNoticeCaption", lambda options: options.banner_title.strip()),
    ),
    _logon(
        "2.3.7.7", "Interactive logon: Prompt to change password 14 days before expiration",
        "Who is surprised by it takes a bad new one.",
        WINLOGON, "PasswordExpiryWarning", 14,
    ),
    _logon(
        "2.3.7.8", "Interactive logon: Require Domain Controller authentication to unlock",
        "An account may have been closed meanwhile.",
        WINLOGON, "ForceUnlockLogon", 1, guard="domain-controller",
    ),
    _logon(
        "2.3.7.9", "Interactive logon: Smart card removal behavior: Lock Workstation",
        "It is the sign that somebody leaves.",
        WINLOGON, "ScRemoveOption", "1",
    ),
)  # fmt: skip
