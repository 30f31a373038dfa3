"""``validate=`` of a whole configuration: what a daemon makes of a refusal, and of its own test."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

SERVER = """#!/bin/sh
echo ran >>{log}
test "$(cat {conf}/*.conf | grep -c default)" -le 1 || {{ echo two defaults; exit 1; }}
"""


@pytest.fixture(params=["namespace", "swap"])
def served(request: pytest.FixtureRequest, place: Place) -> Iterator[Place]:
    """A machine with a server; where it says swap, without the right to make mounts."""
    if os.geteuid() != 0:
        pytest.skip("needs root, who may make mounts")
    if request.param == "swap":
        place.python = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", *place.python]
    log = place.blueprints / "log"
    program = place.write(place.blueprints / "server", SERVER.format(log=log, conf=place.managed))
    program.chmod(0o755)
    log.touch()
    yield place


def runs(place: Place) -> int:
    return len((place.blueprints / "log").read_text().splitlines())


def test_of_several_fragments_each_is_tried_with_those_before_it(served: Place) -> None:
    program = served.blueprints / "server"
    served.declare(
        f"""
        r.file(HERE / "a.conf", content="default\\n", validate={str(program)!r})
        r.file(HERE / "b.conf", content="default\\n", validate={str(program)!r})
        """
    )
    done = served.once("--out", "json", "--max-retries", "0")
    assert sorted(done.statuses().values()) == ["changed", "failed"]
    assert len(list(served.managed.iterdir())) == 1


def test_a_test_is_no_drift_and_drift_is_put_right_through_a_test(served: Place) -> None:
    program, place = served.blueprints / "server", served.managed / "a.conf"
    served.declare(f'r.file(HERE / "a.conf", content="default\\n", validate={str(program)!r}, limit=1000)')
    daemon = served.serve("--max-retries", "0")
    daemon.until_reads(place, "default\n")
    assert runs(served) == 1
    place.write_text("tampered\n")
    daemon.until_reads(place, "default\n")
    other = served.managed / "other.conf"
    other.write_text("default\n")
    place.write_text("tampered again\n")
    daemon.until(lambda: daemon.outcome(place, "failed"), "the refusal")
    time.sleep(1.2)  # two windows of coalescing, in which it could take its own test for drift
    assert place.read_text() == "tampered again\n"
    assert daemon.stop() == 0
    assert runs(served) == 3, "a refused file that was put back is not tried again by itself"
