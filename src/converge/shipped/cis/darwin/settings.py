"""Sections 1, and 2.4 to 2.12: updates and the system's settings."""

from __future__ import annotations

from converge.blueprints.run import Run
from converge.shipped import common
from converge.shipped.cis.darwin.tables import RIGHTS, Chapter, Options, each_person, preference, script

_updates, _menus, _privacy = Chapter("updates"), Chapter("menus"), Chapter("privacy")
_energy, _screen, _login = Chapter("energy"), Chapter("screen"), Chapter("login")

_SOFTWARE = "com.apple.SoftwareUpdate"
_LOGIN = "com.apple.loginwindow"
_PATCHED = "Most machines are taken by faults that were mended months ago."
_RADIO = "Whoever sees that it is on can turn it off; a radio is a way in for whoever is near."
_ASLEEP = "A Mac that seems to be off should not be on the network."
_GUESS = "Whoever guesses a password has to guess the name, too, and gets no help."
_GUEST = "Nobody can tell afterwards who a guest was."
_DIAGNOSTICS = "/Library/Application Support/CrashReporter/DiagnosticMessagesHistory.plist"
_ASSISTANT = "com.apple.assistant.support"
_NEWER = "macOS 26"
_SENT = "What is said and done here is not told to others."
_OPTED_OUT = 2
_SHOWN_IN_MENU_BAR = 18

UPDATES = (
    _updates("1.2", "Automatic check for updates", _PATCHED, preference(_SOFTWARE, "AutomaticCheckEnabled", True)),
    _updates("1.3", "Automatic download of updates", _PATCHED, preference(_SOFTWARE, "AutomaticDownload", True)),
    _updates(
        "1.4", "Automatic installation of macOS updates", _PATCHED,
        preference(_SOFTWARE, "AutomaticallyInstallMacOSUpdates", True),
    ),
    _updates(
        "1.5", "Automatic installation of application updates", _PATCHED, preference("com.apple.commerce", "AutoUpdate",
        True),
    ),
    _updates(
        "1.6", "Automatic installation of security responses and system files", "Responses to attacks cannot wait.",
        preference(_SOFTWARE, "ConfigDataInstall", True), preference(_SOFTWARE, "CriticalUpdateInstall", True),
    ),
)  # fmt: skip


def _banner(r: Run, given: Options) -> None:
    r.plist(_LOGIN, "LoginwindowText", value=given.banner.strip())


def _nobody_by_itself(r: Run, _: Options) -> None:
    r.plist(_LOGIN, "autoLoginUser", state="absent")


def _idle(r: Run, given: Options) -> None:
    for name in given.people:
        r.plist("com.apple.screensaver", "idleTime", value=given.idle_seconds, user=name, host="current")


_FOR_ALL = tuple(
    f"system.preferences{each}"
    for each in (
        "", ".energysaver", ".network", ".printing", ".sharing", ".softwareupdate", ".startupdisk", ".timemachine",
    )
)  # fmt: skip
_ASKS = """\
for right; do
  rule=$(/usr/bin/security -q authorizationdb read "$right") || exit 1
  for each in shared=false group=admin authenticate-user=true session-owner=false; do
    is=$(printf '%s\\n' "$rule" | /usr/bin/plutil -extract "${each%=*}" raw -o - -) || exit 1
    test "$is" = "${each#*=}" || exit 1
  done
done
"""
_ASK = """\
for right; do
  rule=$(/usr/bin/security -q authorizationdb read "$right")
  for each in class/string=user shared/bool=false group/string=admin authenticate-user/bool=true \
session-owner/bool=false; do
    type=${each#*/}
    rule=$(printf '%s\\n' "$rule" | /usr/bin/plutil -replace "${each%%/*}" "-${type%=*}" "${each#*=}" -o - -)
  done
  printf '%s\\n' "$rule" | /usr/bin/security -q authorizationdb write "$right"
done
"""
_HINTS = "/usr/bin/dscl . -list /Users hint | /usr/bin/awk 'NF > 1 {print $1}'"

