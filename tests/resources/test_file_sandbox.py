"""Templates that somebody else than the blueprint's author may have written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from converge.core.errors import ResourceError
from converge.resources.file import File

OTHER = 61001


def rendered(template: Path, **variables: object) -> str:
    file = File(template.with_name("out"), template=template, vars=variables)
    (change, *_) = (each for each in file.check() if each.property == "content")
    return str(change.to)


@pytest.mark.parametrize(
    "text", ["{{ names.append('mallory') }}", "{{ table.update({'a': 1}) }}", "{{ own.add('b') }}"]
)
def test_it_changes_nothing_of_what_it_is_given(tmp_path: Path, text: str) -> None:
    class Own:
        def __init__(self) -> None:
            self.had = ["a"]

        def add(self, name: str) -> str:
            self.had.append(name)
            return name

    given = {"names": ["alice"], "table": {"b": 2}, "own": Own()}
    template = tmp_path / "t"
    template.write_text(text)
    try:
        rendered(template, **given)
    except ResourceError:
        assert "own" not in text
    assert (given["names"], given["table"], given["own"].had) == (["alice"], {"b": 2}, ["a"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text", ["{{ 9**(9**9) }}", "{{ 'a' * (2 * 10**9) }}", "{{ (10**9) * [1] }}", "{{ 9**-(9**9) }}"]
)
def test_one_operation_does_not_hold_up_the_daemon(tmp_path: Path, text: str) -> None:
    template = tmp_path / "t"
    template.write_text(text)
    with pytest.raises(ResourceError, match="a template makes nothing that large"):
        rendered(template)


def test_small_sums_are_done(tmp_path: Path) -> None:
    template = tmp_path / "t"
    template.write_text("{{ 2**10 }} {{ '-' * 3 }} {{ 2 * 3 }} {{ 1.5 * 2 }} {{ 2**0.5 > 1 }}")
    assert rendered(template) == "1024 --- 6 3.0 True"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: plays another user")
def test_it_includes_nothing_that_its_owner_may_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "public").write_text("hello")
    (tmp_path / "public").chmod(0o644)
    template = tmp_path / "t"
    template.write_text("{% include 'public' %}")
    os.chown(template, OTHER, OTHER)
    assert rendered(template) == "hello"
    template.write_text("{% include 'secret' %}")
    with pytest.raises(ResourceError, match="which uid 61001, who wrote it, may not read"):
        rendered(template)
    os.chown(template, 0, 0)
    assert rendered(template) == "hunter2"
