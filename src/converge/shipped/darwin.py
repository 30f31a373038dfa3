"""``darwin``: uncontroversial defaults for any Mac."""

from __future__ import annotations

from collections.abc import Sequence

from converge.blueprints.run import Run
from converge.shipped import asked, common, pieces

_UPDATES = "com.apple.SoftwareUpdate"


def darwin(
    r: Run,
    automatic_updates: bool = True,
    firewall: bool = True,
    old_services: bool = False,
    packages: Sequence[str] = (),
    brew_user: str = "",
    motd: str = "",
) -> None:
    """Nobody comes in as a guest, and security updates install themselves.

    ``automatic_updates``: updates are looked for and fetched, and those for security installed, by themselves.
    ``firewall``: the application firewall is on; it lets in what belongs to macOS, remote login included.
    ``old_services``: services that take files from anybody, TFTP and UUCP, are left alone.
    ``packages``: software that is installed as ``brew_user``, through Homebrew.
    ``motd``: what is shown after a login in a terminal.
    """
    common.only_on(r, "darwin", "darwin")
    for domain, key in _NO_GUESTS:
        r.include(common.preference, domain, key, False)
    if automatic_updates:
        for key in ("AutomaticCheckEnabled", "AutomaticDownload", "ConfigDataInstall", "CriticalUpdateInstall"):
            r.include(common.preference, _UPDATES, key, True)
    if firewall:
        r.include(common.application_firewall)
    if not old_services:
        for label in ("com.apple.tftpd", "com.apple.uucp"):
            r.service(label, state="stopped", enable=False)
    pieces.declare(r, "darwin", [*asked.packages(packages, brew_user), *asked.motd(motd)], ())


_NO_GUESTS = (
    ("com.apple.loginwindow", "GuestEnabled"),
    ("com.apple.AppleFileServer", "guestAccess"),
    (common.SMB, "AllowGuestAccess"),
)
