"""What blueprints find on ``r``: defaults, kinds that there are not, and what documentation tools see."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

import converge
from converge import Run
from converge.blueprints.load import Given, load
from converge.core.errors import Mistakes
from converge.core.resource import Resource
from converge.resources.file import File


@pytest.fixture
def declared(tmp_path: Path) -> Callable[[str], dict[str, Resource]]:
    """Loads a blueprint with these lines; gives what it declares, by id."""

    def run(body: str, before: str = "") -> dict[str, Resource]:
        site = tmp_path / "site.py"
        lines = "".join(f"    {line}\n" for line in body.strip().split("\n"))
        head = "from converge import BadValue, Run, blueprint\n"
        site.write_text(f'{head}{before}\n@blueprint("site")\ndef site(r: Run, port: int = 1) -> None:\n{lines}')
        return {each.id: each for each in load(f"{site}:site", given=Given()).graph.resources}

    return run


Declared = Callable[..., dict[str, Resource]]


def mistakes(declared: Declared, body: str, before: str = "") -> list[str]:
    with pytest.raises(Mistakes) as raised:
        declared(body, before)
    return [mistake.text for mistake in raised.value.mistakes]


# --- defaults -------------------------------------------------------------------------------------------------


def test_defaults_hold_for_what_follows_and_leaves_them_out(declared: Declared) -> None:
    found = declared(
        """
r.file("/before")
r.defaults(parents=True)
r.defaults("file", mode=0o600)
r.file("/a")
r.file("/b", mode=0o644, parents=False)
r.directory("/c")
r.exec("d", "true")
"""
    )
    facts = {id: (getattr(each, "parents", None), getattr(each, "mode", None)) for id, each in found.items()}
    assert facts == {
        "file:/before": (False, None), "file:/a": (True, 0o600), "file:/b": (False, 0o644), "file:/c": (True, None),
        "exec:d": (None, None),
    }  # fmt: skip


def test_a_later_default_takes_the_place_of_an_earlier_one(declared: Declared) -> None:
    found = declared('r.defaults(mode=0o600)\nr.defaults("file", mode=0o640)\nr.file("/a")\nr.directory("/b")')
    assert (found["file:/a"].mode, found["file:/b"].mode) == (0o640, 0o600)  # type: ignore[attr-defined]


def test_an_option_that_is_given_by_its_place_is_given(declared: Declared) -> None:
    found = declared(
        'r.defaults("authorized_keys", keys=["ssh-ed25519 AAAA"], exact=True)\nr.authorized_keys("ann", [])'
    )
    (keys,) = found.values()
    assert keys.keys == []  # type: ignore[attr-defined]
    assert keys.exact  # type: ignore[attr-defined]


def test_what_names_a_resource_has_no_default(declared: Declared) -> None:
    (text,) = mistakes(declared, 'r.defaults("exec", name="x")')
    assert text == "defaults: name names each exec; it can have no default"


def test_defaults_neither_enter_nor_leave_an_included_blueprint(declared: Declared) -> None:
    other = '@blueprint("other")\ndef other(r: Run) -> None:\n    r.file("/other")\n    r.defaults(mode=0o600)\n'
    found = declared('r.defaults(parents=True)\nr.include("other")\nr.file("/a")', other)
    assert (found["file:/other"].parents, found["file:/a"].parents) == (False, True)  # type: ignore[attr-defined]
    assert found["file:/a"].mode is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("r.defaults(parent=True)", "defaults: no kind has an option parent (did you mean parents"),
        ('r.defaults("fil", mode=1)', "defaults: there is no kind 'fil' (did you mean file?)"),
        ('r.defaults("file", mode="x")', "defaults: r.file mode must be int or None, not 'x'"),
        ('r.defaults("exec", mode=1)', "defaults: no kind of these has an option mode"),
    ],
)
def test_mistakes_in_defaults_are_told_where_they_are(declared: Declared, line: str, said: str) -> None:
    (text,) = mistakes(declared, line)
    assert text.startswith(said)


# --- what there is not ----------------------------------------------------------------------------------------


def test_an_unknown_kind_does_not_end_the_search_for_mistakes(declared: Declared) -> None:
    found = mistakes(declared, 'git = r.pakage("git")\nr.file("/a", conten="x")\nr.exec("b", "true", depends_on=git)')
    assert found == ["there is no r.pakage (did you mean package?)", "has no option conten (did you mean content?)"]


def test_an_unknown_name_says_so_however_it_is_used(declared: Declared) -> None:
    first, second = mistakes(declared, "r.platfrom.os")
    assert first == "there is no r.platfrom (did you mean platform?)"
    assert second == "AttributeError: there is no r.platfrom"
    assert mistakes(declared, "r.platfrom") == [first]


def test_no_option_is_near_another_by_chance(declared: Declared) -> None:
    assert mistakes(declared, 'r.directory("/a", source="x")') == ["has no option source"]


def test_a_resource_is_not_near_itself(declared: Declared) -> None:
    (text,) = mistakes(declared, 'r.file("/etc/app.conf", depends_on="file:/etc/ap.conf")')
    assert text == "depends_on names file:/etc/ap.conf, which is not declared"


@pytest.mark.parametrize("option", ["reload_on", "restart_on"])
def test_a_reaction_is_called_as_its_owner_wrote_it(declared: Declared, option: str) -> None:
    (text,) = mistakes(declared, f'r.service("nginx", state="running", {option}=["file:/etc/nginx.conf"])')
    assert text == f"{option} names file:/etc/nginx.conf, which is not declared"


def test_a_config_that_cannot_be_read_is_one_mistake(declared: Declared) -> None:
    (text,) = mistakes(declared, 'r.config("none.toml")\nr.secret("a.b")\nr.secret("c.d")')
    assert "none.toml cannot be read" in text


def test_a_bad_value_is_told_where_it_comes_from(declared: Declared, tmp_path: Path) -> None:
    other = (
        '@blueprint("other")\ndef other(r: Run, port: int) -> None:\n    raise BadValue("port", f"{port} is no port")\n'
    )
    with pytest.raises(Mistakes) as raised:
        declared('r.include("other", port=0)', other)
    (mistake,) = raised.value.mistakes
    assert mistake.text == "include: other port: 0 is no port"
    assert mistake.where == (str(tmp_path / "site.py"), 8)
    with pytest.raises(Mistakes, match=r"^--set sections: cis: sections: cis has no section 'sshh'"):
        load("cis", given=Given(sets=(("sections", "sshh"),)))


# --- for those who read documentation -------------------------------------------------------------------------


def test_kinds_can_be_looked_at_on_the_class() -> None:
    assert Run.file is File
    assert "content" in inspect.signature(Run.file).parameters
    assert inspect.getdoc(Run.file)
    assert {name for name, _ in inspect.getmembers(Run)} >= {"file", "package", "service"}


def test_the_public_names_are_listed() -> None:
    assert dir(converge) == sorted(converge.__all__)
    assert all(hasattr(converge, name) for name in dir(converge))
