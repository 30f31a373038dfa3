"""Marks resources that use secrets as sensitive, or reports a mistake."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from converge.core.errors import Mistake
from converge.core.resource import Resource
from converge.secrets.redaction import Redactor

_OF_EVERY_KIND = frozenset(field.name for field in dataclasses.fields(Resource))


def keep_secret(resources: Iterable[Resource], redactor: Redactor) -> Iterator[Mistake]:
    """Hide all that a resource says where one of its options has a secret in it.

    A mistake is given for each place that secrets must not be in.
    """
    for resource in resources:
        holding = {
            field.name
            for field in dataclasses.fields(resource)
            if field.name not in _OF_EVERY_KIND and redactor.finds(getattr(resource, field.name))
        }
        for text in _mistakes(resource, holding, redactor):
            yield Mistake(resource.where, resource.id, text)
        if holding and getattr(resource, "sensitive", None) is False:
            object.__setattr__(resource, "sensitive", True)


def _mistakes(resource: Resource, holding: set[str], redactor: Redactor) -> Iterator[str]:
    kind = type(resource)
    if redactor.finds(resource.id):
        yield "its name has a secret in it, and names are shown and stored; give it another"
        return
    for option in sorted(holding - kind.keeps_secret):
        instead = " or ".join(f"{name}=" for name in sorted(kind.keeps_secret))
        yield f"{option} has a secret in it, and others on this machine can see that" + (
            f"; secrets can be given in {instead}" if instead else "; this kind takes no secrets"
        )
    if holding & kind.keeps_secret and not resource.is_removal() and getattr(resource, "mode", 0) is None:
        yield "holds a secret; say who may read it, such as mode=0o600"
