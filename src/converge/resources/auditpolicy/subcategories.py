"""The subcategories of the audit policy, as ``auditpol /list /subcategory:* /v`` of an English Windows names them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from converge.core.errors import nearest

SUBCATEGORIES: Final = {
    "Security State Change": 0x10,
    "Security System Extension": 0x11,
    "System Integrity": 0x12,
    "IPsec Driver": 0x13,
    "Other System Events": 0x14,
    "Logon": 0x15,
    "Logoff": 0x16,
    "Account Lockout": 0x17,
    "IPsec Main Mode": 0x18,
    "IPsec Quick Mode": 0x19,
    "IPsec Extended Mode": 0x1A,
    "Special Logon": 0x1B,
    "Other Logon/Logoff Events": 0x1C,
    "File System": 0x1D,
    "Registry": 0x1E,
    "Kernel Object": 0x1F,
    "SAM": 0x20,
    "Certification Services": 0x21,
    "Application Generated": 0x22,
    "Handle Manipulation": 0x23,
    "File Share": 0x24,
    "Filtering Platform Packet Drop": 0x25,
    "Filtering Platform Connection": 0x26,
    "Other Object Access Events": 0x27,
    "Sensitive Privilege Use": 0x28,
    "Non Sensitive Privilege Use": 0x29,
    "Other Privilege Use Events": 0x2A,
    "Process Creation": 0x2B,
    "Process Termination": 0x2C,
    "DPAPI Activity": 0x2D,
    "RPC Events": 0x2E,
    "Audit Policy Change": 0x2F,
    "Authentication Policy Change": 0x30,
    "Authorization Policy Change": 0x31,
    "MPSSVC Rule-Level Policy Change": 0x32,
    "Filtering Platform Policy Change": 0x33,
    "Other Policy Change Events": 0x34,
    "User Account Management": 0x35,
    "Computer Account Management": 0x36,
    "Security Group Management": 0x37,
    "Distribution Group Management": 0x38,
    "Application Group Management": 0x39,
    "Other Account Management Events": 0x3A,
    "Directory Service Access": 0x3B,
    "Directory Service Changes": 0x3C,
    "Directory Service Replication": 0x3D,
    "Detailed Directory Service Replication": 0x3E,
    "Credential Validation": 0x3F,
    "Kerberos Service Ticket Operations": 0x40,
    "Other Account Logon Events": 0x41,
    "Kerberos Authentication Service": 0x42,
    "Network Policy Server": 0x43,
    "Detailed File Share": 0x44,
    "Removable Storage": 0x45,
    "Central Policy Staging": 0x46,
    "User / Device Claims": 0x47,
    "Plug and Play Events": 0x48,
    "Group Membership": 0x49,
    "Token Right Adjusted Events": 0x4A,
}
"""The last byte of the first part of each one's GUID; ntsecapi.h has them."""

_REST: Final = "-69AE-11D9-BED3-505054503030"


def guid_of(name: str) -> UUID | None:
    """Of a subcategory that is named, in letters of any case, or is given as a GUID; None where there is none."""
    for known, number in SUBCATEGORIES.items():
        guid = UUID(f"0CCE92{number:02X}{_REST}")
        if name.strip("{}").lower() in (known.lower(), str(guid)):
            return guid
    return None


def unknown(name: str) -> str:
    """The sentence for a name that is none."""
    known = {each.lower(): each for each in SUBCATEGORIES}
    hint = nearest(name.lower(), known, lambda each: repr(known[each]))
    return f"there is no subcategory {name!r}{hint or '; auditpol /list /subcategory:* shows them'}"
