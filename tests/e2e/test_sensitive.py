"""What is sensitive is in no output, no error, no log and no record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

SITE = """
    changed = r.file(HERE / "content", content="hunter2\\n" * 3, sensitive=True)
    r.file(HERE / "template", template="t.j2", vars={"x": "hunter2"}, sensitive=True)
    r.file(HERE / "broken", template="broken.j2", vars={"x": "hunter2"}, sensitive=True)
    r.file(HERE / "invalid", content="hunter2", validate="cat %s /nosuch", sensitive=True)
    r.file(HERE / "line", line=Line("hunter2", match="^hunter"), block="hunter2", sensitive=True)
    r.exec("fails", "echo hunter2; exit 1", shell=True, sensitive=True, retries=0)
    r.exec("guard", "true", unless="echo hunter2; kill -9 $$", shell=True, sensitive=True, retries=0)
    r.exec("missing", ["/nosuch", "hunter2"], sensitive=True, retries=0)
    r.exec("hangs", "echo hunter2; sleep 100", shell=True, sensitive=True, retries=0, timeout=1)
    r.exec("refresh", "echo hunter2; exit 1", shell=True, sensitive=True, only_on=changed, retries=0)
    r.exec("env", "env; exit 1", shell=True, env={"PASSWORD": "hunter2"}, stdin="hunter2", sensitive=True, retries=0)
"""


def test_it_is_shown_nowhere(place: Place) -> None:
    (place.blueprints / "t.j2").write_text("{{ x }}")
    (place.blueprints / "broken.j2").write_text("{{ x.hunter.hunter }}")
    for name in ("content", "line"):
        (place.managed / name).write_text("hunter2 of old\n")
    place.declare(SITE)
    said = [place.plan("--out", out, "-v") for out in ("serial", "json")]
    said += [place.once("--out", out, "-v", "--max-retries", "0") for out in ("serial", "json")]
    assert [each.code for each in said[2:]] == [1, 1]
    for each in said:
        assert "hunter2" not in each.out
        assert "hunter2" not in each.err
    assert (place.managed / "content").read_text() == "hunter2\n" * 3
    kept = [path for name in ("state", "run") for path in (place.root / name).rglob("*") if path.is_file()]
    assert kept
    assert all(b"hunter2" not in path.read_bytes() for path in kept)


@pytest.mark.parametrize(
    "body",
    [
        'r.file(HERE / "a", content=["hunter2"], sensitive=True)',
        'r.exec("a", "x", env={"PASSWORD": "hunter2", "N": 1}, sensitive=True)',
        'r.exec("a", "x", stdin=["hunter2"], sensitive=True)',
        'r.exec("a", "x \'hunter2", sensitive=True)',
    ],
)
def test_it_is_not_shown_in_a_mistake_either(place: Place, body: str) -> None:
    place.declare(body)
    said = place.plan()
    assert said.code == 1
    assert "1 mistake" in said.err
    assert "hunter2" not in said.err
