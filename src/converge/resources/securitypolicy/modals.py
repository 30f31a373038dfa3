"""NetUserModalsGet and NetUserModalsSet of netapi32, which read and write these settings.

Described in Microsoft's documentation of lmaccess.h; the structures are those of its levels 0 and 3.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Final

from converge.core.errors import ResourceError
from converge.resources.securitypolicy.keys import Category


class Passwords(ctypes.Structure):
    """USER_MODALS_INFO_0; ages in seconds."""

    _fields_ = [
        ("min_passwd_len", ctypes.c_uint32),
        ("max_passwd_age", ctypes.c_uint32),
        ("min_passwd_age", ctypes.c_uint32),
        ("force_logoff", ctypes.c_uint32),
        ("password_hist_len", ctypes.c_uint32),
    ]


class Lockout(ctypes.Structure):
    """USER_MODALS_INFO_3; times in seconds."""

    _fields_ = [
        ("lockout_duration", ctypes.c_uint32),
        ("lockout_observation_window", ctypes.c_uint32),
        ("lockout_threshold", ctypes.c_uint32),
    ]


_LEVELS: Final[dict[Category, tuple[int, type[ctypes.Structure]]]] = {
    "password": (0, Passwords),
    "lockout": (3, Lockout),
}
_WORDS: Final = {
    5: "access is denied; it needs an administrator",
    87: "it takes no such combination of values: the least age of passwords must be less than the most, and wrong "
    "passwords can be counted no longer than an account is locked",
    1351: "the security database cannot be asked just now",
    2140: "the part of Windows that keeps them failed (NERR_InternalError)",
}


_DENIED: Final = 5


class Denied(ResourceError):
    """Only an administrator may."""


def netapi() -> Any:  # Any: a library of Windows, called by its documentation
    """The library, with what its functions take."""
    if sys.platform != "win32":
        raise ResourceError("only Windows has these settings")
    return declared(ctypes.WinDLL("netapi32"))


def declared(library: Any) -> Any:
    """Tell ctypes what is passed, so that no pointer is cut short."""
    library.NetUserModalsGet.argtypes = (ctypes.c_wchar_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_void_p))
    library.NetUserModalsSet.argtypes = (
        ctypes.c_wchar_p,
        ctypes.c_uint32,
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_uint32),
    )
    library.NetApiBufferFree.argtypes = (ctypes.c_void_p,)
    for function in (library.NetUserModalsGet, library.NetUserModalsSet, library.NetApiBufferFree):
        function.restype = ctypes.c_uint32
    return library


def read(library: Any, category: Category) -> Any:
    """All settings of a category of this machine, as a structure of our own. Raises ResourceError."""
    level, structure = _LEVELS[category]
    place = ctypes.c_void_p()
    _must(library.NetUserModalsGet(None, level, ctypes.byref(place)), f"the {category} policy cannot be read")
    try:
        return structure.from_buffer_copy(ctypes.string_at(place.value or 0, ctypes.sizeof(structure)))
    finally:
        library.NetApiBufferFree(place)


def write(library: Any, category: Category, wanted: Any) -> None:
    """Write all of a category at once, since Windows refuses values that do not go together. Raises ResourceError."""
    wrong = ctypes.c_uint32()
    code = library.NetUserModalsSet(None, _LEVELS[category][0], ctypes.byref(wanted), ctypes.byref(wrong))
    _must(code, f"the {category} policy cannot be written")


def _must(code: int, what: str) -> None:
    if code:
        kind = Denied if code == _DENIED else ResourceError
        raise kind(f"{what}: {_WORDS.get(code, f'Windows answers {code}')}")
