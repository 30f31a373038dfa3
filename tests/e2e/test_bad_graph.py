"""Declarations that contradict each other: all are told at once, with their places, and nothing is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place


def line(place: Place, text: str) -> str:
    """file:line of the declaration that holds this text."""
    (number,) = (n for n, line in enumerate(place.site.read_text().splitlines(), 1) if text in line)
    return f"{place.site}:{number}"


def refused(place: Place, count: int = 1) -> list[str]:
    """The mistakes that plan and serve tell alike; nothing was touched."""
    plan, serve = place.plan(), place.once()
    assert (plan.code, plan.out, plan.err) == (serve.code, serve.out, serve.err)
    first, *mistakes = plan.err.splitlines()
    assert first == f"converge: {count} mistake{'s' * (count != 1)} in the blueprint; nothing was touched"
    assert not list(place.managed.iterdir())
    assert not (place.root / "state").exists()
    return mistakes


def test_two_resources_with_one_id_are_an_error_that_names_both_places(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="first")\nr.file(HERE / "b")\nr.file(f"{HERE}//./a", content="two")')
    first, second = line(place, '"first"'), line(place, '"two"')
    assert refused(place) == [f"{second}: file:{place.managed}/a: is declared twice, here and at {first}; keep one"]


def test_a_path_cannot_be_a_file_and_a_directory(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="one")\nr.directory(HERE / "a", mode=0o755)')
    (mistake,) = refused(place)
    assert line(place, '"one"') in mistake
    assert mistake.startswith(line(place, "0o755"))
    assert "as a directory here and as a file at" in mistake


def test_nothing_can_be_inside_of_a_file_or_of_what_is_to_be_absent(place: Place) -> None:
    place.declare(
        """
        r.file(HERE / "a", content="x")
        r.file(HERE / "a/below", content="x")
        r.directory(HERE / "gone", state="absent")
        r.file(HERE / "gone/below", content="x")
        """
    )
    mistakes = refused(place, 2)
    assert len(mistakes) == 2
    assert line(place, '"a/below"') in mistakes[0]
    assert line(place, '"a", ') in mistakes[0]
    assert line(place, '"gone/below"') in mistakes[1]
    assert line(place, '"gone", ') in mistakes[1]


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("file:{here}/mtod", " (did you mean file:{here}/motd"),
        ("exec:nosuch", ""),
        ("nonsense", ""),
    ],
)
def test_a_dependency_that_is_not_declared_is_named_with_near_matches(place: Place, wanted: str, hint: str) -> None:
    name = wanted.format(here=place.managed)
    place.declare(f'r.file(HERE / "motd", content="x")\nr.file(HERE / "a", depends_on=[{name!r}])')
    (mistake,) = refused(place)
    said = f"{line(place, 'depends_on')}: file:{place.managed}/a: depends_on names {name}, which is not declared"
    assert mistake.startswith(said + hint.format(here=place.managed))
    assert hint or mistake == said


def test_a_cycle_is_printed_with_its_places(place: Place) -> None:
    place.declare(
        """
        r.exec("a", "x", depends_on="exec:c")
        r.exec("b", "x", depends_on="exec:a")
        r.exec("c", "x", depends_on="exec:b")
        r.exec("beside", "x", depends_on="exec:c")
        """
    )
    first, *cycle = refused(place)
    assert first.endswith("these depend on each other in a cycle:")
    ids = [each.split()[0] for each in cycle]
    assert sorted(ids) == ["exec:a", "exec:b", "exec:c"]
    for one, text, following in zip(ids, cycle, [*ids[1:], ids[0]], strict=True):
        place_of = line(place, f'r.exec("{one[-1]}"')
        assert text == f"  {one} ({place_of}) depends on {following}"


def test_what_depends_on_itself_is_a_cycle(place: Place) -> None:
    place.declare('r.exec("a", "x", depends_on="exec:a")')
    assert "exec:a" in "\n".join(refused(place))


def test_an_automatic_edge_that_would_close_a_cycle_is_left_out_with_a_warning(place: Place) -> None:
    place.declare(
        """
        r.directory(HERE / "d", depends_on=f"file:{HERE}/d/a")
        r.file(HERE / "d/a", content="x", parents=True)
        """
    )
    said = place.once("--out", "json")
    assert said.code == 0
    (notice,) = said.json()["notices"]
    assert notice["severity"] == "warning"
    assert "closes a cycle; the automatic edge is left out" in notice["text"]
    assert (place.managed / "d/a").exists()


def test_all_mistakes_are_in_one_report_in_the_order_of_their_lines(place: Place) -> None:
    place.declare(
        """
        r.file(HERE / "good", content="x")
        r.file("relative")
        r.file(HERE / "typed", mode="0644", owner="")
        r.exec("x", "a | b")
        r.exec("x", "true")
        r.file(HERE / "needs", depends_on="file:/nowhere")
        r.include("nosuch")
        """
    )
    mistakes = refused(place, 6)
    places = [line(place, text) for text in ("relative", "typed", "a | b", '"true"', "needs", "nosuch")]
    assert [mistake.rpartition(": ")[0].split(": ")[0] for mistake in mistakes] == places


def test_mistakes_before_an_exception_are_told_with_it(place: Place) -> None:
    place.declare('r.file("relative")\nr.file("/a", mode="x")\nraise RuntimeError("on purpose")')
    mistakes = refused(place, 3)
    assert mistakes[2].endswith("RuntimeError: on purpose")


def test_a_mistake_in_a_helper_is_told_at_the_line_that_declares(place: Place) -> None:
    (place.blueprints / "helper.py").write_text('def site(r):\n    r.file("relative")\n')
    place.declare("helper.site(r)", before="import helper")
    (mistake,) = refused(place)
    assert mistake.startswith(f"{place.blueprints}/helper.py:2: file:relative: ")
