"""``darwin``: what nobody objects to on any Mac."""

from __future__ import annotations

from converge.blueprints import parts
from converge.declaration import Run

_UPDATES = "com.apple.SoftwareUpdate"
_ALF = "/usr/libexec/ApplicationFirewall/socketfilterfw"


def darwin(r: Run, automatic_updates: bool = True, firewall: bool = True) -> None:
    """Nobody comes in as a guest, and security updates install themselves.

    ``automatic_updates``: updates are looked for and fetched, and those for security installed, by themselves.
    ``firewall``: the application firewall is on; it lets in what belongs to macOS, remote login included.
    """
    parts.only_on(r, "darwin", "darwin")
    for domain, key in _NO_GUESTS:
        r.plist(domain, key, value=False)
    if automatic_updates:
        for key in ("AutomaticCheckEnabled", "AutomaticDownload", "ConfigDataInstall", "CriticalUpdateInstall"):
            r.plist(_UPDATES, key, value=True)
    if firewall:
        # Since macOS 15 its state is in no file that others may write.
        r.exec(
            "application firewall on",
            [_ALF, "--setglobalstate", "on"],
            unless=["/bin/sh", "-c", f"{_ALF} --getglobalstate | grep -q 'State = [12]'"],
        )


_NO_GUESTS = (
    ("com.apple.loginwindow", "GuestEnabled"),
    ("com.apple.AppleFileServer", "guestAccess"),
    ("/Library/Preferences/SystemConfiguration/com.apple.smb.server.plist", "AllowGuestAccess"),
)
