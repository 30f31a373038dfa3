"""Conditions on the registry, as far as they can be looked at anywhere; tests/windows asks a registry."""

from __future__ import annotations

from typing import Any

import pytest

from converge import (
    Condition,
    Run,
    mount_point,
    network_reachable,
    registry_key_exists,
    registry_value_equals,
    registry_value_exists,
)
from converge.core.platform import Platform
from converge.core.trigger import RegistryChanged

KEY = r"HKEY_LOCAL_MACHINE\SOFTWARE\Example"


def test_what_they_are_called_and_wait_for() -> None:
    for condition, name in (
        (registry_key_exists(KEY), "registry_key_exists(HKLM\\SOFTWARE\\Example\\)"),
        (registry_value_exists(KEY, "Port"), "registry_value_exists(HKLM\\SOFTWARE\\Example\\Port)"),
        (registry_value_equals(KEY, "Port", 8080), "registry_value_equals(HKLM\\SOFTWARE\\Example\\Port)"),
    ):
        assert str(condition) == name
        assert list(condition.triggers()) == [RegistryChanged(r"HKLM\SOFTWARE\Example")]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: registry_key_exists("HKXX\\a"), "registry_key_exists: the key .* begins with none of HKLM"),
        (lambda: registry_value_exists(KEY, "a\0"), "registry_value_exists: value is no name"),
        (lambda: registry_value_equals(KEY, "a", -1), "registry_value_equals: a dword is from 0"),
        (lambda: registry_value_equals(KEY, "a", 1, "sz"), "registry_value_equals: a value of type sz takes text"),
    ],
)
def test_what_cannot_be_asked(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def mistakes(os: Any, condition: Condition) -> list[str]:
    run = Run(platform=Platform(os, "", "", "", ""))
    if os == "windows":
        run.registry(KEY, condition=condition)
    else:
        run.exec("it", "/bin/true", condition=condition)
    return [mistake.text for mistake in run._mistakes]


def test_a_condition_that_the_system_lacks_is_a_mistake_wherever_it_stands() -> None:
    key = registry_key_exists(KEY)
    assert mistakes("windows", key | ~key) == []
    (said,) = mistakes("linux", network_reachable("h", 1) & ~(mount_point("/x") | key))
    assert said == "the condition registry_key_exists(HKLM\\SOFTWARE\\Example\\) can only be asked for on windows"
    (said,) = mistakes("windows", mount_point("/x") & key)
    assert said == "the condition mount_point(/x) can only be asked for on linux"
    assert mistakes("darwin", mount_point("/x"))
