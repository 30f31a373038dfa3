"""Conditions on keys and values of the Windows registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converge.core.condition import Condition
from converge.core.trigger import Trigger
from converge.resources.registry.value import Registry


@dataclass(frozen=True, slots=True)
class InRegistry(Condition):
    """The registry is as ``like`` declares it, or is not."""

    platforms = ("windows",)

    name: str
    like: Registry
    so: bool = True

    def met(self) -> bool:
        return self.so != bool(self.like.check())

    def triggers(self) -> Sequence[Trigger]:
        return self.like.triggers()

    def __str__(self) -> str:
        return f"{self.name}({self.like.identity()})"


def registry_key_exists(key: str) -> Condition:
    """Holds while this key exists."""
    return _in_registry("registry_key_exists", Registry(key))


def registry_value_exists(key: str, value: str) -> Condition:
    """Holds while this value exists, whatever its data is; an empty name is the default value."""
    return _in_registry("registry_value_exists", Registry(key, value, state="absent"), so=False)


def registry_value_equals(
    key: str, value: str, data: int | str | bytes | Sequence[str], type: str | None = None
) -> Condition:
    """Holds while this value has this data, and the type that ``r.registry`` would give it."""
    return _in_registry("registry_value_equals", Registry(key, value, data=data, type=type))


def _in_registry(name: str, like: Registry, *, so: bool = True) -> Condition:
    for mistake in like.mistakes():
        raise ValueError(f"{name}: {mistake}")
    return InRegistry(name, like, so)
