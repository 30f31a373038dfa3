"""One resource that several blueprints declare: what adds up, what contradicts, and what is said of the places."""

from __future__ import annotations

from pathlib import Path

import pytest

from converge.blueprints.load import load
from converge.blueprints.run import Run
from converge.core.errors import Mistakes
from converge.core.resource import Resource

HEAD = "from converge import Run, blueprint\n"


def load_two(tmp_path: Path, other: str, site: str, *, before: str = "", skip: str = "") -> dict[str, Resource]:
    """What a site has of its own after it has included ``other``; ``before`` is declared earlier."""
    (tmp_path / "site.py").write_text(
        f"{HEAD}@blueprint('other')\ndef other(r: Run{skip}) -> None:\n    {other}\n"
        f"@blueprint('site')\ndef site(r: Run) -> None:\n    {before or 'pass'}\n    r.include(other)\n    {site}\n"
    )
    return {each.id: each for each in load(f"{tmp_path}/site.py:site").graph.resources}


def refused(tmp_path: Path, other: str, site: str, **more: str) -> str:
    with pytest.raises(Mistakes) as raised:
        load_two(tmp_path, other, site, **more)
    (mistake,) = raised.value.mistakes
    return str(mistake)


def test_what_two_blueprints_declare_alike_is_one_resource_with_both_places(tmp_path: Path) -> None:
    found = load_two(tmp_path, 'r.package("sudo")', 'r.package("sudo")')
    (package,) = found.values()
    assert str(package.where) == f"{tmp_path}/site.py:4 and {tmp_path}/site.py:9"
    assert package.where.line == 4


def test_the_included_one_is_named_with_its_include_line(tmp_path: Path) -> None:
    found = load_two(tmp_path, 'r.package("sudo")', "pass", before='r.package("sudo")')
    assert str(found["package:sudo"].where) == (
        f"{tmp_path}/site.py:7 and {tmp_path}/site.py:4 (other, included at {tmp_path}/site.py:8)"
    )


