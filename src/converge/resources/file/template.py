"""Jinja2 templates, strict: a variable that is not given is an error, never an empty string."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import TYPE_CHECKING

from converge.core.errors import NotYet, ResourceError
from converge.host.fs.dirfd import read_safely
from converge.host.fs.errors import explain, shown

if TYPE_CHECKING:
    import jinja2


@lru_cache(maxsize=64)
def _environment(folder: str, owner: int | None) -> jinja2.Environment:
    """``owner``: who wrote the template, where that is not us: it includes nothing that they may not read."""
    import jinja2

    from converge.resources.file.lineends import KeepLineEnds
    from converge.resources.file.sandbox import Sandbox

    return Sandbox(
        loader=jinja2.FunctionLoader(lambda name: _load(folder, name, owner)),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        extensions=[KeepLineEnds],
        autoescape=False,
    )


def _load(folder: str, name: str, owner: int | None) -> tuple[str, str, Callable[[], bool]] | None:
    """A template, or what one includes: links are followed by the rule of all reading, and nothing outside is read."""
    if ".." in name.split("/"):
        return None
    path = os.path.join(folder, name.lstrip("/"))
    try:
        handle = read_safely(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ResourceError(f"the template {explain(error, path)}") from error
    except ResourceError as error:
        raise ResourceError(f"the template {error}") from error
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if owner is not None and status.st_uid != owner and not status.st_mode & stat.S_IROTH:
            raise ResourceError(f"the template includes {shown(path)}, which uid {owner}, who wrote it, may not read")
        identity = _identity(status)
        return file.read().decode(), path, lambda: _unchanged(path, identity)


def _foreign_owner(path: str) -> int | None:
    """Who owns the template, where that is neither we nor root."""
    if sys.platform == "win32":
        return None
    try:
        owner = os.stat(path).st_uid
    except OSError:
        return None  # loading it says why
    return None if owner in (0, os.geteuid()) else owner


def _unchanged(path: str, identity: tuple[int, ...]) -> bool:
    try:
        return _identity(os.stat(path)) == identity
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def render(path: str, variables: Mapping[str, object], *, quiet: bool) -> bytes:
    """The text that the template gives. ``quiet`` keeps values out of the error's message."""
    import jinja2

    folder, name = os.path.split(path)
    try:
        template = _environment(folder, _foreign_owner(path)).get_template(name)
        text = template.render(deepcopy(dict(variables)))  # what a template does to them is no other's concern
        return text.encode("utf-8", "surrogateescape")
    except (ResourceError, NotYet):
        raise
    except jinja2.TemplateNotFound as error:
        missing = os.path.join(folder, error.name or name)
        raise NotYet(f"the template {shown(missing)} does not exist", f"file:{missing}") from error
    except jinja2.TemplateSyntaxError as error:
        place = f"{error.filename or path}:{error.lineno}"
        raise ResourceError(f"the template {shown(place)}: {error.message}") from error
    except UnicodeDecodeError as error:
        raise ResourceError(f"the template {shown(path)} is not UTF-8 text") from error
    except jinja2.UndefinedError as error:
        raise ResourceError(f"the template {_place(error, path)}: {error.message}; give it in vars=") from error
    except Exception as error:  # a template may call anything; whatever fails is its author's to read
        said = type(error).__name__ if quiet else f"{type(error).__name__}: {error}"
        raise ResourceError(f"the template {_place(error, path)}: {said}") from error


def _place(error: BaseException, path: str) -> str:
    """The innermost line of a template in the traceback."""
    place, trace = shown(path), error.__traceback__
    folder = os.path.dirname(path) + os.sep
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == path or (file.startswith(folder) and not file.endswith(".py")):
            place = f"{shown(file)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
