"""What is typed wrongly, and blueprints that cannot be loaded: a sentence, an exit code, and nothing is touched."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

COMMANDS = pytest.mark.parametrize("command", [("plan",), ("serve", "--timeout", "1s")], ids=["plan", "serve"])


@COMMANDS
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("nosuch", "no blueprint is called 'nosuch'; 'converge list' shows those there are, and a file is named by its "
                   "path, such as ./nosuch.py"),
        ("./stie.py", "there is no file ./stie.py (did you mean site.py"),
        ("stie.py", "there is no file stie.py (did you mean site.py"),
        ("nowhere/site.py", "there is no file nowhere/site.py"),
        ("./", "./ is a folder; name the Python file in it"),
        ("site.py:siet", "{site} has no function or blueprint 'siet' (did you mean site?)"),
        ("two.py", "{two} declares several blueprints; choose one: {two}:one, {two}:other"),
        ("empty.py", '{empty} declares no blueprint; put @blueprint("name") above its function'),
        ("", "no blueprint is called ''"),
    ],
)  # fmt: skip
def test_an_unknown_blueprint_exits_11_and_near_matches_are_named(
    place: Place, command: tuple[str, ...], typed: str, said: str
) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    text = place.site.read_text()
    (place.blueprints / "two.py").write_text(
        text.replace('blueprint("site"', 'blueprint("one"') + '\n@blueprint("other")\ndef other(r):\n    pass\n'
    )
    (place.blueprints / "empty.py").write_text("")
    answer = place.run(command[0], typed, *command[1:])
    names = {name: place.blueprints / f"{name}.py" for name in ("site", "two", "empty")}
    assert (answer.code, answer.out) == (11, "")
    assert answer.err.startswith("converge: " + said.format(**names))
    assert not list(place.managed.iterdir())


def test_each_of_two_blueprints_in_a_file_can_be_chosen(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x")', before='@blueprint("other")\ndef other(r):\n    pass\n')
    assert place.run("plan", f"{place.site}:site", "--out", "json").json()["summary"]["total"] == 1
    assert place.run("plan", f"{place.site}:other", "--out", "json").json()["summary"]["total"] == 0


def test_a_function_without_the_decorator_can_be_named(place: Place) -> None:
    place.declare("pass", before='def plain(r: Run) -> None:\n    r.file(HERE / "a", content="x")\n')
    said = place.run("plan", f"{place.site}:plain", "--out", "json").json()
    assert (said["blueprint"], said["summary"]["pending"]) == ("plain", 1)


BROKEN = {
    "def (": "is not valid Python: .*",
    "raise RuntimeError('on purpose')": "RuntimeError: on purpose",
    "raise SystemExit('enough')": "SystemExit: enough",
    "import sys; sys.exit()": "SystemExit",
    "def again(): again()\n\nagain()": r"RecursionError: .* exceeded \(called from .+\)",
    "1 / 0": "ZeroDivisionError: division by zero",
    "import nosuchmodule": "ModuleNotFoundError: No module named 'nosuchmodule'",
    "r.fiel('/a')": r".*fiel.* \(did you mean file or firewall\?\)",
    "r.packages": ".*packages.*",
    "r.include('nosuch')": "include: no blueprint is called 'nosuch'",
    "r.include('site')": "blueprints include each other in a circle: site → site",
    "r.in_shard(101)": ".* from 0 to 100, not 101",
    "r.file('/a', condition=file_exists('relative'))": "ValueError: file_exists: 'relative' must be an absolute path",
}


@COMMANDS
@pytest.mark.parametrize("body", BROKEN)
def test_a_blueprint_that_fails_says_where_and_why(place: Place, command: tuple[str, ...], body: str) -> None:
    place.declare('r.file(HERE / "a", content="x")\n' + body)
    said = place.run(command[0], place.site, *command[1:])
    assert (said.code, said.out) == (1, "")
    first, mistake, *rest = said.err.splitlines()
    assert first == "converge: 1 mistake in the blueprint; nothing was touched"
    line = place.site.read_text().splitlines().index("    " + body.splitlines()[0]) + 1
    assert re.fullmatch(re.escape(f"{place.site}:{line}: ") + BROKEN[body], mistake), mistake
    assert "Traceback" not in said.err
    assert not rest
    assert not list(place.managed.iterdir())


def test_a_blueprint_that_is_no_text_or_cannot_be_read_says_so(place: Place) -> None:
    place.site.write_bytes(b"\xff\xfe\x00rubbish")
    assert place.plan().code == 1
    assert "is not valid Python" in place.plan().err
    place.site.unlink()
    place.site.symlink_to("site.py")
    assert place.plan().code == 11
    assert "Traceback" not in place.plan().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--timeout", "5"], "--timeout: '5' is not a duration; write it as 500ms, 30s, 5m or 1h"),
        (["--timeout", "soon"], "--timeout: 'soon' is not a duration; write it as 500ms, 30s, 5m or 1h"),
        (["--timeout", "-1s"], "--timeout: .*"),
        (["--timeout", "5 m"], "--timeout: '5 m' is not a duration; write it as 500ms, 30s, 5m or 1h"),
        (["--timeout", "1d"], "--timeout: '1d' is not a duration; write it as 500ms, 30s, 5m or 1h"),
        (["--timeout", ""], "--timeout: '' is not a duration; write it as 500ms, 30s, 5m or 1h"),
        (["--timeout", "9" * 400 + "h"], "--timeout: .* is not a duration; it must be zero or more|.*"),
        (["--resource-timeout", "x"], "--resource-timeout: 'x' is not a duration; write it as 500ms, 30s, 5m or 1h"),
        (["--max-retries", "-1"], "--max-retries: .*"),
        (["--max-retries", "many"], "--max-retries: 'many' is not a whole number of 0 or more"),
        (["--parallel", "0"], "--parallel: '0' is not a number from 1 to 1000"),
        (["--parallel", "x"], "--parallel: 'x' is not a whole number of 0 or more"),
        (["--out", "xml"], "--out: invalid choice: 'xml' .*"),
        (["--nosuch"], "there is no option --nosuch"),
        (["--time", "1s"], r"there is no option --time \(did you mean --timeout\?\)"),
        (["--format", "dot"], "there is no option --format(| .*) here"),
        (["extra"], "one name too many: extra"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_exits_1(place: Place, options: list[str], said: str) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    answer = place.run("serve", place.site, *options)
    assert (answer.code, answer.out) == (1, "")
    assert len(answer.err.splitlines()) == 1
    assert re.fullmatch(rf"converge( serve)?: (argument )?{said} \(see converge( serve)? --help\)\n", answer.err)
    assert not list(place.managed.iterdir())


def test_an_option_written_wrongly_blames_no_blueprint(place: Place) -> None:
    for words in (["--timout", "5s", "site.py"], ["serve", "--timout", "5s", "site.py"]):
        said = place.run(*words)
        assert said.code == 1
        assert said.err == "converge: there is no option --timout (did you mean --timeout?) (see converge --help)\n"


def test_a_file_is_not_near_another_for_its_ending_alone(place: Place) -> None:
    place.write(place.blueprints / "xy.py", "")
    said = place.run("plan", "./ab.py")
    assert (said.code, said.err) == (11, "converge: there is no file ./ab.py\n")


def test_what_a_file_has_is_listed_where_nothing_is_near(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    said = place.run("plan", f"{place.site}:qqq")
    assert (said.code, said.err) == (11, f"converge: {place.site} has no function or blueprint 'qqq'; it has site\n")


def test_help_is_had_in_every_way_that_people_try(place: Place) -> None:
    bare = place.run()
    assert (bare.code, bare.err) == (0, "")
    assert bare.out == place.run("--help").out == place.run("help").out
    assert "COMMAND" in bare.out
    serve = place.run("help", "serve")
    assert (serve.code, serve.out) == (0, place.run("serve", "--help").out)
    assert place.run("help", "secret", "edit").out == place.run("secret", "edit", "--help").out
    assert place.run("help", "nosuch").code == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_shells_are_told_how_to_complete(place: Place, shell: str) -> None:
    said = place.run("completion", shell)
    assert (said.code, said.err) == (0, "")
    assert "converge" in said.out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("converge pl", {"plan "}),
        ("converge serve --time", {"--timeout "}),
        ("converge plan linux", {"linux", "linux_server"}),
        ("converge plan si", {"site.py "}),
        ("converge --out j", {"json "}),
    ],
)
def test_what_bash_completes(place: Place, line: str, expected: set[str]) -> None:
    place.declare("pass")
    bash = """
        eval "$(python -m converge completion bash)"
        converge() { python -m converge "$@"; }
        COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDBREAKS=" " _ARGCOMPLETE=1 _ARGCOMPLETE_SUPPRESS_SPACE=0 \\
            _ARGCOMPLETE_IFS=$'\\n' python -m converge 8>&1 9>/dev/null >/dev/null 2>&1
    """.replace("python", place.python[0])
    done = subprocess.run(
        ["bash", "-c", bash, "bash", line],
        cwd=place.blueprints, env=place.env, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert set(done.stdout.split("\n")) - {""} == expected, done.stderr


def test_an_unknown_command_is_one_sentence(place: Place) -> None:
    for arguments in (["paln", "site.py"], ["plan"]):
        said = place.run(*arguments)
        assert (said.code, said.out, len(said.err.splitlines())) == (1, "", 1)
        assert "--help" in said.err
    assert place.run("--help").code == 0
    assert place.run("serve", "--help").code == 0


@pytest.mark.parametrize("text", ["500ms", "30s", "5m", "1h", "1.5s", "1m30s"])
def test_durations_that_people_write_are_understood(place: Place, text: str) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    assert place.plan("--resource-timeout", text).code == 0