@pytest.mark.parametrize(
    ("one", "two", "option", "value"),
    [
        ('r.package("a", hold=True)', 'r.package("a")', "hold", True),
        ('r.package("a")', 'r.package("a", version="1.2")', "version", "1.2"),
        ('r.service("a", state="running")', 'r.service("a", enable=True)', "enable", True),
        ('r.file("/a", mode=0o600)', 'r.file("/a", content="x")', "content", "x"),
        ('r.file("/a", line="x")', 'r.file("/a", mode=0o600, line=["x"])', "mode", 0o600),
        ('r.file("/a", content="x")', 'r.file("/a//", content="x", parents=True)', "parents", True),
        ('r.user("a", groups=["x"])', 'r.user("a", groups=["y"])', "groups", ("x", "y")),
        ('r.package("a", critical=True)', 'r.package("a")', "critical", True),
        ('r.package("a", timeout="5s")', 'r.package("a")', "timeout", "5s"),
        ('r.package("a")', 'r.package("a", retry=0)', "retry", 0),
        ('r.package("a")', 'r.package("b")\n    r.package("a", depends_on="package:b")', "depends_on", ("package:b",)),
        ('r.authorized_keys("a", ["ssh-ed25519 AAAA"])', 'r.authorized_keys("a", ["ssh-ed25519 AAAA"])', "user", "a"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_options_that_do_not_contradict_add_up(
    tmp_path: Path, one: str, two: str, option: str, value: object, turned: bool
) -> None:
    if "ssh-ed" in one:
        key = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
        one, two = one.replace("AAAA", key), two.replace("AAAA", key)
    first, second = (two, one) if turned else (one, two)
    resource = next(iter(load_two(tmp_path, first, second).values()))
    if resource.id == "package:b":
        resource = load_two(tmp_path, first, second)["package:a"]
    found = getattr(resource, option)
    assert sorted(found) == sorted(value) if isinstance(value, tuple) else found == value


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        ('r.package("a")', 'r.package("a", state="absent")', "state='absent' here, state='present' there"),
        ('r.file("/a", mode=0o600)', 'r.file("/a", mode=0o644)', "mode=0o644 here, mode=0o600 there"),
        ('r.file("/a", content="x")', 'r.file("/a", content="y")', "content differs"),
        ('r.file("/a", content="x")', 'r.directory("/a")', "a directory here, a file there"),
        ('r.exec("a", "true")', 'r.exec("a", "true", creates="/x")', "creates="),
        ('r.firewall("a", port=22)', 'r.firewall("a", port=22, source="192.0.2.1")', "source="),
        ('r.file("/a", content="x")', 'r.file("/a", line="y")', "leave out content"),
        ('r.file("/a", content="x", sensitive=True)', 'r.file("/a", content="y")', "content differs"),
        ('r.exec("a", "x", sensitive=True)', 'r.exec("a", "y", sensitive=True)', "command differs"),
        ('r.exec("a", "x", sensitive=True)', 'r.exec("a", "y")', "command differs"),
        ('r.package("a", noop=True)', 'r.package("a")', "noop="),
        ('r.user("a", groups=["x"], groups_exact=True)', 'r.user("a", groups=["y"], groups_exact=True)', "groups"),
    ],
)
def test_a_contradiction_names_both_places(tmp_path: Path, one: str, two: str, said: str) -> None:
    text = refused(tmp_path, one, two)
    assert text.startswith(f"{tmp_path}/site.py:9: ")
    assert f"at {tmp_path}/site.py:4 (other, included at {tmp_path}/site.py:8)" in text
    assert said in text


def test_a_contradiction_says_what_to_skip(tmp_path: Path) -> None:
    text = refused(
        tmp_path,
        'r.package("telnet", state="absent", why="CIS 2.2.4: Ensure telnet is gone. It has no encryption.")',
        'r.package("telnet")',
        skip=", skip: list[str] = []",
    )
    assert "for CIS 2.2.4: Ensure telnet is gone, and they" in text
    assert 'leave that one out with r.include(other, …, skip=["2.2.4"])' in text


def test_an_include_that_is_not_our_own_is_told_its_line_where_it_comes_last(tmp_path: Path) -> None:
    text = refused(tmp_path, 'r.package("a", state="absent")', "pass", before='r.package("a")')
    assert text.startswith(f"{tmp_path}/site.py:7: ")
    assert f"here and at {tmp_path}/site.py:4 (other, included at {tmp_path}/site.py:8)" in text
    assert "state='present' here, state='absent' there" in text


def test_within_one_blueprint_a_second_declaration_is_a_mistake_as_ever(tmp_path: Path) -> None:
    assert "is declared twice, here and at" in refused(tmp_path, "pass", 'r.package("sudo")\n    r.package("sudo")')
    assert "declared twice, here and at" in refused(
        tmp_path, 'r.package("sudo")', 'r.package("sudo")', before='r.package("sudo")'
    )


def test_relative_sources_of_two_folders_are_two_files(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").write_text('def motd(r):\n    r.file("/motd", source="motd")\n')
    (tmp_path / "site.py").write_text(
        HEAD + 'import lib\n@blueprint("site")\ndef site(r: Run) -> None:\n'
        '    r.file("/motd", source="motd")\n    r.include(lib.motd)\n'
    )
    with pytest.raises(Mistakes, match="source='motd' here, source='motd' there"):
        load(f"{tmp_path}/site.py")


def test_a_relative_source_is_beside_the_blueprint_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").write_text('def motd(r):\n    r.file("/motd", source="motd")\n')
    (tmp_path / "site.py").write_text(
        HEAD + 'import lib\n@blueprint("site")\ndef site(r: Run) -> None:\n'
        '    r.file("/motd", mode=0o644)\n    r.include(lib.motd)\n'
    )
    (motd,) = load(f"{tmp_path}/site.py").graph.resources
    assert getattr(motd, "beside")("motd") == f"{tmp_path}/lib/motd"  # noqa: B009


def test_both_reasons_are_remembered(tmp_path: Path) -> None:
    found = load_two(tmp_path, 'r.package("a", why="one")', 'r.package("a", why="two")')
    assert found["package:a"].why == "one; also: two"


def test_the_first_place_keeps_its_turn_and_what_is_returned_can_be_named(tmp_path: Path) -> None:
    found = load_two(
        tmp_path, 'r.package("a")', 'b = r.package("b")\n    r.exec("x", "true", depends_on=r.package("a"))'
    )
    assert list(found) == ["package:a", "package:b", "exec:x"]
    assert found["exec:x"].depends_on == ("package:a",)


def test_what_the_site_declares_itself_is_not_foreign(tmp_path: Path) -> None:
    load_two(tmp_path, 'r.package("a")\n    r.package("b")', 'r.package("a")')
    assert load(f"{tmp_path}/site.py:site").graph.included == {"package:b"}


def test_one_blueprint_with_several_parameters_may_share_resources(tmp_path: Path) -> None:
    def host(r: Run, name: str) -> None:
        r.package("nginx")
        r.file(f"/{name}", content="", depends_on="package:nginx")

    def site(r: Run) -> None:
        for name in ("a", "b", "c"):
            r.include(host, name)

    graph = load(site).graph
    assert [each.id for each in graph.resources] == ["package:nginx", "file:/a", "file:/b", "file:/c"]
    assert str(graph.resources[0].where) == f"{__file__}:{host.__code__.co_firstlineno + 1}"


def test_a_recursion_that_ends_is_no_circle() -> None:
    def tree(r: Run, depth: int = 3) -> None:
        r.file(f"/{depth}", content="")
        if depth:
            r.include(tree, depth - 1)

    assert [each.id for each in load(tree).graph.resources] == ["file:/3", "file:/2", "file:/1", "file:/0"]


def test_a_recursion_without_an_end_is_told_with_its_chain() -> None:
    def tree(r: Run, depth: int = 0) -> None:
        r.include(tree, depth + 1)
        r.include(tree, -depth - 1)

    with pytest.raises(Mistakes) as raised:
        load(tree)
    (mistake,) = raised.value.mistakes
    assert "without an end, 100 deep so far: tree → tree(depth=1) → tree(depth=2) → … →" in mistake.text
    assert mistake.where.file == __file__
