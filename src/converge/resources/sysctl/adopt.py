"""Declares a setting of the kernel as it is."""

from __future__ import annotations

import errno
import os

from converge.core.errors import ResourceError
from converge.core.resource import Adopted
from converge.host.fs.atomic import read_text
from converge.resources.sysctl import keys, lines
from converge.resources.sysctl.setting import FILE, Sysctl


def adopt_sysctl(key: str) -> Adopted:
    """The live value; also for the next boot where our own file has it already."""
    if why := keys.mistake(key):
        raise ResourceError(why)
    name = keys.canonical(key)
    if os.path.isdir(keys.path(key)):
        raise ResourceError(f"{name} is a group of settings; name one of them")
    try:
        text = read_text(keys.path(key))
    except PermissionError as error:
        raise ResourceError(f"{name} cannot be read, by nobody or only by root") from error
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise ResourceError(f"{name} has no value yet, so there is nothing to declare") from error
    if text is None:
        raise ResourceError(f"the kernel has no setting {name}")
    value = " ".join(text.split())
    if lines.values(read_text(FILE) or "").get(name) == [value]:
        return Adopted(Sysctl(name, _number(value)))
    remark = "It holds until the next boot. Without persist=False it is set again after that."
    return Adopted(Sysctl(name, _number(value), persist=False), (remark,))


def _number(value: str) -> int | str:
    try:
        return int(value) if str(int(value)) == value else value
    except ValueError:
        return value
