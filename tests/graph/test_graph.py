"""Edges, declared and automatic; what is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.errors import Mistakes
from converge.core.resource import Resource
from converge.graph.graph import Graph, build_graph
from converge.resources.exec import Exec
from converge.resources.file import Directory, File, Symlink
from converge.testing.simulator import Pretended


def edges(graph: Graph) -> set[tuple[str, str, str]]:
    names = [resource.id for resource in graph.resources]
    return {(names[edge.before], names[edge.after], edge.rule) for edge in graph.edges}


def test_a_file_comes_after_the_nearest_managed_directory_above_it() -> None:
    graph = build_graph([File("/srv/www/deep/er/index.html", content=""), Directory("/srv"), Directory("/srv/www")])
    assert edges(graph) == {
        ("file:/srv/www", "file:/srv/www/deep/er/index.html", "parent directory"),
        ("file:/srv", "file:/srv/www", "parent directory"),
    }


def test_auto_edge_false_takes_a_resource_out_at_either_end() -> None:
    for directory, file in ((False, True), (True, False)):
        graph = build_graph([Directory("/srv", auto_edge=directory), File("/srv/f", content="", auto_edge=file)])
        assert edges(graph) == set()


def test_an_exec_comes_after_the_file_it_runs_and_the_directory_it_runs_in() -> None:
    graph = build_graph(
        [
            Exec("setup", ["/opt/setup.sh", "now"], dir="/srv/app", creates="/var/lib/app/done"),
            File("/opt/setup.sh", content="", mode=0o755),
            Directory("/srv/app"),
            Directory("/var/lib/app"),
        ]
    )
    assert {(before, after) for before, after, _ in edges(graph)} == {
        ("file:/opt/setup.sh", "exec:setup"),
        ("file:/srv/app", "exec:setup"),
        ("file:/var/lib/app", "exec:setup"),
    }


def test_what_is_taken_away_goes_in_the_reverse_order() -> None:
    graph = build_graph([Directory("/srv", state="absent"), File("/srv/f", state="absent")])
    assert edges(graph) == {("file:/srv/f", "file:/srv", "removed before its parent directory")}


def test_an_automatic_edge_that_would_close_a_cycle_is_left_out_with_a_warning() -> None:
    graph = build_graph(
        [Directory("/srv", depends_on="file:/srv/f"), File("/srv/f", content=""), File("/srv/g", content="")]
    )
    assert edges(graph) == {
        ("file:/srv/f", "file:/srv", "depends_on"),
        ("file:/srv", "file:/srv/g", "parent directory"),
    }
    (warning,) = graph.warnings
    assert "file:/srv/f would come after file:/srv (parent directory)" in warning


def test_an_explicit_cycle_is_an_error_that_prints_it() -> None:
    with pytest.raises(Mistakes) as raised:
        build_graph([Pretended("a", depends_on="pretended:c"), Pretended("b", depends_on="pretended:a"),
                     Pretended("c", depends_on="pretended:b"), Pretended("d")])  # fmt: skip
    text = str(raised.value)
    for line in ("pretended:a () depends on pretended:c", "pretended:b () depends on pretended:a"):
        assert line.replace("()", "(:0)") in text or line in text
    assert "pretended:d" not in text


def test_every_unknown_dependency_is_named_with_what_may_have_been_meant() -> None:
    with pytest.raises(Mistakes) as raised:
        build_graph([Pretended("nginx"), Pretended("x", depends_on=["pretended:ngnix", "pretended:zzz"])])
    assert len(raised.value.mistakes) == 2
    assert "depends_on names pretended:ngnix, which is not declared (did you mean pretended:nginx?)" in str(
        raised.value
    )


@pytest.mark.parametrize(
    ("above", "why"),
    [
        (File("/srv", content=""), "is a file"),
        (Directory("/srv", state="absent"), "is to be absent"),
        (Symlink("/srv", "/elsewhere", state="absent"), "is to be absent"),
    ],
)
def test_two_truths_are_an_error(above: Resource, why: str) -> None:
    with pytest.raises(Mistakes, match=f"needs /srv/f, but file:/srv .* {why}"):
        build_graph([above, File("/srv/f", content="")])


@given(st.integers(1, 40), st.data())
def test_the_order_holds_every_edge(size: int, data: st.DataObject) -> None:
    resources = [
        Pretended(
            f"r{place}", depends_on=[f"pretended:r{dep}" for dep in data.draw(st.sets(st.integers(0, place - 1)))]
        )
        if place
        else Pretended("r0")
        for place in range(size)
    ]
    graph = build_graph(list(reversed(resources)))
    position = {resource.id: place for place, resource in enumerate(graph.order())}
    assert len(position) == size
    assert all(position[before] < position[after] for before, after, _ in edges(graph))
    layers = [resource.id for layer in graph.layers() for resource in layer]
    assert sorted(layers) == sorted(position)


def test_a_hundred_thousand_resources_are_ordered(capsys: pytest.CaptureFixture[str]) -> None:
    resources = [Pretended(f"r{place}", depends_on=f"pretended:r{place // 2}") if place else Pretended("r0")
                 for place in range(100_000)]  # fmt: skip
    began = time.perf_counter()
    order = build_graph(resources).order()
    with capsys.disabled():
        print(f" [100,000 nodes built and ordered in {time.perf_counter() - began:.2f} s]", end="")
    assert len(order) == 100_000
