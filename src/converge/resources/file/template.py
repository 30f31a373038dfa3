"""Jinja2 templates, strict: a variable that is not given is an error, never an empty string."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from converge.core.errors import NotYet, ResourceError
from converge.host.fs.dirfd import read_safely
from converge.host.fs.errors import explain, shown

if TYPE_CHECKING:
    import jinja2


@lru_cache(maxsize=64)
def _environment(folder: str) -> jinja2.Environment:
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    from converge.resources.file.lineends import KeepLineEnds

    # A template may lie where others can write it: in the sandbox it reaches what it is given, and no Python behind it.
    return SandboxedEnvironment(
        loader=jinja2.FunctionLoader(lambda name: _load(folder, name)),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        extensions=[KeepLineEnds],
        autoescape=False,
    )


def _load(folder: str, name: str) -> tuple[str, str, Callable[[], bool]] | None:
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
        identity = _identity(os.fstat(handle))
        return file.read().decode(), path, lambda: _unchanged(path, identity)


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
        text = _environment(folder).get_template(name).render(variables)
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
