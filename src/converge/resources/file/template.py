"""Jinja2 templates, strict: a variable that is not given is an error, never an empty string."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from converge.resources.base import NotYet, ResourceError
from converge.resources.file.errors import shown

if TYPE_CHECKING:
    import jinja2


@lru_cache(maxsize=64)
def _environment(folder: str) -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration files, not web pages
    )


def render(path: str, variables: Mapping[str, object], *, quiet: bool) -> bytes:
    """The text that the template gives. ``quiet`` keeps values out of the error's message."""
    import jinja2

    folder, name = os.path.split(path)
    try:
        text = _environment(folder).get_template(name).render(variables)
        return text.encode("utf-8", "surrogateescape")
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
