"""What is in a file, or should be: bytes at hand, or a large file that is read piece by piece."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from converge.core.errors import NotYet, ResourceError
from converge.host.fs.content import SMALL, Content, Large, encoded, read, whole
from converge.host.fs.dirfd import Directories, read_safely
from converge.host.fs.errors import explain, shown
from converge.resources.file.edits import edited

if TYPE_CHECKING:
    from converge.resources.file.file import File


def desired(file: File, old: Content | None, sources: Directories | None = None) -> Content:
    """What the file is to hold, given what it holds now (None: there is no file)."""
    if edits := file.edits():
        return edited(b"" if old is None else whole(old), edits)
    if file.content is not None:
        return encoded(file.content)
    if file.source is not None:
        return _source(file.beside(file.source), sources)
    if file.template is not None:
        from converge.resources.file.template import render

        return render(file.beside(file.template), file.vars, quiet=file.sensitive)
    return b"" if old is None else old


def _source(path: str, sources: Directories | None) -> Content:
    try:
        handle = read_safely(path) if sources is None else sources.read(path)
        try:
            size = os.fstat(handle).st_size
            return Large(size, lambda: _open_source(path)) if size > SMALL else read(handle, SMALL)
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise NotYet(f"the source {shown(path)} does not exist", f"file:{path}") from error
    except ResourceError as error:
        raise ResourceError(f"the source {error}") from error
    except OSError as error:
        raise ResourceError(f"the source {explain(error, path)}") from error


def _open_source(path: str) -> int:
    try:
        return read_safely(path)
    except OSError as error:
        raise ResourceError(f"the source {explain(error, path)}") from error
