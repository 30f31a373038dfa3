"""From what a user types to a graph: files, names, includes, helper modules, and every mistake at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from converge.blueprints.load import load
from converge.blueprints.registry import registry
from converge.core.errors import BlueprintNotFound, Mistakes

HEAD = "from converge import Run, blueprint, file_exists\n"
SITE = HEAD + '@blueprint("site", "ours")\ndef site(r: Run) -> None:\n'


def write(folder: Path, body: str, name: str = "site.py", head: str = SITE) -> str:
    path = folder / name
    path.write_text(head + body)
    return str(path)


def mistakes(wanted: str) -> list[str]:
    with pytest.raises(Mistakes) as raised:
        load(wanted)
    return [str(mistake) for mistake in raised.value.mistakes]


def test_a_file_with_one_blueprint_needs_no_name(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, '    r.file("/a", content="x")\n'))
    assert loaded.name == "site"
    assert [resource.id for resource in loaded.graph.resources] == ["file:/a"]
    assert str(loaded.graph.resources[0].where) == f"{tmp_path}/site.py:4"


def test_a_function_is_chosen_by_its_own_name_or_its_blueprints(tmp_path: Path) -> None:
    path = write(tmp_path, '    pass\n\ndef plain(r: Run) -> None:\n    r.file("/p", content="")\n')
    assert load(f"{path}:plain").graph.resources[0].id == "file:/p"
    assert load(f"{path}:site").graph.resources == ()
    with pytest.raises(BlueprintNotFound, match=r"no function or blueprint 'plian' \(did you mean plain\?\)"):
        load(f"{path}:plian")


def test_several_blueprints_in_a_file_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, '    pass\n@blueprint("other")\ndef other(r: Run) -> None:\n    pass\n')
    with pytest.raises(BlueprintNotFound, match=r"declares several blueprints; choose one: .*:site, .*:other"):
        load(path)


def test_a_file_without_a_blueprint_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BlueprintNotFound, match='declares no blueprint; put @blueprint\\("name"\\)'):
        load(write(tmp_path, "x = 1\n", head=""))


def test_an_unknown_file_has_near_matches(tmp_path: Path) -> None:
    write(tmp_path, "    pass\n")
    with pytest.raises(BlueprintNotFound, match=r"there is no file .*/sitte.py \(did you mean site.py\?\)"):
        load(f"{tmp_path}/sitte.py")
    with pytest.raises(BlueprintNotFound, match="is a folder; name the Python file in it"):
        load(f"{tmp_path}/")


def test_include_declares_what_another_declares_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '    r.include("base")\n    r.include("base")\n    r.include("more")\n'
        '@blueprint("base")\ndef base(r: Run) -> None:\n    r.file("/base", content="")\n'
        '@blueprint("more")\ndef more(r: Run) -> None:\n    r.include("base")\n    r.file("/more", content="")\n',
    )
    assert [resource.id for resource in load(f"{path}:site").graph.resources] == ["file:/base", "file:/more"]


def test_blueprints_that_include_each_other_are_told_the_circle(tmp_path: Path) -> None:
    path = write(tmp_path, '    r.include("two")\n@blueprint("two")\ndef two(r: Run) -> None:\n    r.include("site")\n')
    assert mistakes(f"{path}:site") == [f"{path}:7: blueprints include each other in a circle: site → two → site"]


def test_functions_of_one_name_are_no_circle_but_a_function_that_comes_again_is(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text('def site(r):\n    r.file("/one", content="")\n')
    head = "import one\n" + SITE
    path = write(tmp_path, "    r.include(one.site)\n", head=head)
    assert [resource.id for resource in load(path).graph.resources] == ["file:/one"]
    path = write(tmp_path, "    again(r)\ndef again(r: Run) -> None:\n    r.include(site)\n", head=head)
    assert mistakes(path) == [f"{path}:7: blueprints include each other in a circle: site → site"]


def test_an_unknown_include_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, '    r.include("siet")\n')
    assert mistakes(path) == [f"{path}:4: include: no blueprint is called 'siet' (did you mean site?)"]


def test_all_mistakes_come_in_one_report_also_those_between_declarations(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '    r.file("relative", content="")\n'
        '    r.file("/a", content=1, ownr="me")\n'
        '    r.file("/b", content="", depends_on=["file:/c"])\n'
        '    r.file("/b", content="")\n'
        "    r.exec()\n",
    )
    found = mistakes(path)
    assert [text.removeprefix(path + ":").partition(":")[0] for text in found] == ["4", "5", "5", "6", "7", "8", "8"]
    assert "has no option ownr (did you mean owner?)" in found[2]
    assert "is declared twice, here and at" in found[4]


def test_what_the_blueprint_raises_is_a_mistake_at_its_own_line_beside_the_others(tmp_path: Path) -> None:
    path = write(tmp_path, '    r.file("relative", content="")\n    int("x")\n')
    found = mistakes(path)
    assert len(found) == 2
    assert found[1].startswith(f"{path}:5: ValueError: invalid literal")


def test_what_a_helper_module_raises_is_told_at_its_own_line_with_the_way_to_it(tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text("import json\ndef parse(text):\n    return json.loads(text)\n")
    (tmp_path / "helper.py").write_text("import inner\ndef add(r):\n    return inner.parse('{')\n")
    path = write(tmp_path, "    helper.add(r)\n", head="import helper\n" + SITE)
    (text,) = mistakes(path)
    assert text.startswith(f"{tmp_path}/inner.py:3: JSONDecodeError: ")
    assert text.endswith(f"(called from {tmp_path}/helper.py:3, from {path}:5)")


def test_what_a_helper_raises_within_an_include_is_told_with_the_line_of_the_include(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def base(r):\n    1 / 0\n")
    path = write(tmp_path, "    r.include(helper.base)\n", head="import helper\n" + SITE)
    assert mistakes(path) == [f"{tmp_path}/helper.py:2: ZeroDivisionError: division by zero (called from {path}:5)"]


@pytest.mark.parametrize(
    ("helper", "said"),
    [
        ("x = 1\n1 / 0\n", "helper.py:2: ZeroDivisionError: division by zero (called from {path}:1)"),
        ("x = 1\nx = (\n", "helper.py:2: is not valid Python: '(' was never closed (called from {path}:1)"),
    ],
)
def test_a_helper_that_cannot_be_imported_is_told_at_its_own_line(tmp_path: Path, helper: str, said: str) -> None:
    (tmp_path / "helper.py").write_text(helper)
    path = write(tmp_path, "    pass\n", head="import helper\n" + SITE)
    assert mistakes(path) == [f"{tmp_path}/{said.format(path=path)}"]


def test_deep_recursion_is_told_with_a_few_of_its_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "    again(r)\ndef again(r):\n    again(r)\n")
    (text,) = mistakes(path)
    assert text.startswith(f"{path}:6: RecursionError: ")
    assert text.endswith(f"(called from {path}:4)")


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "    r.file(\n")
    assert mistakes(path)[0].startswith(f"{path}:4: is not valid Python: ")


def test_neighbours_can_be_imported_belong_to_the_blueprint_and_are_read_anew(tmp_path: Path) -> None:
    (tmp_path / "names.py").write_text('PATH = "/one"\n')
    path = write(tmp_path, '    r.file(PATH, content="")\n', head="from names import PATH\n" + SITE)
    loaded = load(path)
    assert loaded.files == {path, str(tmp_path / "names.py")}
    (tmp_path / "names.py").write_text('PATH = "/another"\n')
    assert load(path).graph.resources[0].id == "file:/another"
    assert "names" not in sys.modules
    assert not (tmp_path / "__pycache__").exists()


def test_loading_leaves_nothing_in_the_registry(tmp_path: Path) -> None:
    before = registry.names()
    load(write(tmp_path, "    pass\n"))
    assert registry.names() == before


def test_a_resource_names_others_by_id_or_itself(tmp_path: Path) -> None:
    path = write(tmp_path, '    a = r.file("/a", content="")\n    r.file("/b", content="", depends_on=[a])\n')
    graph = load(path).graph
    assert [(edge.before, edge.after, edge.rule) for edge in graph.edges] == [(0, 1, "depends_on")]
    assert graph.resources[1].depends_on == ("file:/a",)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("critical=1", "critical must be bool, not 1"),
        ("noop=None", "noop must be bool, not None"),
        ("retry=-1", "retry must be 0 or more, not -1"),
        ("retry=1.5", "retry must be int or None, not 1.5"),
        ("limit=0", "limit must be a number of repairs per second above 0, not 0"),
        ('timeout="soon"', "timeout: 'soon' is not a duration; write it as 500ms, 30s, 5m or 1h"),
        ("timeout=0", "timeout must be more than 0"),
        ("condition=True", "condition must be Condition or None, not True"),
        ("depends_on=5", "depends_on must be Resource or str or a list of Resource or str, not 5"),
        ("auto_edge=0", "auto_edge must be bool, not 0"),
    ],
)
def test_the_options_that_every_kind_takes_are_checked(tmp_path: Path, option: str, text: str) -> None:
    path = write(tmp_path, f'    r.file("/a", content="", {option})\n')
    assert mistakes(path) == [f"{path}:4: file:/a: {text}"]
