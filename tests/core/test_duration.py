"""Durations: what people write, what they read, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.duration import parse_duration, show_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        (" 30s ", 30),
        ("0", 0),
        ("0s", 0),
        (2, 2),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_reads_what_people_write(written: float | str, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["", "s", "30", "30 s", "-1s", "1d", "1s2", "1,5s", "1e3s", "ms", "s30", "½s"])
def test_refuses_text_and_says_what_would_do(written: str) -> None:
    with pytest.raises(ValueError, match="write it as 500ms, 30s, 5m or 1h") as refusal:
        parse_duration(written)
    assert repr(written) in str(refusal.value)


@pytest.mark.parametrize("number", [-1, -0.5, float("inf"), float("nan"), "9" * 400 + "s"])
def test_refuses_numbers_that_are_no_span_of_time(number: float | str) -> None:
    with pytest.raises(ValueError, match="zero or more"):
        parse_duration(number)


@pytest.mark.parametrize("value", [True, None, [], b"30s"])
def test_refuses_other_types(value: object) -> None:
    with pytest.raises(ValueError, match="a number of seconds or text such as 30s"):
        parse_duration(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 ms"),
        (0.00012, "0.1 ms"),
        (0.0034, "3.4 ms"),
        (0.0094, "9.4 ms"),
        (0.0095, "10 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (1.25, "1.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 0 s"),
        (250, "4 m 10 s"),
        (3600, "60 m 0 s"),
    ],
)
def test_shows_three_figures_at_most_and_never_sixty_seconds(seconds: float, shown: str) -> None:
    assert show_duration(seconds) == shown


@given(st.integers(0, 10**6), st.sampled_from([("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)]))
def test_every_number_with_a_unit_is_read(number: int, unit: tuple[str, float]) -> None:
    assert parse_duration(f"{number}{unit[0]}") == pytest.approx(number * unit[1])


@given(st.text(max_size=8))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except ValueError as refusal:
        assert "duration" in str(refusal)
