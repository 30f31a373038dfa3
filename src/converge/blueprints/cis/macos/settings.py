"""Sections 1, and 2.4 to 2.12: updates and the system's settings."""

from __future__ import annotations

from converge.blueprints import parts
from converge.blueprints.cis.macos.catalogue import RIGHTS, Chapter, Options, each_person, preference, script
from converge.declaration import Run

_updates, _menus, _privacy = Chapter("updates"), Chapter("menus"), Chapter("privacy")
_energy, _screen, _login = Chapter("energy"), Chapter("screen"), Chapter("login")

_SOFTWARE = "com.apple.SoftwareUpdate"
_LOGIN = "com.apple.loginwindow"
_PATCHED = "Most machines are taken by faults that were mended months ago."
_RADIO = "Whoever sees that it is on can turn it off; a radio is a way in for whoever is near."
_ASLEEP = "A Mac that seems to be off should not be on the network."
_GUESS = "Whoever guesses a password has to guess the name, too, and gets no help."
_GUEST = "Nobody can tell afterwards who a guest was."
_SHOWN_IN_MENU_BAR = 18

UPDATES = (
    _updates("1.2", "Updates are looked for", _PATCHED, preference(_SOFTWARE, "AutomaticCheckEnabled", True)),
    _updates("1.3", "They are fetched", _PATCHED, preference(_SOFTWARE, "AutomaticDownload", True)),
    _updates(
        "1.4", "Those of macOS are installed", _PATCHED,
        preference(_SOFTWARE, "AutomaticallyInstallMacOSUpdates", True),
    ),
    _updates("1.5", "So are those of programs", _PATCHED, preference("com.apple.commerce", "AutoUpdate", True)),
    _updates(
        "1.6", "So are answers to attacks, and lists of what is known to be bad", "They cannot wait.",
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
        "2.4.1", "The menu bar shows whether Wi-Fi is on", _RADIO,
        each_person("com.apple.controlcenter", "WiFi", _SHOWN_IN_MENU_BAR, this_mac=True),
    ),
    _menus(
        "2.4.2", "And whether Bluetooth is", _RADIO,
        each_person("com.apple.controlcenter", "Bluetooth", _SHOWN_IN_MENU_BAR, this_mac=True),
    ),
    _privacy(
        "2.6.4", "Advertisements know nothing of people", "What they do is not told to others.",
        each_person("com.apple.AdLib", "allowApplePersonalizedAdvertising", False),
    ),
    _privacy(
        "2.6.5", "Gatekeeper looks at programs before they run", "What nobody signed may be anybody's.",
        script(
            "Gatekeeper", "/usr/sbin/spctl --status | /usr/bin/grep -q '^assessments enabled'",
            "/usr/sbin/spctl --global-enable",
        ),
    ),
    _privacy(
        "2.6.8", "What is set for all needs an administrator's password", "Others use the same Mac.",
        script("settings for all", _ASKS, _ASK, *_FOR_ALL, watch=RIGHTS),
    ),
    _energy(
        "2.9.2", "Nothing is done while an Intel Mac sleeps", _ASLEEP,
        script(
            "Power Nap off", "! /usr/bin/pmset -g custom | /usr/bin/grep -Eq 'powernap +[1-9]'",
            "/usr/bin/pmset -a powernap 0",
        ),
    ),
    _energy(
        "2.9.3", "Nobody wakes it over the network", _ASLEEP,
        script(
            "no waking by network", "! /usr/bin/pmset -g custom | /usr/bin/grep -Eq 'womp +[1-9]'",
            "/usr/bin/pmset -a womp 0",
        ),
        guard="sleep",
    ),
    _screen("2.10.1", "A screen saver comes after 20 minutes", "People walk away from their screens.", _idle),
    _login(
        "2.10.3", "A text is shown where people log in",
        "A rule has to be told before it can be held against anybody.", _banner,
    ),
    _login("2.10.4", "No names are listed there", _GUESS, preference(_LOGIN, "SHOWFULLNAME", True)),
    _login("2.10.5", "Nor hints shown", _GUESS, preference(_LOGIN, "RetriesUntilHint", 0)),
    _login(
        "2.11.1", "There are no hints", "A hint helps all who read it.",
        script(
            "no hints for passwords", f'test -z "$({_HINTS})"',
            f'{_HINTS} | while read -r name; do /usr/bin/dscl . -delete "/Users/$name" hint; done',
        ),
    ),
    _login("2.12.1", "No guest logs in", _GUEST, preference(_LOGIN, "GuestEnabled", False)),
    _login("2.12.2", "Nor reaches shared folders", _GUEST, preference(parts.SMB, "AllowGuestAccess", False)),
    _login("2.12.3", "Nobody is logged in by itself", "Whoever turns it on is in.", _nobody_by_itself),
)  # fmt: skip
