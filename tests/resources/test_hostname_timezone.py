"""The machine's name and its time zone, on files of our own."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from converge.core.change import IN_SYNC, Change
from converge.core.errors import Mistakes, NotYet, ResourceError
from converge.core.resource import Resource
from converge.core.trigger import HostnameChanged, PathChanged
from converge.graph.graph import build_graph
from converge.resources import hostname, timezone
from converge.resources.hostname import Hostname
from converge.resources.timezone import Timezone


@pytest.fixture(autouse=True)
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name that the kernel has, as far as these tests go; its last is the one."""
    names = ["old"]
    monkeypatch.setattr(socket, "gethostname", lambda: names[-1])
    monkeypatch.setattr(socket, "sethostname", names.append)
    monkeypatch.setattr(hostname, "STATIC", str(tmp_path / "hostname"))
    return names


@pytest.fixture
def zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of two zones; local time is that of one of them."""
    folder = tmp_path / "zoneinfo"
    (folder / "Europe").mkdir(parents=True)
    for name in ("UTC", "Europe/Berlin"):
        (folder / name).write_bytes(b"TZif2...")
    (folder / "zone.tab").write_text("# no zone")
    (tmp_path / "localtime").symlink_to("zoneinfo/UTC")
    (tmp_path / "timezone").write_text("UTC\n")
    for constant, name in (("ZONES", "zoneinfo"), ("LOCALTIME", "localtime"), ("TIMEZONE", "timezone")):
        monkeypatch.setattr(timezone, constant, str(tmp_path / name))
    return folder


def converge(resource: Resource) -> tuple[Change, ...]:
    state = resource.check()
    resource.apply(state)
    assert resource.check() == IN_SYNC
    return state


# --- hostname -------------------------------------------------------------------------------------------------


def test_the_name_now_and_later(tmp_path: Path, live: list[str]) -> None:
    assert converge(Hostname("web1")) == (Change("static", None, "web1", "create"), Change("live", "old", "web1"))
    assert (tmp_path / "hostname").read_text() == "web1\n"
    assert live == ["old", "web1"]


def test_only_what_differs_is_touched(tmp_path: Path, live: list[str]) -> None:
    (tmp_path / "hostname").write_text("# ours\n\nweb1\n")
    assert converge(Hostname("web1")) == (Change("live", "old", "web1"),)
    assert (tmp_path / "hostname").read_text() == "# ours\n\nweb1\n"
    (tmp_path / "hostname").write_text("web2\n")
    assert converge(Hostname("web1")) == (Change("static", "web2", "web1"),)
    assert live == ["old", "web1"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "'' is no host name"),
        ("-web", "is no host name"),
        ("web_1", "is no host name"),
        ("web..example", "is no host name"),
        ("web1\n", "is no host name"),
        ("a" * 64, "is no host name"),
        (f"{'a' * 60}.{'b' * 10}", "has 71 characters; a host name has 64 at most"),
        ("10.0.0.1", "looks like an address"),
    ],
)
def test_mistakes_in_a_name(name: str, said: str) -> None:
    found = list(Hostname(name).mistakes())
    assert any(said in mistake for mistake in found), found


def test_a_name_and_its_news(tmp_path: Path) -> None:
    assert not list(Hostname("web-1.example.org").mistakes())
    assert Hostname("web1").triggers() == (PathChanged(str(tmp_path / "hostname")), HostnameChanged())
    with pytest.raises(Mistakes, match="hostname:b: the host name is declared by hostname:a"):
        build_graph([Hostname("a"), Hostname("b")])


# --- timezone -------------------------------------------------------------------------------------------------


def test_the_zone_is_changed(tmp_path: Path, zones: Path) -> None:
    assert converge(Timezone("Europe/Berlin")) == (
        Change("localtime", "UTC", "Europe/Berlin"),
        Change("timezone file", "UTC", "Europe/Berlin"),
    )
    assert os.readlink(tmp_path / "localtime") == "zoneinfo/Europe/Berlin"
    assert (tmp_path / "timezone").read_text() == "Europe/Berlin\n"


def test_a_link_that_is_absolute_is_right(tmp_path: Path, zones: Path) -> None:
    (tmp_path / "localtime").unlink()
    (tmp_path / "localtime").symlink_to(zones / "UTC")
    assert Timezone("UTC").check() == IN_SYNC


def test_there_is_no_timezone_file_on_most_systems(tmp_path: Path, zones: Path) -> None:
    (tmp_path / "timezone").unlink()
    converge(Timezone("Europe/Berlin"))
    assert not (tmp_path / "timezone").exists()


def test_a_copy_is_replaced_by_a_link(tmp_path: Path, zones: Path) -> None:
    (tmp_path / "localtime").unlink()
    (tmp_path / "localtime").write_bytes(b"TZif2...")
    assert converge(Timezone("UTC")) == (Change("localtime", "a file of its own", "UTC"),)
    assert os.readlink(tmp_path / "localtime") == "zoneinfo/UTC"


def test_no_local_time_at_all(tmp_path: Path, zones: Path) -> None:
    (tmp_path / "localtime").unlink()
    assert converge(Timezone("UTC")) == (Change("localtime", None, "UTC", "create"),)


@pytest.mark.parametrize("name", ["Europe/Berlim", "Europe", "zone.tab/x", "zone"])
def test_a_zone_that_is_unknown(zones: Path, name: str) -> None:
    with pytest.raises(ResourceError, match=f"has no time zone called {name}"):
        Timezone(name).check()


def test_without_the_database(zones: Path, tmp_path: Path) -> None:
    zones.rename(tmp_path / "gone")
    with pytest.raises(NotYet) as raised:
        Timezone("Europe/Berlin").check()
    assert raised.value.needs == "package:tzdata"
    assert len(raised.value.changes) == 2


@pytest.mark.parametrize("name", ["", "../../etc/shadow", "/etc/shadow", "Europe//Berlin", "Europe/", "a b", "UTC\n"])
def test_mistakes_in_a_zone(name: str) -> None:
    assert any("is no name for a time zone" in mistake for mistake in Timezone(name).mistakes())


def test_a_zone_and_its_claim() -> None:
    for name in ("UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "America/Port-au-Prince"):
        assert not list(Timezone(name).mistakes())
    with pytest.raises(Mistakes, match="the time zone is declared by"):
        build_graph([Timezone("UTC"), Timezone("Europe/Berlin")])