RULES = (
    _menus(
        "2.4.1", "Wi-Fi status in the menu bar", _RADIO,
        each_person("com.apple.controlcenter", "WiFi", _SHOWN_IN_MENU_BAR, this_mac=True),
    ),
    _menus(
        "2.4.2", "Bluetooth status in the menu bar", _RADIO,
        each_person("com.apple.controlcenter", "Bluetooth", _SHOWN_IN_MENU_BAR, this_mac=True),
    ),
    _privacy(
        "2.6.4", "Limit Ad Tracking: no personalized advertising", "What they do is not told to others.",
        each_person("com.apple.AdLib", "allowApplePersonalizedAdvertising", False),
    ),
    _privacy(
        "2.6.5", "Gatekeeper", "What nobody signed may be anybody's.",
        script(
            "Gatekeeper", "/usr/sbin/spctl --status | /usr/bin/grep -q '^assessments enabled'",
            "/usr/sbin/spctl --global-enable",
        ),
    ),
    _privacy(
        "2.6.8", "Administrator password for system-wide preferences", "Others use the same Mac.",
        script("settings for all", _ASKS, _ASK, *_FOR_ALL, watch=RIGHTS),
    ),
    _energy(
        "2.9.2", "Power Nap for Intel Macs: disabled", _ASLEEP,
        script(
            "Power Nap off", "! /usr/bin/pmset -g custom | /usr/bin/grep -Eq 'powernap +[1-9]'",
            "/usr/bin/pmset -a powernap 0",
        ),
    ),
    _energy(
        "2.9.3", "Wake for network access: disabled", _ASLEEP,
        script(
            "no waking by network", "! /usr/bin/pmset -g custom | /usr/bin/grep -Eq 'womp +[1-9]'",
            "/usr/bin/pmset -a womp 0",
        ),
        guard="sleep",
    ),
    _screen("2.10.1", "Screen saver inactivity interval: 20 minutes", "People walk away from their screens.", _idle),
    _login(
        "2.10.3", "Custom message for the login screen",
        "A rule has to be told before it can be held against anybody.", _banner,
    ),
    _login("2.10.4", "Login window: name and password", _GUESS, preference(_LOGIN, "SHOWFULLNAME", True)),
    _login(
        "2.10.5", "Password hints: not shown at the login window", _GUESS, preference(_LOGIN, "RetriesUntilHint", 0),
    ),
    _login(
        "2.11.1", "Users' accounts do not have a password hint", "A hint helps all who read it.",
        script(
            "no hints for passwords", f'test -z "$({_HINTS})"',
            f'{_HINTS} | while read -r name; do /usr/bin/dscl . -delete "/Users/$name" hint; done',
        ),
    ),
    _login("2.12.1", "Guest account: disabled", _GUEST, preference(_LOGIN, "GuestEnabled", False)),
    _login(
        "2.12.2", "Guest access to shared folders: disabled", _GUEST, preference(common.SMB, "AllowGuestAccess", False),
    ),
    _login("2.12.3", "Automatic login: disabled", "Whoever turns it on is in.", _nobody_by_itself),
    _privacy(
        "M26-2.5.2.1", "Siri: disabled", _SENT, each_person(_ASSISTANT, "Assistant Enabled", False), extra=_NEWER,
    ),
    _privacy(
        "M26-2.5.2.2", "Listen for Siri: disabled", _SENT,
        each_person("com.apple.Siri", "VoiceTriggerUserEnabled", False), extra=_NEWER,
    ),
    _privacy(
        "M26-2.6.3.1", "Share Mac Analytics: disabled", _SENT, preference(_DIAGNOSTICS, "AutoSubmit", False),
        extra=_NEWER,
    ),
    _privacy(
        "M26-2.6.3.2", "Improve Siri and Dictation: disabled", _SENT,
        each_person(_ASSISTANT, "Siri Data Sharing Opt-In Status", _OPTED_OUT), extra=_NEWER,
    ),
    _privacy(
        "M26-2.6.3.3", "Improve Assistive Voice Features: disabled", _SENT,
        each_person("com.apple.Accessibility", "AXSAudioDonationSiriImprovementEnabled", False), extra=_NEWER,
    ),
    _privacy(
        "M26-2.6.3.4", "Share with app developers: disabled", _SENT,
        preference(_DIAGNOSTICS, "ThirdPartyDataSubmit", False), extra=_NEWER,
    ),
    _privacy(
        "M26-2.9.1", "Help Apple Improve Search: disabled", _SENT,
        each_person(_ASSISTANT, "Search Queries Data Sharing Status", _OPTED_OUT),
        each_person("com.apple.lookup.shared", "LookupSuggestionsDisabled", True), extra=_NEWER,
    ),
)  # fmt: skip
