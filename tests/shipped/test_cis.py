"""What ``cis`` has in common on all systems: the choice of recommendations, and what the command line makes of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.blueprints.registry import BlueprintFunction
from converge.blueprints.run import Run
from converge.core.errors import ConvergeError
from converge.shipped.cis import darwin, linux, windows
from converge.shipped.cis.darwin.tables import GUARDS as macos_guards
from converge.shipped.cis.selection import Recommendation, chosen
from converge.shipped.cis.windows.tables import GUARDS as windows_guards
from converge.testing import declare

SYSTEMS: dict[str, tuple[Recommendation, ...]] = {
    "linux": linux.rules(), "windows": windows.rules(), "darwin": darwin.rules()
}  # fmt: skip


def _beginnings(numbers: Iterable[str]) -> set[str]:
    split = [number.split(".") for number in numbers]
    return {".".join(number[: length + 1]) for number in split for length in range(len(number))}


def _called(everything: Sequence[Recommendation], names: Iterable[str], edition: str) -> list[Recommendation]:
    """What these names mean: numbers of one's own edition, or else of another."""
    found = []
    for name in names:
        own = [each for each in everything if name in {each.section, *_beginnings(each.own_numbers(edition))}]
        found += own or [each for each in everything if name in _beginnings(each.all_numbers())]
    return found


@given(
    system=st.sampled_from(sorted(SYSTEMS)),
    edition=st.sampled_from(["debian-12", "ubuntu-24.04", "ubuntu-22.04"]),
    data=st.data(),
)
def test_what_is_chosen_is_in_a_section_and_not_skipped(system: str, edition: str, data: st.DataObject) -> None:
    everything = SYSTEMS[system]
    sections = sorted({each.section for each in everything})
    names = sorted({*sections, *(name for each in everything for name in _beginnings(each.all_numbers()))})
    wanted = data.draw(st.lists(st.sampled_from(sections), max_size=3))
    skip, also = (data.draw(st.lists(st.sampled_from(names), max_size=3)) for _ in range(2))
    left_out, added = (_called(everything, each, edition) for each in (skip, also))
    whole = {each.section for each in everything} - {each.section for each in everything if not each.extra}
    assert chosen(everything, wanted, skip, also, edition) == [
        each
        for each in everything
        if (not wanted or each.section in wanted)
        and each not in left_out
        and (not each.extra or each in added or each.section in whole & set(wanted))
    ]


@given(system=st.sampled_from(sorted(SYSTEMS)), name=st.text(max_size=8))
def test_what_nothing_is_called_is_refused(system: str, name: str) -> None:
    everything = SYSTEMS[system]
    if name not in {each.section for each in everything}:
        with pytest.raises(ConvergeError, match="cis has no section"):
            chosen(everything, [name], [])
    if not any(name == each.section or name in _beginnings(each.all_numbers()) for each in everything):
        with pytest.raises(ConvergeError, match="nothing in cis is called"):
            chosen(everything, [], [name])


def all_of(platform: Any, **parameters: Any) -> set[str]:
    """The ids that ``cis`` declares, with all that may be done."""
    people = {"people": ["ada"]} if platform == "darwin" else {}
    everything = {"unguarded": list(GUARDED[platform][1]), "also": sorted({each.section for each in SYSTEMS[platform]})}
    site = declare("cis", platform=platform, **{**everything, **people, **parameters})
    assert site.mistakes == ()
    return set(site.ids)


GUARDED: dict[str, tuple[ModuleType, Mapping[str, str]]] = {
    "windows": (windows, windows_guards), "darwin": (darwin, macos_guards)
}  # fmt: skip
EACH_SECTION = [
    (platform, section) for platform in GUARDED for section in dict.fromkeys(each.section for each in SYSTEMS[platform])
]


@pytest.mark.parametrize(("platform", "section"), EACH_SECTION)
def test_a_section_can_be_had_alone_and_left_out(platform: str, section: str) -> None:
    alone, without = all_of(platform, sections=[section]), all_of(platform, skip=[section])
    assert alone
    assert alone | without == all_of(platform)
    assert not alone & without


def only(system: ModuleType, rule: Any, given: Any) -> BlueprintFunction:
    def alone(r: Run) -> None:
        system.declare(r, [rule], given)

    return alone


@pytest.mark.parametrize("platform", GUARDED)
def test_each_stands_alone_and_none_wants_what_another_has(platform: Any) -> None:
    system, guards = GUARDED[platform]
    given = system.Options(banner="-", unguarded=tuple(guards), **({"people": ["ada"]} if platform == "darwin" else {}))
    seen: dict[str, str] = {}
    for rule in system.rules():
        site = declare(only(system, rule, given), platform=platform)
        assert site.mistakes == (), rule
        assert site.ids, rule
        for id in site.ids:
            assert seen.setdefault(id.lower(), rule.number) == rule.number, id


@pytest.mark.parametrize("platform", GUARDED)
def test_what_each_guard_is_for_is_done_only_with_it(platform: str) -> None:
    system, guards = GUARDED[platform]
    careful, everything = all_of(platform, unguarded=[]), all_of(platform)
    assert {rule.guard for rule in system.rules()} - {None} == set(guards)
    for guard in guards:
        more = all_of(platform, unguarded=[guard]) - careful
        assert more, guard
        assert more <= everything


@pytest.mark.parametrize("platform", sorted(SYSTEMS))
def test_each_resource_says_the_numbers_that_it_is_there_for(platform: Any) -> None:
    guards = list(GUARDED[platform][1]) if platform in GUARDED else []
    people = {"people": ["ada"]} if platform == "darwin" else {}
    site = declare("cis", platform=platform, **({"unguarded": guards} if guards else {}), **people)
    numbers = {number for each in SYSTEMS[platform] for number in each.all_numbers()}
    seen: set[str] = set()
    for each in site.resources:
        assert each.why is not None, each.id
        mentioned = set(re.findall(r"\d+(?:\.\d+)+", each.why)) & numbers
        assert each.why.startswith("CIS "), each.id
        assert mentioned, each.id
        seen |= mentioned
    assert len(seen) > len(numbers) * 0.6


@pytest.mark.parametrize(("system", "guards"), [("Windows", windows_guards), ("macOS", macos_guards)])
def test_the_page_tells_of_each_guard_and_section(system: str, guards: dict[str, str]) -> None:
    everything = windows.rules() if system == "Windows" else darwin.rules()
    guarded = {name: [each.number for each in everything if each.guard == name] for name in guards}
    page = (Path(__file__).parents[2] / "docs/shipped.md").read_text().partition(f"### cis on {system}\n")[2]
    for name, what in guards.items():
        assert f"| `{name}` | {', '.join(guarded[name])} | {what} |" in page
    sections = dict.fromkeys(each.section for each in everything)
    told = next(line for line in page.splitlines() if line.startswith("| `sections`"))
    assert all(f"`{section}`" in told for section in sections)


@pytest.mark.parametrize("platform", sorted(SYSTEMS))
def test_it_can_be_checked_and_drawn_anywhere(platform: str) -> None:
    assert "no mistakes" in _converge("check", "cis", "--platform", platform)
    assert "layer 1" in _converge("graph", "cis", "--platform", platform)


def _converge(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "converge", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
