"""No module of the program needs itself, by whatever way; imports inside functions count too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import rustworkx

SRC = Path(__file__).parents[1] / "src"
MODULES = {
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (SRC / "converge").rglob("*.py")
}


def imports(path: Path) -> Iterator[str]:
    """The modules of ours that a file imports, except for type checkers alone."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            waiting += ast.iter_child_nodes(node)


def test_there_is_no_circle() -> None:
    names = sorted(MODULES)
    places = {name: place for place, name in enumerate(names)}
    graph = rustworkx.PyDiGraph()
    graph.add_nodes_from(names)
    for name in names:
        for imported in set(imports(MODULES[name])) & MODULES.keys() - {name}:
            graph.add_edge(places[name], places[imported], None)
    found = [sorted(names[place] for place in each) for each in rustworkx.strongly_connected_components(graph)]
    assert [each for each in found if len(each) > 1] == []


def test_a_declaration_imports_nothing_that_touches_the_machine_for_it() -> None:
    """A text names it, so that it is loaded when it is first needed."""
    behind = ("provider", "adopt")
    for name, path in MODULES.items():
        folder, _, last = name.rpartition(".")
        if last in behind or not name.startswith("converge.resources."):
            continue
        own = {f"{place}.{each}" for place in (folder, name) for each in behind}
        assert own.isdisjoint(imports(path)), name
