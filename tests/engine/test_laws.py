"""The engine's laws, in the simulator: virtual time, random graphs, random trouble."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from converge.graph.graph import as_ids
from converge.resources.base import Resource
from converge.testing.simulator import Deed, Pretended, Simulator


@dataclass(frozen=True)
class Trouble:
    when: float
    what: str
    whom: int
    delay: float


def _graphs() -> st.SearchStrategy[list[Resource]]:
    @st.composite
    def graph(draw: st.DrawFn) -> list[Resource]:
        size = draw(st.integers(1, 12))
        resources: list[Resource] = []
        for place in range(size):
            earlier = [resource.id for resource in resources]
            deps = draw(st.lists(st.sampled_from(earlier), max_size=3, unique=True)) if earlier else []
            on = draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True)) if earlier else []
            resources.append(Pretended(f"r{place}", depends_on=tuple(deps), on=tuple(on)))
        return resources

    return graph()


_troubles = st.lists(
    st.builds(
        Trouble,
        when=st.one_of(st.floats(0, 1), st.floats(0, 60)),
        what=st.sampled_from(["drift", "drift", "drift", "noise", "break", "mend", "crash"]),
        whom=st.integers(0, 11),
        delay=st.floats(0, 0.5),
    ),
    max_size=30,
)


def _cause(simulator: Simulator, resources: list[Resource], trouble: Trouble) -> None:
    id = resources[trouble.whom % len(resources)].id
    if trouble.what == "drift":
        simulator.drift(id, heard_after=trouble.delay)
    elif trouble.what == "noise":
        simulator.noise(id)
    elif trouble.what == "break":
        simulator.world.failing.add(id)
    elif trouble.what == "mend":
        simulator.world.failing.discard(id)
        simulator.noise(id)
    else:
        simulator.crash()


def _run(resources: list[Resource], troubles: list[Trouble], seed: int) -> Simulator:
    simulator = Simulator(resources, seed=seed, wrong=bool(seed % 2))
    for trouble in troubles:
        simulator.at(trouble.when, lambda trouble=trouble: _cause(simulator, resources, trouble))  # type: ignore[misc]
    simulator.run()
    return simulator


def _above(resources: list[Resource]) -> dict[str, set[str]]:
    above: dict[str, set[str]] = {}
    for resource in resources:
        direct = {*as_ids(resource.depends_on), *as_ids(resource.refreshed_by())}
        above[resource.id] = direct.union(*(above[id] for id in direct))
    return above


def _can_be_right(resources: list[Resource], failing: set[str]) -> set[str]:
    above = _above(resources)
    return {r.id for r in resources if not ({r.id} | above[r.id]) & failing}


@settings(max_examples=400, deadline=None)
@given(_graphs(), _troubles, st.integers(0, 2**32))
def test_once_events_stop_all_that_can_be_right_is(
    resources: list[Resource], troubles: list[Trouble], seed: int
) -> None:
    simulator = _run(resources, troubles, seed)
    assert not simulator.world.wrong & _can_be_right(resources, simulator.world.failing)


def test_a_last_try_is_not_used_up_by_what_is_confirmed_before_it() -> None:
    """Found by the law above: what a noncompliant one stands on had changed, too, and called for one more check."""
    resources: list[Resource] = [Pretended("r0"), Pretended("r1", on=("pretended:r0",))]
    troubles = [
        Trouble(0.0, "break", 1, 0.0),
        Trouble(1.0, "drift", 0, 0.0),
        Trouble(19.0, "crash", 0, 0.0),
        Trouble(54.0, "drift", 0, 0.0),
        Trouble(54.5, "mend", 1, 0.0),
    ]
    assert not _run(resources, troubles, 1).world.wrong


@settings(max_examples=400, deadline=None)
@given(_graphs(), _troubles, st.integers(0, 2**32))
def test_nothing_is_applied_that_was_not_found_drifted(
    resources: list[Resource], troubles: list[Trouble], seed: int
) -> None:
    simulator = _run(resources, troubles, seed)
    last: dict[str, Deed] = {}
    for deed in sorted(simulator.deeds, key=lambda deed: deed.began):
        if deed.verb == "apply":
            assert last[deed.id].verb == "check"
            assert last[deed.id].found
        last[deed.id] = deed


@settings(max_examples=400, deadline=None)
@given(_graphs(), _troubles, st.integers(0, 2**32))
def test_nothing_is_applied_before_what_it_stands_on_was_found_right(
    resources: list[Resource], troubles: list[Trouble], seed: int
) -> None:
    """And found so by a look that began after the drift was noticed."""
    simulator = _run(resources, troubles, seed)
    above = _above(resources)
    for deed in simulator.deeds:
        if deed.verb != "apply":
            continue
        checks = [d for d in simulator.deeds if d.id == deed.id and d.verb == "check" and d.ended <= deed.began]
        noticed = checks[-1].noticed
        for needed in above[deed.id]:
            last = [d for d in simulator.deeds if d.id == needed and d.ended <= deed.began][-1]
            assert not last.found
            assert (last.began if last.verb == "check" else last.ended) >= noticed


@settings(max_examples=400, deadline=None)
@given(_graphs(), _troubles, st.integers(0, 2**32))
def test_a_refresh_that_is_due_is_never_forgotten(
    resources: list[Resource], troubles: list[Trouble], seed: int
) -> None:
    simulator = _run(resources, troubles, seed)
    forgotten = {id for id, causes in simulator.world.refreshes_owed.items() if causes}
    assert not forgotten & _can_be_right(resources, simulator.world.failing)


@settings(max_examples=200, deadline=None)
@given(_graphs(), st.integers(0, 2**32))
def test_a_second_run_changes_nothing(resources: list[Resource], seed: int) -> None:
    simulator = _run(resources, [], seed)
    before = len(simulator.deeds)
    simulator.crash()
    simulator.run()
    assert {deed.verb for deed in simulator.deeds[before:]} == {"check"}
