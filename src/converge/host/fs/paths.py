"""Validation and normalisation of declared paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TypeAlias

from converge.host.fs.errors import shown

PathLike: TypeAlias = str | bytes | os.PathLike[str]


# --- paths ------------------------------------------------------------------------------------------------


def as_text(path: object) -> str:
    """A path as text, where undecodable bytes are escaped. Anything that is no path is left for mistakes()."""
    if isinstance(path, str | bytes | os.PathLike):
        return os.fsdecode(path)
    return repr(path)


def tidy_path(path: str) -> str:
    """The same path without ``.``, empty names and a slash at its end."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def path_mistakes(path: str) -> Iterator[str]:
    """Whatever is wrong with a path."""
    if not path.startswith("/"):
        yield f"the path {shown(path)!r} is not absolute; begin it with /"
    if ".." in path.split("/"):
        yield f"the path {shown(path)} holds ..; write out where it leads"
    if "\0" in path:
        yield f"the path {shown(path)} holds a zero byte"
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        yield f"the path {path!r} cannot be written in the encoding of the file system"
