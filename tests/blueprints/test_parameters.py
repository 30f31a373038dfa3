"""Values of parameters: what each type takes, as typed, from a file, and from another blueprint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.blueprints.parameters import Text, bind, signature, values_from
from converge.blueprints.run import Run
from converge.core.errors import ConvergeError, Mistakes


class Colour(Enum):
    RED = "red"
    BLUE = 2


def web(
    r: Run,
    port: int = 80,
    *,
    ratio: float = 1.0,
    tls: bool = False,
    name: str = "",
    names: list[str] = [],  # noqa: B006 - what users write
    ports: tuple[int, ...] = (),
    env: Literal["prod", "dev"] = "dev",
    colour: Colour = Colour.RED,
    limit: int | None = None,
    note: str | None = None,
    either: str | int = "",
    root: Path = Path("/"),
    sizes: dict[str, int] | None = None,
    grid: Sequence[Sequence[int]] = (),
) -> None:
    """A blueprint with a parameter of each type."""


def one(name: str, value: object, function: Callable[..., None] = web) -> object:
    values, wrong = bind(function, (), {name: value})
    assert not wrong
    return values[name]


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("port", "8080", 8080),
        ("port", "0x50", 80),
        ("ratio", "0.5", 0.5),
        ("ratio", "2", 2.0),
        ("tls", "yes", True),
        ("tls", "FALSE", False),
        ("name", "80", "80"),
        ("name", "", ""),
        ("name", "a=b,c", "a=b,c"),
        ("names", "a, b", ["a", "b"]),
        ("names", "", []),
        ("names", '["a,b", "c"]', ["a,b", "c"]),
        ("ports", "80,443", (80, 443)),
        ("env", "prod", "prod"),
        ("colour", "red", Colour.RED),
        ("colour", "2", Colour.BLUE),
        ("colour", "BLUE", Colour.BLUE),
        ("limit", "5", 5),
        ("limit", "none", None),
        ("note", "none", "none"),
        ("either", "5", 5),
        ("either", "five", "five"),
        ("root", "/srv", Path("/srv")),
        ("sizes", "{a = 1}", {"a": 1}),
        ("grid", "[[1, 2], []]", [[1, 2], []]),
    ],
)
def test_what_is_typed_becomes_what_the_annotation_says(name: str, typed: str, value: object) -> None:
    found = one(name, Text(typed))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", Text("eighty"), "port must be a whole number, not 'eighty'"),
        ("port", Text("010"), "port must be a whole number, not '010'"),
        ("port", "80", "port must be a whole number, not '80'"),
        ("port", True, "port must be a whole number, not True"),
        ("port", 1.0, "port must be a whole number, not 1.0"),
        ("ratio", Text("nan"), "ratio must be a number, not 'nan'"),
        ("tls", Text("maybe"), "tls must be true or false, not 'maybe'; write true or false"),
        ("tls", 1, "tls must be true or false, not 1"),
        ("name", 5, "name must be text, not 5"),
        ("names", "a", "names must be a list of texts, not 'a'"),
        ("names", ["a", 1], "names must be a list of texts, not ['a', 1]"),
        ("ports", Text("80,x"), "ports must be a list of whole numbers, not '80,x'"),
        ("ports", Text("[80,"), "ports must be a list of whole numbers, not '[80,' ("),
        ("env", Text("prd"), "env must be one of prod, dev, not 'prd' (did you mean prod?)"),
        ("colour", "reed", "colour must be one of red, 2, not 'reed' (did you mean red?)"),
        ("limit", Text("x"), "limit must be a whole number or None, not 'x'"),
        ("sizes", Text("a"), "sizes must be a table of whole numbers or None, not 'a'; write it as {name = \"value\"}"),
        ("nmae", "x", "has no parameter nmae (did you mean name or names?)"),
        ("zzz", "x", "has no parameter zzz; it takes port, ratio,"),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(name: str, value: object, said: str) -> None:
    _, wrong = bind(web, (), {name: value})
    assert len(wrong) == 1
    assert wrong[0][0] == name
    assert wrong[0][1].startswith(said)


def test_what_may_be_secret_is_not_shown() -> None:
    def site(r: Run, db_password: int) -> None: ...

    _, wrong = bind(site, (), {"db_password": Text("hunter2")})
    assert wrong == [("db_password", "db_password must be a whole number, not a value of type Text")]


def test_what_is_missing_is_told_and_what_has_a_default_is_not() -> None:
    def site(r: Run, port: int, name: str = "x") -> None: ...

    assert bind(site, (), {}) == ({}, [("port", "port (a whole number) is missing")])
    assert bind(site, (80,), {}) == ({"port": 80}, [])
    assert bind(site, (80,), {"port": 81})[1] == [("port", "port is given twice")]
    assert bind(site, (80, "a", 3), {})[1] == [("", "takes 2 parameters, not 3")]


def test_a_function_that_nobody_could_give_parameters_says_why() -> None:
    def untyped(r: Run, port=80) -> None: ...  # type: ignore[no-untyped-def]
    def strange(r: Run, when: complex = 1j) -> None: ...
    def unknown(r: Run, x: Nowhere = None) -> None: ...  # type: ignore[name-defined]  # noqa: F821
    def star(r: Run, *rest: int, **more: int) -> None: ...
    def none() -> None: ...

    for function, said in (
        (untyped, "parameter port has no type; write one, such as port: str"),
        (strange, "parameter when cannot be a complex; there are str, int,"),
        (unknown, "parameter x has a type that cannot be understood: name 'Nowhere' is not defined"),
        (star, "has the parameter *rest; name each one"),
        (none, "takes no r, the first argument of every blueprint"),
    ):
        assert signature(function).wrong[0].startswith(said)


@given(st.integers())
def test_every_whole_number_can_be_typed(number: int) -> None:
    assert one("port", Text(str(number))) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_can_be_typed(number: float) -> None:
    assert one("ratio", Text(str(number))) == number


@given(st.lists(st.text(alphabet=st.characters(exclude_characters=",[", exclude_categories=["Zs", "Cc"]), min_size=1)))
def test_a_list_can_be_typed_with_commas(names: list[str]) -> None:
    stripped = [name.strip() for name in names]
    if all(stripped):
        assert one("names", Text(",".join(stripped))) == stripped


@given(st.text())
def test_any_text_either_fits_or_is_told_but_never_raises(text: str) -> None:
    for name in signature(web).parameters:
        values, wrong = bind(web, (), {name: Text(text)})
        assert bool(values) != bool(wrong)


def test_typed_values_go_before_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "values.toml"
    file.write_text('# of ours\nport = 80\nname = "a"\n\n[sizes]\na = 1\n')
    values = values_from([("name", "b")], str(file))
    assert values["port"] == (80, str(file), 2)
    assert values["name"] == ("b", "", 0)
    assert values["sizes"] == ({"a": 1}, str(file), 5)


def test_a_broken_or_missing_file_of_values_is_told(tmp_path: Path) -> None:
    file = tmp_path / "values.toml"
    with pytest.raises(ConvergeError, match=r"the values in .*/values.toml cannot be read: No such file"):
        values_from([], str(file))
    file.write_text("port = 80\nname = \n")
    with pytest.raises(Mistakes, match=r"values.toml:2: is not valid TOML"):
        values_from([], str(file))


def test_the_same_values_are_read_from_python(tmp_path: Path) -> None:
    passed: Mapping[str, Any] = {"colour": Colour.BLUE, "ports": [1], "sizes": {"a": 1}, "ratio": 1, "limit": None}
    values, wrong = bind(web, (), passed)
    assert not wrong
    assert values == {**passed, "ports": (1,)}
