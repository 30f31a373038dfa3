"""docs/coming-from.md names only what there is: methods of Run, and their options."""

from __future__ import annotations

import dataclasses
import re

from pages import ROOT

from converge.declaration import Run, own_kinds

PAGE = (ROOT / "docs" / "coming-from.md").read_text()


def test_what_a_blueprint_is_said_to_declare_can_be_declared() -> None:
    kinds = own_kinds()
    calls = re.findall(r"\br\.(\w+)(?:\(([^`]*)\))?", PAGE)
    assert len(calls) > 60
    for method, arguments in calls:
        assert method in vars(Run), method
        if method in kinds:
            known = {field.name for field in dataclasses.fields(kinds[method]) if field.init}
            named = set(re.findall(r"\b(\w+)=", arguments))
            assert named <= known, f"r.{method} has no {named - known}"


def test_what_is_said_to_be_missing_is_missing() -> None:
    missing = {
        name for row in PAGE.splitlines() if "*missing*" in row for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert missing
    assert not missing & set(own_kinds())
