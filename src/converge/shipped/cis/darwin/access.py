"""Section 5 beside 5.1, and section 6: passwords, sudo, and programs."""

from __future__ import annotations

from collections.abc import Callable

from converge.blueprints.run import Run
from converge.shipped.cis.darwin.tables import RIGHTS, Chapter, Declaration, Options, each_person, run_script, script

_passwords, _sudo, _screen = Chapter("passwords"), Chapter("sudo"), Chapter("screen")
_login, _programs = Chapter("login"), Chapter("programs")

_POLICY = "/usr/bin/pwpolicy -n /Local/Default"
_HOLDS = f"{_POLICY} -getglobalpolicy | /usr/bin/tr ' ' '\\n' | /usr/bin/grep -qx \"$1\""
_GUESSING = "Whoever guesses passwords gets a few tries an hour instead of thousands."
_A_DAY = 24 * 60
_VISUDO = "/usr/sbin/visudo"


def _policy(key: str, wanted: Callable[[Options], int]) -> Declaration:
    """A rule for the passwords of all accounts that are kept on this Mac."""

    def declare(r: Run, given: Options) -> None:
        run_script(r, f"password policy {key}", _HOLDS, f'{_POLICY} -setglobalpolicy "$1"', f"{key}={wanted(given)}")

    return declare


def _sudoers(name: str, line: str) -> Declaration:
    """A file of sudoers(5). A name with a dot in it would be passed over."""

    def declare(r: Run, _: Options) -> None:
        r.file(
            f"/etc/sudoers.d/60-converge-{name}",
            content=f"# Managed by converge (cis).\n{line}\n",
            owner="root", group="wheel", mode=0o440, validate=[_VISUDO, "-cf", "%s"],
        )  # fmt: skip

    return declare


def _no_guests_home(r: Run, _: Options) -> None:
    r.directory("/Users/Guest", state="absent", force=True)


_AUTHORIZATION = "/usr/bin/security -q authorizationdb"
_OWNER = "authenticate-session-owner"

RULES = (
    _passwords(
        "5.2.1", "Password account lockout threshold: 5 attempts", _GUESSING,
        _policy("maxFailedLoginAttempts", lambda given: given.lockout_after),
        _policy("policyAttributeMinutesUntilFailedAuthenticationReset", lambda given: given.lockout_minutes),
        guard="lockout",
    ),
    _passwords(
        "5.2.2", "Password minimum length: 15 characters", "Shorter ones are found by trying.",
        _policy("minChars", lambda given: given.password_length),
    ),
    _passwords(
        "5.2.7", "Password age: 365 days", "One that was stolen unnoticed ends some day.",
        _policy("maxMinutesUntilChangePassword", lambda given: given.password_days * _A_DAY), guard="password-age",
    ),
    _passwords(
        "5.2.8", "Password history: 15 passwords", "A new password that is an old one is no new one.",
        _policy("usingHistory", lambda _: 15),
    ),
    _sudo("5.4", "sudo timeout period: 0", "A terminal is left alone sometimes.",
          _sudoers("timeout", "Defaults timestamp_timeout=0")),
    _sudo("5.5", "sudo: separate timestamp for each user and terminal", "A program in another one is not its owner.",
          _sudoers("terminals", "Defaults timestamp_type=tty")),
    _screen(
        "5.7", "Administrator account cannot log in to another user's active and locked session",
        "Administrators have accounts of their own.",
        script(
            "screens are their owners'",
            f'{_AUTHORIZATION} read system.login.screensaver | /usr/bin/grep -q "<string>$1</string>"',
            f'{_AUTHORIZATION} write system.login.screensaver "$1"', _OWNER, watch=RIGHTS,
        ),
        guard="unlock",
    ),
    _login("5.9", "Guest home folder does not exist", "It is nobody's.", _no_guests_home),
    _sudo("5.11", "sudo logging", "Who did it?", _sudoers("log", "Defaults log_allowed")),
    _programs(
        "6.1.1", "Show all filename extensions", "A program may look like a picture.",
        each_person("NSGlobalDomain", "AppleShowAllExtensions", True),
    ),
    _programs(
        "6.4.1", "Terminal: Secure Keyboard Entry", "Another program would read passwords.",
        each_person("com.apple.Terminal", "SecureKeyboardEntry", True),
    ),
)  # fmt: skip
