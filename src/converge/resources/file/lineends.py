"""Line ends of templates, which Jinja would all turn into one."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

# While Jinja reads a template, these stand for a carriage return, and for their own first character. They are
# whitespace, so that {%- and -%} strip them as well.
_MARK, _RETURN, _ITSELF = "\x1f", "\x1f\x1c", "\x1f\x1d"


class KeepLineEnds(Extension):
    """Gives a template's text, and what it includes, with the carriage returns that are in it."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - Jinja's
        return source.replace(_MARK, _ITSELF).replace("\r", _RETURN)

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for token in stream:
            yield token if token.type not in ("data", "string") else Token(*token[:2], _restored(token.value))


def _restored(text: str) -> str:
    return text.replace(_RETURN, "\r").replace(_ITSELF, _MARK)
