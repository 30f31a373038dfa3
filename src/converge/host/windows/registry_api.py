"""Registry keys, through winreg. Windows only."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import winreg

    TOPS = {
        "HKLM": winreg.HKEY_LOCAL_MACHINE,
        "HKCU": winreg.HKEY_CURRENT_USER,
        "HKU": winreg.HKEY_USERS,
        "HKCR": winreg.HKEY_CLASSES_ROOT,
        "HKCC": winreg.HKEY_CURRENT_CONFIG,
    }
    VIEW = winreg.KEY_WOW64_64KEY
    """Whatever we are ourselves, the keys are those that a 64-bit program sees."""

    def open_key(place: str, access: int, options: int = 0) -> winreg.HKEYType:
        """Open a key by its canonical name. Raises OSError."""
        return winreg.OpenKeyEx(*below_top(place), options, access | VIEW)

    def below_top(place: str) -> tuple[int, str]:
        """The handle of the top key, and the path below it."""
        hive, _, below = place.partition("\\")
        return TOPS[hive], below
