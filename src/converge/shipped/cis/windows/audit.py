"""Section 17: what is written into the security log."""

from __future__ import annotations

from typing import Final

from converge.blueprints.run import Run
from converge.shipped.cis.windows.tables import Options, Rule, rule

_BOTH: Final = (True, True)
_SUCCESS: Final = (True, None)
_FAILURE: Final = (None, True)

_LOGONS = "Who came in, and who tried, is what an investigation begins with."
_ACCOUNTS = "A new account, or one with new rights, is how an intruder stays."
_POLICY = "Whoever does something bad turns off first what would see it."
_SYSTEM = "It tells that something works against the system itself."
_FILES = "It tells who read or took what."


def _audited(number: str, subcategory: str, what: tuple[bool | None, bool | None], why: str) -> Rule:
    success, failure = what

    def declare(r: Run, given: Options) -> None:
        both = True if given.audit_both else None
        r.auditpolicy(subcategory, success=success or both, failure=failure or both)

    events = "Success and Failure" if success and failure else "Success" if success else "Failure"
    return rule("audit", number, f"Audit {subcategory}: {events}", why, declare)


RULES = (
    _audited("17.1.1", "Credential Validation", _BOTH, _LOGONS),
    _audited("17.2.1", "Application Group Management", _BOTH, _ACCOUNTS),
    _audited("17.2.5", "Security Group Management", _SUCCESS, _ACCOUNTS),
    _audited("17.2.6", "User Account Management", _BOTH, _ACCOUNTS),
    _audited("17.3.1", "Plug and Play Events", _SUCCESS, "Somebody put in a disk, or something that types by itself."),
    _audited("17.3.2", "Process Creation", _SUCCESS, "Every program that ran is known, and who started it."),
    _audited("17.5.1", "Account Lockout", _FAILURE, "Somebody guesses passwords."),
    _audited("17.5.2", "Group Membership", _SUCCESS, "What somebody was allowed when he came in is known later."),
    _audited("17.5.3", "Logoff", _SUCCESS, _LOGONS),
    _audited("17.5.4", "Logon", _BOTH, _LOGONS),
    _audited("17.5.5", "Other Logon/Logoff Events", _BOTH, _LOGONS),
    _audited("17.5.6", "Special Logon", _SUCCESS, _LOGONS),
    _audited("17.6.1", "Detailed File Share", _FAILURE, _FILES),
    _audited("17.6.2", "File Share", _BOTH, _FILES),
    _audited("17.6.3", "Other Object Access Events", _BOTH, "Tasks that run later by themselves are a way to stay."),
    _audited("17.6.4", "Removable Storage", _BOTH, _FILES),
    _audited("17.7.1", "Audit Policy Change", _SUCCESS, _POLICY),
    _audited("17.7.2", "Authentication Policy Change", _SUCCESS, _POLICY),
    _audited("17.7.3", "Authorization Policy Change", _SUCCESS, _POLICY),
    _audited("17.7.4", "MPSSVC Rule-Level Policy Change", _BOTH, _POLICY),
    _audited("17.7.5", "Other Policy Change Events", _FAILURE, _POLICY),
    _audited("17.8.1", "Sensitive Privilege Use", _BOTH, "Those who may do everything are seen when they do it."),
    _audited("17.9.1", "IPsec Driver", _BOTH, _SYSTEM),
    _audited("17.9.2", "Other System Events", _BOTH, _SYSTEM),
    _audited("17.9.3", "Security State Change", _SUCCESS, _SYSTEM),
    _audited("17.9.4", "Security System Extension", _SUCCESS, _SYSTEM),
    _audited("17.9.5", "System Integrity", _BOTH, _SYSTEM),
)
