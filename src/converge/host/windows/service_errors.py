"""Messages for errors of the service control manager."""

from __future__ import annotations

from typing import Final

from converge.core.errors import Busy, ResourceError
from converge.host.windows import service_api

# Numbers of winerror.h.
_REASONS: Final = {
    5: "access is denied; it needs an administrator, or is protected by Windows",
    1052: "it does not accept that",
    1053: "it did not answer in time",
    1054: "it could not make a thread to run in",
    1055: "the database of services is locked",
    1058: 'it is disabled, so it cannot be started; startup_type="manual" lets it',
    1059: "it depends on itself, by way of others",
    1060: "there is no such service",
    1066: "it ended with an error of its own",
    1067: "its process ended unexpectedly",
    1068: "a service or group that it depends on did not start",
    1069: "its account could not log on: a wrong password, or no right to log on as a service",
    1070: "it hung while it started",
    1072: "it is marked for deletion, and gone when all programs let go of it",
    1075: "a service that it depends on does not exist or is marked for deletion",
    1077: "no attempt to start it was made since boot",
    1079: "its account is another one than that of services that share its process",
    1084: "it is not started in safe mode",
    2: "its program does not exist",
    3: "the folder of its program does not exist",
    87: "it takes no such setting; one that belongs to a load order group, for example, has no delayed start",
    124: "this Windows has no delayed start",
    193: "its program is none that Windows can run",
}
_SETTLE: Final = {
    1051: "services that depend on it were started meanwhile",
    1055: "the database of services is locked",
    1056: "it was started meanwhile",
    1061: "it cannot take orders just now",
    1115: "the machine is shutting down",
}


class Refused(Exception):
    """Windows refused a call."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def reason(code: int) -> str:
    """Why, as a part of a sentence."""
    known = _REASONS.get(code)
    return known or f"{service_api.in_system_words(code) or 'Windows gives no reason'} (error {code})"


def in_words(error: Refused, name: str, what: str) -> ResourceError:
    """``what`` is what could not be done, such as "cannot be started"."""
    if error.code in _SETTLE:
        return Busy(f"{name}: {_SETTLE[error.code]}", again=1.0)
    return ResourceError(f"{name} {what}: {reason(error.code)}")


def why_ended(exit_code: int, specific: int) -> str:
    """What a service that has ended says of it."""
    if exit_code == service_api.SPECIFIC_ERROR:
        return f"it ended with the error {specific} of its own"
    return "it ended at once, without an error" if exit_code == 0 else reason(exit_code)
