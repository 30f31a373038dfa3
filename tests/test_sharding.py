"""Shards: the numbers a machine had under the reference, placeholders, and an even spread."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.sharding import in_shard_with_serial, shard_bucket


def test_the_bucket_is_made_of_the_first_seven_characters_as_documented() -> None:
    digest = hashlib.sha256(b"ABC1234").digest()
    assert shard_bucket("ABC1234") == int.from_bytes(digest[:8], "big") % 100
    assert shard_bucket("  ABC1234-and-more \n") == shard_bucket("ABC1234")


@pytest.mark.parametrize(
    "serial",
    ["", " ", "0", "None", "NONE", "Not Specified", "To Be Filled By O.E.M.", "Default string", "System Serial Number",
     "chassis serial number"],
)  # fmt: skip
def test_a_placeholder_is_in_no_shard_but_the_whole(serial: str) -> None:
    assert not in_shard_with_serial(99, serial)
    assert in_shard_with_serial(100, serial)


@given(st.text(min_size=7, alphabet=st.characters(min_codepoint=65, max_codepoint=90)))
def test_who_is_in_a_shard_stays_in_it_as_it_grows(serial: str) -> None:
    inside = [in_shard_with_serial(percent, serial) for percent in range(101)]
    assert inside == sorted(inside)
    assert not inside[0]
    assert inside[100]
    assert sum(not each for each in inside) == shard_bucket(serial) + 1


def test_a_fleet_is_spread_evenly() -> None:
    counts = [0] * 100
    for number in range(100_000):
        counts[shard_bucket(f"{number:07d}")] += 1
    assert min(counts) > 800
    assert max(counts) < 1200


@pytest.mark.parametrize("percent", [-1, 101, True, 10.5, "10"])
def test_a_percentage_out_of_range_is_refused(percent: object) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        in_shard_with_serial(percent, "ABC1234")  # type: ignore[arg-type]  # what an owner may write
