"""Redacts secrets from all output of a run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, TextIO, cast

from converge.core.urls import HIDDEN, credentials_in, may_have_any, places, without

if TYPE_CHECKING:
    from converge.core.resource import Resource

__all__ = ["HIDDEN", "Redactor", "texts_in"]

_BEGINNING = 4
"""Characters that each form of a secret has at least."""
_LONG_ENOUGH = 6
"""Characters of a credential, or a part of one, that is also hidden outside of URLs: shorter ones are common words."""
_LONG = 10_000
"""Characters from which it pays to ask first whether anything is in a text at all."""


class _Forms:
    """Looks for texts of four characters and more in others, all of them at once."""

    def __init__(self, forms: Iterable[str] = ()) -> None:
        self.all = frozenset(forms)
        # By how they begin, so that what is looked through is gone through once, however many there are.
        self._by_beginning: dict[str, list[str]] = {}
        for form in self.all:
            self._by_beginning.setdefault(form[:_BEGINNING], []).append(form)

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where they are, also where some overlap."""
        if not self.all or (len(text) > _LONG and not any(form in text for form in self.all)):
            return
        begin = self._by_beginning
        for at in range(len(text) - _BEGINNING + 1):
            forms = begin.get(text[at : at + _BEGINNING])
            if forms is not None:
                for form in forms:
                    if text.startswith(form, at):
                        yield at, at + len(form)


class Redactor:
    """Knows the secrets that were used so far, those of a former blueprint among them. Safe to use from any thread."""

    def __init__(self) -> None:
        # Replaced as a whole, so that a thread that is using the former ones is not disturbed.
        self._forms = _Forms()
        self._whole = _Forms()
        self._known: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._known)

    def learn(self, value: str) -> None:
        """From now on hide this, whole and line by line, as it is and as others write it (see :mod:`forms`)."""
        if value in self._known:
            return
        from converge.secrets.forms import forms_of, forms_of_lines

        whole = self._whole.all | forms_of(value)
        self._forms = _Forms(self._forms.all | whole | forms_of_lines(value))
        self._whole = _Forms(whole)
        self._known |= {value}

    def learn_credentials(self, resource: Resource) -> None:
        """From now on hide the credentials in the URLs that a resource is declared with, also where they stand alone.

        They are no reason to refuse an option that has them: unlike secrets, they stand in the blueprint itself.
        """
        for value in _options_of(type(resource))(resource):  # type: ignore[arg-type]  # classes can be hashed
            if type(value) is str:
                if "://" in value:
                    self._learn_url(value)
            elif value and isinstance(value, tuple | list | dict):
                for text in texts_in(value):
                    self._learn_url(text)

    def _learn_url(self, text: str) -> None:
        credentials = list(credentials_in(text))
        if not credentials:
            return
        from urllib.parse import unquote

        from converge.secrets.forms import forms_of

        known: set[str] = set()
        for found in credentials:
            plain = unquote(found.secret)
            # A program that reads the URL in another way names what it takes for the host.
            for part in (found.secret, plain, *re.split("[@/?#:]", plain)):
                if len(part) >= _LONG_ENOUGH:
                    known |= forms_of(part)
        if not known <= self._forms.all:
            self._forms = _Forms(self._forms.all | known)

    def redact(self, text: str) -> str:
        """``text`` without any secret, and without the credentials of the URLs in it."""
        if not self._forms.all and not may_have_any(text):
            return text
        return without(text, chain(self._forms.places(text), places(text)))

    def finds(self, value: object) -> bool:
        """Whether a whole secret is in a text, or in any text that a container holds."""
        if not self._known:
            return False
        return any(True for text in texts_in(value) for _ in self._whole.places(text))

    def hides(self, value: object) -> object:
        """The same value with all text in it redacted, for a message about it."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, bytes):
            return self.redact(value.decode("latin-1")).encode("latin-1", "replace")
        for container in (list, tuple, set, frozenset):
            if type(value) is container:
                return container(map(self.hides, cast("Iterable[object]", value)))
        if type(value) is dict:
            return {self.hides(key): self.hides(each) for key, each in value.items()}
        return value

    def hide_each(self, values: Sequence[object]) -> Sequence[object]:
        """The same values, in each of which :meth:`hides` hides what there is to hide."""
        return [self.hides(value) for value in values]

    def hide_all(self, values: Mapping[str, object]) -> dict[str, object]:
        """The same by name."""
        return {name: self.hides(value) for name, value in values.items()}

    def stream(self, stream: TextIO) -> TextIO:
        """What writes to ``stream``, but for secrets."""
        return cast(TextIO, _Stream(stream, self))


@lru_cache(maxsize=256)
def _options_of(kind: type[Resource]) -> Callable[[Resource], Iterable[object]]:
    """What gives the values of a kind's own options, without those that every kind has."""
    from converge.core.resource import Resource

    of_all = {field.name for field in dataclasses.fields(Resource)}
    own = [field.name for field in dataclasses.fields(kind) if field.init and field.name not in of_all]
    return lambda resource: [getattr(resource, name) for name in own]


class _Stream:
    """A text stream for what a blueprint prints."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream = stream
        self._redactor = redactor

    def write(self, text: str) -> int:
        self._stream.write(self._redactor.redact(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def texts_in(value: object) -> Iterator[str]:
    """All text that a value holds, at any depth; bytes as text of the same numbers, and as UTF-8 where they are."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray):
        yield value.decode("latin-1")
        yield value.decode("utf-8", "replace")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts_in(key)
            yield from texts_in(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from texts_in(each)
    elif fields := getattr(value, "__dataclass_fields__", None):
        for name in fields:
            yield from texts_in(getattr(value, name, None))
