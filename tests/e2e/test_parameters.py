"""Parameters of blueprints, from the command line, from a file, and from other blueprints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Place

BLUEPRINT = """\
from typing import Literal
from converge import Run, blueprint

@blueprint("part")
def part(r: Run, name: str, text: str = "part") -> None:
    r.file(f"{here}/{{name}}", content=text, limit=1000)

@blueprint("web")
def web(r: Run, port: int = 8080, names: list[str] = [], env: Literal["prod", "dev"] = "dev") -> None:
    r.file("{here}/port", content=f"{{port}} {{env}}", limit=1000)
    for name in names:
        r.include("part", name=name)
{more}
"""


def declare(place: Place, *more: str) -> str:
    text = BLUEPRINT.format(here=place.managed, more="".join(f"    {line}\n" for line in more))
    return f"{place.write(place.site, text)}:web"


def managed(place: Place) -> dict[str, str]:
    return {path.name: path.read_text() for path in place.managed.iterdir()}


def test_set_and_values_reach_the_function(place: Place) -> None:
    web = declare(place)
    (place.blueprints / "values.toml").write_text('port = 81\nnames = ["a", "b"]\n')
    said = place.run("serve", web, "--timeout", "200ms", "--set", "env=prod", "--values", "values.toml")
    assert said.code == 0, said.err
    assert managed(place) == {"port": "81 prod", "a": "part", "b": "part"}
    planned = place.run("plan", web, "--detailed-exit-codes", "--set", "port=82", "--set", "names=a,b")
    assert planned.code == 5
    assert place.run("plan", web, "--detailed-exit-codes", "--set", "port=81", "--set", "env=prod").code == 0


def test_wrong_unknown_and_missing_ones_are_mistakes_at_their_places(place: Place) -> None:
    web = declare(place)
    values = place.blueprints / "values.toml"
    values.write_text('names = "a"\nprot = 80\n')
    said = place.run("plan", web, "--set", "env=prd", "--values", values)
    assert said.code == 1
    assert said.err.splitlines() == [
        "converge: 3 mistakes in the blueprint; nothing was touched",
        "--set env: web: env must be one of prod, dev, not 'prd' (did you mean prod?)",
        f"{values}:1: web: names must be a list of texts, not 'a'",
        f"{values}:2: web: has no parameter prot (did you mean port?)",
    ]
    said = place.run("check", web.replace(":web", ":part"))
    assert said.err.splitlines()[1] == f"{place.site}:4: part: name (text) is missing; give it with --set name=…"
    assert not managed(place)


def test_the_command_line_says_what_it_takes(place: Place) -> None:
    web = declare(place)
    said = place.run("plan", web, "--set", "port")
    assert said.code == 1
    assert "argument --set: 'port' is not a name and a value, such as port=80 (see converge plan --help)" in said.err
    said = place.run("plan", web, "--set", "names=a", "--set", "names=b")
    assert said.err == "converge: --set names is given twice; a list is written as names=a,b\n"
    said = place.run("plan", web, "--values", "nowhere.toml")
    assert said.code == 1
    assert said.err.endswith("nowhere.toml cannot be read: No such file or directory\n")


def test_an_include_is_held_against_the_same_annotations(place: Place) -> None:
    web = declare(
        place,
        'r.include("part", name=5)',
        'r.include("part")',
        'r.include("part", nmae="x")',
        'r.include(part, "c", text="right")',
        'r.include(5)',
    )  # fmt: skip
    lines = place.run("check", web).err.splitlines()
    assert lines[1:] == [
        f"{place.site}:13: include: part name must be text, not 5",
        f"{place.site}:14: include: part name (text) is missing",
        f"{place.site}:15: include: part has no parameter nmae (did you mean name?)",
        f"{place.site}:15: include: part name (text) is missing",
        f"{place.site}:17: include takes a blueprint or its name, not 5",
    ]


def test_a_part_is_declared_once_for_each_set_of_values(place: Place) -> None:
    web = declare(
        place, 'r.include("part", name="a")', 'r.include(part, "a")', 'r.include(part, name="b", text="other")'
    )
    assert place.run("serve", web, "--timeout", "200ms").code == 0
    assert managed(place) == {"port": "8080 dev", "a": "part", "b": "other"}
    web = declare(place, 'r.include("part", name="a")', 'r.include(part, name="a", text="other")')
    assert "is declared twice" in place.run("check", web).err


def test_a_reload_has_the_same_values_and_follows_the_file_of_values(place: Place) -> None:
    declare(place)
    values = place.blueprints / "values.toml"
    values.write_text("port = 1\n")
    site = Path(f"{place.site}:web")
    daemon = place.start("--out", "json", "--set", "env=prod", "--values", "values.toml", site=site).watching()
    port = place.managed / "port"
    assert port.read_text() == "1 prod"
    declare(place, f'r.file("{place.managed}/more", content="x")')
    daemon.until_reads(place.managed / "more", "x")
    assert port.read_text() == "1 prod"
    place.write(values, "port = 2\n")
    daemon.until_reads(port, "2 prod")
    place.write(values, 'port = "x"\n')
    daemon.notice("port must be a whole number, not 'x'")
    values.unlink()
    daemon.notice("cannot be read")
    port.write_text("tampered")
    daemon.until_reads(port, "2 prod")
    place.write(values, "port = 3\n")
    daemon.until_reads(port, "3 prod")
    assert daemon.stop() == 0
