"""Sections 2.2 and 2.3: the firewall, sharing, and the clock."""

from __future__ import annotations

from converge.blueprints.run import Run
from converge.shipped import common
from converge.shipped.cis.darwin.tables import Chapter, Options, each_person, off, on, preference, script

_firewall, _sharing, _time = Chapter("firewall"), Chapter("sharing"), Chapter("time")

_KICKSTART = "/System/Library/CoreServices/RemoteManagement/ARDAgent.app/Contents/Resources/kickstart"
_NAT = "/Library/Preferences/SystemConfiguration/com.apple.nat.plist"
_UNSEEN = "What does not answer is not found, and what does not listen is not attacked."
_NEAR = "Whoever is near enough could send something, or show it."
_CLOCK = "Logs, certificates and logins with one-time codes go by the time."


def _network_time(r: Run, _: Options) -> None:
    r.include(common.network_time)


def _application_firewall(r: Run, _: Options) -> None:
    r.include(common.application_firewall)


RULES = (
    _firewall("2.2.1", "Firewall", _UNSEEN, _application_firewall),
    _firewall(
        "2.2.2", "Firewall stealth mode", _UNSEEN,
        script(
            "stealth mode on", f"{common.ALF} --getstealthmode | /usr/bin/grep -Eqi 'mode (is on|enabled)'",
            f"{common.ALF} --setstealthmode on",
        ),
    ),
    _sharing(
        "2.3.1.1", "AirDrop: disabled", _NEAR, each_person("com.apple.NetworkBrowser", "DisableAirDrop", True),
    ),
    _sharing(
        "2.3.1.2", "AirPlay Receiver: disabled", _NEAR,
        # Spelled as Apple does.
        each_person("com.apple.controlcenter", "AirplayRecieverEnabled", False, this_mac=True),
    ),
    _time(
        "2.3.2.1", "Set time and date automatically", _CLOCK, _network_time,
    ),
    _time("2.3.2.2", "Time service (timed)", _CLOCK, on("com.apple.timed")),
    _sharing("2.3.3.1", "DVD or CD sharing: disabled", _UNSEEN, off("com.apple.ODSAgent")),
    _sharing("2.3.3.2", "Screen Sharing: disabled", _UNSEEN, off("com.apple.screensharing"), guard="screen-sharing"),
    _sharing("2.3.3.3", "File Sharing: disabled", _UNSEEN, off("com.apple.smbd")),
    _sharing(
        "2.3.3.4", "Printer Sharing: disabled", _UNSEEN,
        script(
            "no shared printers", "/usr/sbin/cupsctl | /usr/bin/grep -q '^_share_printers=0'",
            "/usr/sbin/cupsctl --no-share-printers",
        ),
    ),
    _sharing("2.3.3.5", "Remote Login: disabled", _UNSEEN, off("com.openssh.sshd"), guard="remote-login"),
    _sharing(
        "2.3.3.6", "Remote Management: disabled", _UNSEEN,
        script("no remote management", "! /usr/bin/pgrep -qx ARDAgent", f"{_KICKSTART} -deactivate -stop"),
        guard="remote-management",
    ),
    _sharing("2.3.3.7", "Remote Apple Events: disabled", _UNSEEN, off("com.apple.AEServer")),
    _sharing(
        "2.3.3.8", "Internet Sharing: disabled", "A Mac in two networks must not join them.",
        preference(_NAT, "NAT", {"Enabled": 0}),
    ),
    _sharing(
        "2.3.3.11", "Bluetooth Sharing: disabled", _NEAR,
        each_person("com.apple.Bluetooth", "PrefKeyServicesEnabled", False, this_mac=True),
    ),
)  # fmt: skip
