"""Patterns of blueprints: they find what Python's own engine finds, in linear time."""

import re
import threading
import time
import warnings

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from converge.resources.file import Block, Line
from converge.resources.file.edits import edited
from converge.resources.file.patterns import is_found, pattern_mistake

_ATOMS = [
    "a", "b", "A", "é", "É", " ", "=", r"\.", ".", r"\w", r"\W", r"\s", r"\S", r"\d", r"\D", "[ab]", "[^a]", "[a-cé]",
    r"[^\w=]", r"[\d-]", "^", "$", r"\b", r"\B", r"\A", r"\Z", "[A-Z]", "ſ", "K", "_",
]  # fmt: skip
# Without (?a:…), for which CPython looks for the first character with the flags of the whole pattern, and misses some.
_PATTERNS = st.recursive(
    st.sampled_from(_ATOMS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: f"(?:{'|'.join(each)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "{,2}", "*?", "+?", "??"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
        st.tuples(st.sampled_from(["i", "s", "-i", "x", "is"]), inner).map(lambda pair: f"(?{pair[0]}:{pair[1]})"),
    ),
    max_leaves=8,
)


@settings(max_examples=1500, deadline=None)
@given(
    _PATTERNS, st.text("abAcé É=._K\u017f1-\udc80", max_size=8), st.sampled_from(["", "(?i)", "(?a)", "(?m)", "(?ia)"])
)
def test_a_pattern_finds_what_python_finds(pattern: str, line: str, flags: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            wanted = re.search(flags + pattern, line) is not None
        except re.error:
            assert pattern_mistake(flags + pattern) is not None
            assume(False)
        assert pattern_mistake(flags + pattern) is None
        assert is_found(flags + pattern, line) is wanted


@pytest.mark.parametrize(
    "pattern", [r"^(\s*\w+\s*)+=1$", r"^(a+)+$", r"(a|aa)+$", r"(.*)*=", r"^(\w|\d)*!$", r"(a?){40}a{40}!", r"\s+$x"]
)
@pytest.mark.parametrize("line", ["a" * 41, "a" * 200_000, " " * 100_000, "a " * 50_000 + "!"])
def test_no_pattern_and_no_line_takes_long(pattern: str, line: str) -> None:
    assert pattern_mistake(pattern) is None
    began = time.monotonic()
    is_found(pattern, line)
    assert time.monotonic() - began < 3  # a tenth of that; Python's engine takes minutes, or for ever


def test_an_edit_goes_on_where_the_line_is_made_to_stop_it() -> None:
    edit = Line("opt=1", match=r"^(\s*\w+\s*)+=1$")
    assert edited(b"a" * 41 + b"\n", [edit]) == b"a" * 41 + b"\nopt=1\n"
    place = Block("x", after=r"^(\s*\w+\s*)+=1$")
    assert edited(b"a" * 41 + b"\n", [place]).endswith(b"x\n# END converge\n")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(?=a)", "looks ahead or behind"),
        (r"(?<!a)b", "looks ahead or behind"),
        (r"(a)\1", "refers back to a group"),
        (r"(a)?(?(1)b|c)", "asks whether a group was found"),
        (r"a++", "has a possessive repetition"),
        (r"(?>a|b)", "has an atomic group"),
        (r"(a{100}){100}", "repeats more than 2000 characters"),
        ("(", "is not a regular expression: missing )"),
        ("a{99999999999999}", "is nested or repeated too much"),
        ("(" * 5000 + ")" * 5000, "is nested or repeated too much"),
    ],
)
def test_what_it_cannot_do_is_a_mistake_that_names_it(pattern: str, why: str) -> None:
    assert why in (pattern_mistake(pattern) or "")
    for line in (Line("b", match=pattern), Line("b", after=pattern), Line("b", before=pattern)):
        assert any(why in mistake for mistake in line.mistakes())
    assert any(why in mistake for mistake in Block("b", after=pattern).mistakes())


def test_nothing_can_be_repeated_as_often_as_one_likes() -> None:
    assert pattern_mistake("(?:){4000000000}a") is None
    assert is_found("(?:){4000000000}a", "a")


def test_many_states_are_not_kept() -> None:
    """A line that leads the automaton to ever new states costs time, and no memory."""
    line = "".join("ab"[(at * at // 7) % 2] for at in range(20_000)) + "".join(map(chr, range(0x4E00, 0x5E00)))
    assert is_found(r"a(a|b){14}!", line) is False
    assert is_found(r"a(a|b){14}!", "b" + "a" * 15 + "!") is True


def test_one_pattern_in_many_threads() -> None:
    results: list[bool] = []
    lines = [f"{'x' * (n % 7)}key{n} = {n}" for n in range(2000)]
    threads = [
        threading.Thread(target=lambda: results.extend(is_found(r"^x*key\d+ = \d*7$", line) for line in lines))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results) == 4 * sum(line.endswith("7") for line in lines)


def _versions(key: "object") -> None:
    assert callable(key)
    assert key("1." + "9" * 50_000) > key("1.9")
    assert key("1." + "-" * 200_000) is not None
    assert key("00012:1") == key("12:1")
    assert key("1.010") > key("1.9")


def test_our_own_patterns_are_linear_in_what_others_wrote() -> None:
    from converge.host.fs.descriptors import mounted_on
    from converge.resources.cron import parse
    from converge.resources.package.apt import Apt
    from converge.resources.package.vercmp import pacman_key, rpm_key
    from converge.resources.service.launchd.launchctl import _SETTING
    from converge.shipped.administrators import _KEY

    began = time.monotonic()
    _versions(rpm_key)
    _versions(pacman_key)
    assert _KEY.search(",sk-" * 250_000) is None
    assert _KEY.search("sk-ssh-ed25519@openssh.com " + "A" * 40) is not None
    assert parse("x", "A=" + "b " * 100_000 + "b\n" + "* * * * *  root true\n") is not None
    assert parse("x", " A = 'b  ' \n* * * * * root true\n").env == {"A": "b  "}  # type: ignore[union-attr]
    assert mounted_on("x on /a" * 50_000 + " (" * 50_000 + "x") == frozenset()
    assert Apt()._locker("held by process 1 (" * 100_000)
    assert _SETTING.findall("\n" * 200_000) == []
    assert time.monotonic() - began < 5
