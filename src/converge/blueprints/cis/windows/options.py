"""Sections 2.3.1 to 2.3.7: accounts and logons."""

from __future__ import annotations

from converge.blueprints.cis.windows.catalogue import (
    CONTROL,
    LSA,
    SERVICES,
    SYSTEM,
    WINLOGON,
    Table,
    given,
    rule,
)

_NETLOGON = rf"{SERVICES}\Netlogon\Parameters"

_accounts, _logon = Table("accounts"), Table("logon")

_TO_DOMAIN = "Whoever sits between this machine and its domain could read or change what they say."

RULES = (
    _accounts(
        "2.3.1.1", "Nobody logs on with a Microsoft account", "Accounts of the organization end when people leave.",
        SYSTEM, "NoConnectedUser", 3, guard="microsoft-accounts",
    ),
    _accounts(
        "2.3.1.3", "An empty password is good for the console alone", "Otherwise it opens the machine to the network.",
        LSA, "LimitBlankPasswordUse", 1,
    ),
    _accounts(
        "2.3.2.1", "Subcategories of the audit policy go before categories",
        "A policy of the old kind would undo the settings of section 17.", LSA, "SCENoApplyLegacyAuditPolicy", 1,
    ),
    _accounts(
        "2.3.2.2", "A full security log does not stop the machine", "Anybody could stop it by filling the log.",
        LSA, "CrashOnAuditFail", 0,
    ),
    _accounts(
        "2.3.4.1", "Only administrators format removable disks", "What is on them may be somebody else's.",
        WINLOGON, "AllocateDASD", "0",
    ),
    _accounts(
        "2.3.4.2", "Only administrators install printer drivers", "A driver runs as the system.",
        rf"{CONTROL}\Print\Providers\LanMan Print Services\Servers", "AddPrinterDrivers", 1,
    ),
    _accounts(
        "2.3.6.1", "What is said to the domain is signed or sealed", _TO_DOMAIN, _NETLOGON, "RequireSignOrSeal", 1,
    ),
    _accounts("2.3.6.2", "It is sealed where that can be", _TO_DOMAIN, _NETLOGON, "SealSecureChannel", 1),
    _accounts("2.3.6.3", "It is signed where that can be", _TO_DOMAIN, _NETLOGON, "SignSecureChannel", 1),
    _accounts(
        "2.3.6.4", "The machine changes its own password", "One that never changes is stolen once and for all.",
        _NETLOGON, "DisablePasswordChange", 0,
    ),
    _accounts(
        "2.3.6.5", "It does so every 30 days", "One that never changes is stolen once and for all.",
        _NETLOGON, "MaximumPasswordAge", 30,
    ),
    _accounts("2.3.6.6", "Session keys have 128 bits", _TO_DOMAIN, _NETLOGON, "RequireStrongKey", 1),
    _logon(
        "2.3.7.1", "A logon begins with Ctrl+Alt+Del", "No program can draw a screen of its own that answers to it.",
        SYSTEM, "DisableCAD", 0,
    ),
    _logon(
        "2.3.7.2", "The last name is not shown", "Whoever guesses has to guess the name, too.",
        SYSTEM, "DontDisplayLastUserName", 1,
    ),
    rule(
        "logon", "2.3.7.3", "A session that nobody uses is locked after 15 minutes",
        "People walk away from their screens.",
        given(SYSTEM, "InactivityTimeoutSecs", lambda options: options.idle_seconds),
    ),
    rule(
        "logon", "2.3.7.4", "A text is shown before a logon",
        "A rule has to be told before it can be held against anybody.",
        given(SYSTEM, "LegalNoticeText", lambda options: options.banner.strip()),
    ),
    rule(
        "logon", "2.3.7.5", "It has a title", "A rule has to be told before it can be held against anybody.",
        given(SYSTEM, "LegalNoticeCaption", lambda options: options.banner_title.strip()),
    ),
    _logon(
        "2.3.7.7", "A password's end is announced two weeks before", "Who is surprised by it takes a bad new one.",
        WINLOGON, "PasswordExpiryWarning", 14,
    ),
    _logon(
        "2.3.7.8", "The domain is asked before a session is unlocked", "An account may have been closed meanwhile.",
        WINLOGON, "ForceUnlockLogon", 1, guard="domain-controller",
    ),
    _logon(
        "2.3.7.9", "Taking out the smart card locks the session", "It is the sign that somebody leaves.",
        WINLOGON, "ScRemoveOption", "1",
    ),
)  # fmt: skip
