"""The engine's laws, in the simulator: virtual time, random graphs, random trouble."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.conditions import Condition
from converge.core.resource import Resource
from converge.core.trigger import Trigger
from converge.engine.settings import Settings as EngineSettings
from converge.graph.graph import as_ids
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


# --- what reacts to what reacts -------------------------------------------------------------------------------


def _reactions() -> st.SearchStrategy[list[Resource]]:
    """Chains and diamonds: nearly every one is refreshed by others."""

    @st.composite
    def graph(draw: st.DrawFn) -> list[Resource]:
        resources: list[Resource] = []
        for place in range(draw(st.integers(2, 8))):
            earlier = [resource.id for resource in resources]
            on = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=3, unique=True)) if earlier else []
            resources.append(Pretended(f"r{place}", on=tuple(on)))
        return resources

    return graph()


_kills = st.lists(st.floats(0, 3), max_size=12)


@settings(max_examples=400, deadline=None)
@given(_reactions(), _kills, st.integers(0, 2**32))
def test_what_was_refreshed_has_changed_for_those_that_react_to_it(
    resources: list[Resource], kills: list[float], seed: int
) -> None:
    """One change at the beginning of chains and diamonds reaches all of it, whenever the daemon is killed."""
    simulator = Simulator(resources, seed=seed, wrong=False)
    simulator.drift(resources[0].id)
    for kill in kills:
        simulator.at(kill, simulator.crash)
    simulator.run()
    assert not any(simulator.world.refreshes_owed.values())
    reached = {resources[0].id}
    for resource in resources[1:]:
        if not reached.isdisjoint(as_ids(resource.refreshed_by())):
            reached.add(resource.id)
    refreshed = [deed.id for deed in simulator.deeds if deed.verb == "refresh"]
    if not kills:
        assert sorted(refreshed) == sorted(reached - {resources[0].id}), "each of them once"


# --- automatic edges ------------------------------------------------------------------------------------------


class Never(Condition):
    """The simulator says whether it holds."""

    def met(self) -> bool:
        return False

    def triggers(self) -> Sequence[Trigger]:
        return ()

    def __str__(self) -> str:
        return "it"


@dataclass(frozen=True)
class Edges:
    """Resources with declared and automatic edges, conditions that do not hold, and includes."""

    resources: list[Resource]
    included: frozenset[str]
    unmet: frozenset[str]
    failing: frozenset[str]


def _edges() -> st.SearchStrategy[Edges]:
    @st.composite
    def edges(draw: st.DrawFn) -> Edges:
        resources: list[Resource] = []
        for place in range(draw(st.integers(2, 9))):
            earlier = [resource.id for resource in resources]
            some = st.lists(st.sampled_from(earlier), max_size=2, unique=True) if earlier else st.just([])
            deps, uses = draw(some), draw(some)
            condition = Never() if draw(st.integers(0, 3)) == 0 else None
            resources.append(Pretended(f"r{place}", depends_on=tuple(deps), uses=tuple(uses), condition=condition))
        ids = [resource.id for resource in resources]
        gated = [resource.id for resource in resources if resource.condition is not None]
        subsets = st.lists(st.sampled_from(ids), max_size=4)
        return Edges(
            resources,
            frozenset(draw(subsets)),
            frozenset(draw(st.lists(st.sampled_from(gated)))) if gated else frozenset(),
            frozenset(draw(subsets)),
        )

    return edges()


def _held(edges: Edges) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """What may hold each one back, and what must: conditions and failures, its own and those above."""
    may: dict[str, set[str]] = {}
    must: dict[str, set[str]] = {}
    for resource in edges.resources:
        id = resource.id
        own = {"condition"} if id in edges.unmet else set()
        own |= {"failure"} if id in edges.failing else set()
        declared = set(as_ids(resource.depends_on))
        may[id] = own.union(*(may[dep] for dep in declared))
        must[id] = ({"condition"} & own).union(*(must[dep] | ({dep} & edges.failing) for dep in declared))
        for dep in set(getattr(resource, "uses", ())) - declared:
            if id in edges.included or dep not in edges.included:
                may[id] |= may[dep] & {"failure"}
    return may, must


@settings(max_examples=400, deadline=None)
@given(_edges(), st.lists(st.floats(0, 30), max_size=3), st.integers(0, 2**32))
def test_an_automatic_edge_orders_and_holds_nobody_back_who_can_go(edges: Edges, kills: list[float], seed: int) -> None:
    simulator = Simulator(edges.resources, seed=seed, included=edges.included, unmet=edges.unmet)
    simulator.world.failing |= edges.failing
    for kill in kills:
        simulator.at(kill, simulator.crash)
    simulator.run()
    may, must = _held(edges)
    applied = {deed.id for deed in simulator.deeds if deed.verb == "apply"}
    assert not simulator.world.wrong & {id for id, causes in may.items() if not causes}
    assert not applied & {id for id, causes in must.items() if causes}, "a declared edge holds"
    for resource in edges.resources:  # and it orders, where nothing is in the way
        first = next((deed for deed in simulator.deeds if deed.id == resource.id and deed.verb == "apply"), None)
        for dep in getattr(resource, "uses", ()) if first and not kills else ():
            if not may[dep]:
                assert any(d.id == dep and d.verb == "apply" and d.ended <= first.began for d in simulator.deeds)


@settings(max_examples=200, deadline=None)
@given(_edges(), st.integers(0, 2**32))
def test_once_conditions_hold_and_nothing_fails_all_is_right(edges: Edges, seed: int) -> None:
    simulator = Simulator(edges.resources, seed=seed, included=edges.included, unmet=edges.unmet)
    simulator.world.failing |= edges.failing

    def mend() -> None:
        simulator.world.failing.clear()
        for resource in edges.resources:
            simulator.meet(resource.id)
            simulator.noise(resource.id)

    simulator.at(40.0, mend)
    simulator.run()
    assert not simulator.world.wrong


# --- two that undo each other ---------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(_graphs(), st.integers(0, 11), st.integers(0, 11), st.booleans(), st.integers(0, 2**32))
def test_two_that_undo_each_other_are_left_alone_soon(
    resources: list[Resource], one: int, other: int, both_wrong: bool, seed: int
) -> None:
    first, second = (resources[place % len(resources)].id for place in (one, other))
    if first == second:
        return
    simulator = Simulator(resources, seed=seed, wrong=both_wrong, settings=EngineSettings(max_retries=3))
    simulator.world.undoes = {first: second, second: first}
    simulator.at(5.0, lambda: simulator.drift(first))
    simulator.run()  # it comes to rest
    applies = Counter(deed.id for deed in simulator.deeds if deed.verb == "apply")
    assert max(applies[first], applies[second]) <= 12
    nodes = [simulator.scheduler.nodes[id] for id in (first, second)]
    (left,) = (node for node in nodes if node.feud)
    assert left.noncompliant
    assert first in left.error and second in left.error
    above, id = _above(resources), left.resource.id
    assert not simulator.world.wrong - {r.id for r in resources if id in above[r.id] | {r.id}}


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 5), st.integers(20, 150), st.floats(0.001, 0.3), st.integers(0, 2**32))
def test_what_others_change_at_times_of_their_own_is_no_feud(size: int, drifts: int, late: float, seed: int) -> None:
    resources: list[Resource] = [Pretended(f"r{n}", limit=1000) for n in range(size)]
    simulator = Simulator(resources, seed=seed)
    times = random.Random(seed)
    for _ in range(drifts):
        id = times.choice(resources).id
        simulator.at(times.uniform(0, 900), lambda id=id: simulator.drift(id, heard_after=late))  # type: ignore[misc]
    simulator.run()
    assert not simulator.world.wrong
    assert not any(node.feud for node in simulator.scheduler.nodes.values())


@pytest.mark.parametrize("pause", [0.2, 0.5, 1.0, 3.0])
def test_somebody_who_changes_two_by_turns_is_no_feud(pause: float) -> None:
    """Each is put right, and then the other one changed, as a person or a script would."""
    resources: list[Resource] = [Pretended("r0", limit=1000), Pretended("r1", limit=1000)]
    simulator = Simulator(resources, wrong=False)
    for turn in range(30):
        id = resources[turn % 2].id
        simulator.at(1 + turn * pause, lambda id=id: simulator.drift(id))  # type: ignore[misc]
    simulator.run()
    assert not simulator.world.wrong
    assert not any(node.feud for node in simulator.scheduler.nodes.values())
