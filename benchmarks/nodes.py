"""Builds and orders the graph of so many resources, and the same edges bare. Prints the seconds of each.

Run as a script: the memory that it takes is then not the benchmark's own.
"""

import gc
import sys
import time
from collections.abc import Sequence

import rustworkx

from converge.graph.graph import build_graph
from converge.testing.simulator import Pretended


def edges_of(count: int) -> list[list[int]]:
    """What each depends on: most on two earlier ones, near and far."""
    return [[*{number // 2, max(0, number - 1 - number % 7)}] if number else [] for number in range(count)]


def ours(resources: Sequence[Pretended]) -> int:
    return len(build_graph(resources).order())


def bare(edges: Sequence[Sequence[int]]) -> int:
    digraph: rustworkx.PyDiGraph[int, None] = rustworkx.PyDiGraph()
    digraph.add_nodes_from(range(len(edges)))
    digraph.add_edges_from_no_data([(before, after) for after, needed in enumerate(edges) for before in needed])
    return len(rustworkx.topological_sort(digraph))


def main(count: int, rounds: int) -> None:
    gc.disable()  # as converge does while it loads a blueprint
    edges = edges_of(count)
    resources = [
        Pretended(str(number), depends_on=[f"pretended:{before}" for before in needed])
        for number, needed in enumerate(edges)
    ]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        began = time.perf_counter()
        assert ours(resources) == count
        middle = time.perf_counter()
        assert bare(edges) == count
        times[0].append(middle - began)
        times[1].append(time.perf_counter() - middle)
    print(min(times[0]), min(times[1]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
