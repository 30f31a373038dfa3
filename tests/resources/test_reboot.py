"""reboot: what asks for it, when it counts as made, and that it never loops. A program of the test's own is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from converge.core.change import IN_SYNC, Change
from converge.core.errors import Busy, ResourceError
from converge.host.process import variables
from converge.resources.reboot import Reboot, issuing, record, sentinel

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can reboot a machine, or pretend to")
PENDING = (Change("reboot", None, "pending: test", "run"),)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often this machine, which has no systemd, was told to reboot."""
    monkeypatch.setenv("CONVERGE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(variables, "SYSTEM_PATH", f"{tmp_path}:{variables.SYSTEM_PATH}")
    monkeypatch.setattr(issuing, "_SYSTEMD", str(tmp_path / "none"))
    monkeypatch.setattr(record, "_FLEETING", frozenset())  # a test's folder may well be on a tmpfs
    monkeypatch.setattr(record, "uptime", lambda: 5000.0)
    monkeypatch.setattr(sentinel, "FOLDER", str(tmp_path))
    for name in ("reboot", "wall"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho >>{tmp_path}/{name}.said\n")
        (tmp_path / name).chmod(0o755)
    said = tmp_path / "reboot.said"
    return lambda: len(said.read_text().splitlines()) if said.exists() else 0


@pytest.fixture
def boots(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make the next boot of the machine begin."""
    numbers = [0]
    monkeypatch.setattr(record, "this_boot", lambda: f"boot {numbers[0]}")

    def boot() -> None:
        numbers[0] += 1

    return boot


def go(resource: Reboot) -> None:
    """What a check finds, applied: the machine is going down."""
    state = resource.check()
    assert state == PENDING
    with pytest.raises(Busy, match="the machine is going to reboot: test"):
        resource.apply(state)


@as_root
def test_without_a_reason_it_is_made_once(asked: Callable[[], int], boots: Callable[[], None]) -> None:
    it = Reboot("test")
    go(it)
    assert asked() == 1
    with pytest.raises(Busy):
        it.check()
    for _ in range(3):
        boots()
        assert it.check() == IN_SYNC
    assert asked() == 1
    assert Reboot("another", reason="test").check() == PENDING


@as_root
def test_one_that_does_not_come_is_begun_again(asked: Callable[[], int], boots: Callable[[], None]) -> None:
    it = Reboot("test")
    go(it)
    known = record.read("test")
    assert known is not None
    assert known.issued is not None
    record.write("test", replace(known, issued=known.issued - 599))
    with pytest.raises(Busy):
        it.check()
    record.write("test", replace(known, issued=known.issued - 601))
    go(it)
    assert asked() == 2


@as_root
def test_one_that_is_refused_is_not_taken_for_begun(asked: Callable[[], int], tmp_path: Path) -> None:
    (tmp_path / "reboot").write_text("#!/bin/sh\necho not now; exit 3\n")
    with pytest.raises(ResourceError, match=r"^reboot ended with exit status 3: not now$"):
        Reboot("test").apply(PENDING)
    assert Reboot("test").check() == PENDING


@as_root
def test_its_delay_is_waited_for(asked: Callable[[], int], boots: Callable[[], None]) -> None:
    it = Reboot("test", delay="1m")
    with pytest.raises(Busy) as raised:
        it.apply(it.check())
    assert raised.value.again == pytest.approx(60, abs=5)
    with pytest.raises(Busy) as raised:
        it.check()
    assert asked() == 0
    known = record.read("test")
    assert known is not None
    record.write("test", replace(known, due=known.due - 60))
    go(it)
    assert asked() == 1

    late = Reboot("late", delay="1m")
    with pytest.raises(Busy):
        late.apply(late.check())
    boots()
    assert late.check() == IN_SYNC, "somebody else has rebooted it meanwhile, and that will do"


@as_root
def test_a_file_asks_for_one_reboot(asked: Callable[[], int], boots: Callable[[], None], tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    it = Reboot("test", when_exists=str(flag))
    assert it.check() == IN_SYNC
    flag.touch()
    go(it)
    boots()
    assert it.check() == IN_SYNC, "it was rebooted for this one, though nobody has removed it"
    os.replace(tmp_path / "wall", flag)
    go(it)
    boots()
    flag.unlink()
    assert it.check() == IN_SYNC
    assert asked() == 2


@as_root
def test_a_change_asks_for_one_reboot(asked: Callable[[], int], boots: Callable[[], None]) -> None:
    it = Reboot("test", only_on="file:/x")
    assert it.check() == IN_SYNC
    for number in (1, 2):
        with pytest.raises(Busy):
            it.refresh(["file:/x"])
        with pytest.raises(Busy):
            it.refresh(["file:/x"])
        assert asked() == number
        boots()
        it.refresh(["file:/x"])
        assert asked() == number


@as_root
def test_what_asks_for_it_at_every_boot_is_found_out(
    asked: Callable[[], int], boots: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Reboot("test", when_exists=str(tmp_path / "flag"))
    monkeypatch.setattr(record, "uptime", lambda: 30.0)
    for number in range(4):
        (tmp_path / f"flag{number}").touch()
        os.replace(tmp_path / f"flag{number}", tmp_path / "flag")
        if number < 3:
            go(it)
            boots()
    with pytest.raises(ResourceError, match="rebooted for this 3 times in a row"):
        it.apply(it.check())
    assert asked() == 3
    monkeypatch.setattr(record, "uptime", lambda: 700.0)
    go(it)


@as_root
def test_it_is_refused_where_it_would_be_forgotten(asked: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_FLEETING", frozenset(("tmpfs",)))
    monkeypatch.setenv("CONVERGE_STATE_DIR", f"/dev/shm/converge-test-{os.getpid()}")
    try:
        with pytest.raises(ResourceError, match="on a tmpfs, which is empty after a reboot"):
            Reboot("test").apply(PENDING)
    finally:
        os.rmdir(f"/dev/shm/converge-test-{os.getpid()}")
    assert asked() == 0


@as_root
@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": "x"}'])
def test_a_damaged_record_is_no_reason_to_reboot(asked: Callable[[], int], tmp_path: Path, text: str) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "reboot-test.json").write_text(text)
    with pytest.raises(ResourceError, match="is damaged"):
        Reboot("test").check()


def test_this_boot_stays_the_same() -> None:
    assert record.this_boot() == record.this_boot()
    assert 0 < record.uptime() <= record.now()


def test_who_cannot_reboot_does_not_know() -> None:
    if os.geteuid() != 0:
        (change,) = Reboot("test").check()
        assert change.action == "unknown"
        return
    os.seteuid(65534)
    try:
        (change,) = Reboot("test").check()
        assert change.action == "unknown"
        assert Reboot("test").needs_root() == "only root can reboot the machine"
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("resource", "mistake"),
    [
        (Reboot("../x"), "the name '../x' is not made of letters"),
        (Reboot(""), "the name '' is not made of letters"),
        (Reboot("x", delay="soon"), "delay: "),
        (Reboot("x", message="a\nb"), "message must be one line"),
        (Reboot("x", when_exists="flag"), "when_exists takes a full path"),
        (Reboot("x", when_exists="/flag", only_on="file:/x"), "exclude each other"),
    ],
)
def test_mistakes(resource: Reboot, mistake: str) -> None:
    (text,) = resource.mistakes()
    assert mistake in text


@as_root
@pytest.mark.parametrize(("age", "made"), [(5001, True), (5100, True), (4990, False), (10, False)])
@pytest.mark.parametrize("unit", [1, 10**9])
def test_a_sentinel_of_the_go_tool_counts(
    asked: Callable[[], int], tmp_path: Path, age: int, unit: int, *, made: bool
) -> None:
    (tmp_path / "reboot-test.sentinel").write_text(f"{(int(time.time()) - age) * unit}\n")
    it = Reboot("test")
    assert it.check() == (IN_SYNC if made else PENDING)
    assert Reboot("another", reason="test").check() == PENDING
    assert Reboot("test", when_exists=str(tmp_path / "reboot-test.sentinel")).check() == PENDING
    assert asked() == 0


@as_root
@pytest.mark.parametrize(("text", "said"), [("soon", "is damaged"), ("", "is damaged"), ("99999999999", "the future")])
def test_a_sentinel_that_tells_nothing_reboots_nothing(
    asked: Callable[[], int], tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "reboot-test.sentinel").write_text(text)
    with pytest.raises(ResourceError, match=said):
        Reboot("test").check()
    assert asked() == 0


@as_root
def test_what_the_go_tool_began_and_did_not_end_is_ours(
    asked: Callable[[], int], boots: Callable[[], None], tmp_path: Path
) -> None:
    (tmp_path / "reboot-test.sentinel").write_text(str(int(time.time()) - 700))
    it = Reboot("test")
    go(it)
    boots()
    assert it.check() == IN_SYNC
    assert asked() == 1


@as_root
@pytest.mark.parametrize("how", ["owner", "mode"])
def test_a_sentinel_that_others_could_write_tells_nothing(asked: Callable[[], int], tmp_path: Path, how: str) -> None:
    path = tmp_path / "reboot-test.sentinel"
    path.write_text("0")
    path.chmod(0o666 if how == "mode" else 0o644)
    os.chown(path, 61001 if how == "owner" else 0, 0)
    with pytest.raises(ResourceError, match="could have been written by others than root"):
        Reboot("test").check()
    assert asked() == 0
