"""sysctl: keys in all their spellings, lines among those of others, and files that stand in for the kernel's."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import NotYet, ResourceError
from converge.core.trigger import LinkChanged, PathChanged
from converge.resources.sysctl import Sysctl, keys, lines, live, setting, values

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="others than root get another answer")


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "identity", "path"),
        [
            ("net.ipv4.ip_forward", "net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net.ipv4.conf.eth0/1.forwarding", "net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
            ("net/ipv4/conf/eth0.1/forwarding", "net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
            ("kernel.panic", "kernel.panic", "kernel/panic"),
        ],
    )
    def test_spellings(self, key: str, identity: str, path: str) -> None:
        assert Sysctl(key, 1).identity() == identity
        assert keys.path(key) == f"/proc/sys/{path}"
        assert not list(Sysctl(key, 1).mistakes())

    @pytest.mark.parametrize(
        "key",
        ["", ".", "a", "..", "../etc/passwd", "net/../../etc/passwd", "net...x", "/etc/passwd", "net/ipv4/",
         "net.ipv4.", "a//b", "a/./b", "a.b=c", "a.b c", "a.b\n", "a.\0", "a.*", "#a.b", "-a.b", "net.ipv4./././x"],
    )  # fmt: skip
    def test_what_is_no_key(self, key: str) -> None:
        assert len(list(Sysctl(key, 1).mistakes())) == 1

    @given(st.text(alphabet="ab./", max_size=12))
    def test_no_key_leads_out(self, key: str) -> None:
        if keys.mistake(key) is None:
            path = keys.path(key)
            assert os.path.normpath(path) == path
            assert path.startswith("/proc/sys/")
            assert keys.canonical(keys.canonical(key)) == keys.canonical(key)
            assert keys.path(keys.canonical(key)) == path

    @pytest.mark.parametrize(
        ("key", "link"),
        [
            ("net.ipv4.conf.eth0/1.forwarding", "eth0.1"),
            ("net.ipv6.conf.wg0.disable_ipv6", "wg0"),
            ("net.ipv4.neigh.eth0.gc_stale_time", "eth0"),
            ("net.ipv4.conf.all.forwarding", None),
            ("net.ipv4.conf.default.forwarding", None),
            ("net.ipv4.ip_forward", None),
        ],
    )
    def test_interfaces(self, key: str, link: str | None) -> None:
        assert keys.link(key) == link
        wanted = [PathChanged(keys.path(key)), *([LinkChanged(link)] if link else []), PathChanged(setting.FILE)]
        assert list(Sysctl(key, 1).triggers()) == wanted


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({}, "value is missing"),
            ({"value": "1\n2"}, "one line"),
            ({"value": "1" * 2000}, "one line"),
            ({"value": 1, "state": "absent"}, "no meaning"),
            ({"state": "absent", "persist": False}, "give one of them"),
        ],
    )
    def test_is_said(self, options: dict[str, Any], said: str) -> None:
        (mistake,) = Sysctl("a.b", **options).mistakes()
        assert said in mistake

    def test_what_is_right(self) -> None:
        for value in (0, -1, "1\t2", ""):
            assert not list(Sysctl("a.b", value).mistakes())
        assert not list(Sysctl("a.b", state="absent").mistakes())


KEYS = st.sampled_from(["a.b", "a.c", "net.x/1.y"])
LINES = st.lists(
    st.one_of(
        st.sampled_from(["", "# a.b = 7", "; comment", "no equals sign", "  "]),
        st.builds(
            lambda minus, key, slashes, value: f"{minus}{'/'.join(keys.parts(key)) if slashes else key} = {value}",
            st.sampled_from(["", "-", " "]), KEYS, st.booleans(), st.sampled_from(["1", "2  3", ""]),
        ),
    )
)  # fmt: skip


@given(LINES, st.dictionaries(KEYS, st.one_of(st.none(), st.sampled_from(["1", "9 9"]))), st.booleans())
def test_only_what_is_declared_changes_in_a_file(before: list[str], wanted: dict[str, str | None], ends: bool) -> None:
    text = "\n".join(before) + ("\n" if before and ends else "")
    after = lines.edited(text, wanted)
    found = lines.values(after)
    for key, value in wanted.items():
        assert found.get(key, []) == ([] if value is None else [value])
    head = [line for line in lines.edited("", {"a": "1"}).splitlines() if line.startswith("#")]
    if text or not any(wanted.values()):
        head = []

    def others(all_lines: Sequence[str]) -> list[str]:
        return [line for line in all_lines if (lines.entry(line) or ("",))[0] not in wanted]

    assert others(after.splitlines()) == head + others(text.splitlines())
    assert lines.edited(after, wanted) == after


class Machine:
    """Files that stand in for /proc/sys and /etc/sysctl.d."""

    def __init__(self, folder: Path) -> None:
        self.sys = folder / "sys"
        self.file = folder / "99-converge.conf"
        (self.sys / "a").mkdir(parents=True)

    def put(self, name: str, value: str) -> Path:
        path = self.sys / "a" / name
        path.write_text(value)
        return path

    def get(self, name: str) -> str:
        return (self.sys / "a" / name).read_text()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(keys, "LIVE", str(made.sys))
    monkeypatch.setattr(setting, "FILE", str(made.file))
    return made


def converge(*settings: Sysctl) -> list[Changes]:
    found = list(Sysctl.check_many(settings))
    assert not any(isinstance(state, Exception) for state in found), found
    work = [(made, state) for made, state in zip(settings, found, strict=True) if state]
    assert not any(Sysctl.apply_many(work))  # type: ignore[arg-type]
    assert list(Sysctl.check_many(settings)) == [IN_SYNC] * len(settings)
    return found  # type: ignore[return-value]


class TestConverging:
    def test_live_and_in_the_file(self, machine: Machine) -> None:
        machine.put("b", "0\n")
        assert converge(Sysctl("a.b", 1)) == [
            (Change("live value", "0", "1"), Change("line in the file", None, "1", "create"))
        ]
        assert machine.get("b") == "1\n"
        assert machine.file.read_text().endswith("\na.b = 1\n")
        assert machine.file.stat().st_mode & 0o777 == 0o644

    def test_numbers_are_compared_as_the_kernel_has_them(self, machine: Machine) -> None:
        machine.put("b", "4096\t131072\t6291456\n")
        converge(Sysctl("a.b", " 4096   131072 6291456 ", persist=False))
        assert machine.get("b") == "4096\t131072\t6291456\n"
        assert not machine.file.exists()

    @pytest.mark.parametrize(
        ("now", "wanted"),
        [("1", "0x1"), ("1", "01"), ("8", "010"), ("-1", "-01"), ("8080-8081", "8080,8081"), ("1-3,7", "7,3,1-2"),
         ("1\t2", "0x1  02"), ("18446744073709551615", "0xffffffffffffffff")],
    )  # fmt: skip
    def test_other_ways_to_write_the_same_are_right(self, machine: Machine, now: str, wanted: str) -> None:
        machine.put("b", f"{now}\n")
        converge(Sysctl("a.b", wanted, persist=False))
        assert machine.get("b") == f"{now}\n"

    @pytest.mark.parametrize(
        ("now", "wanted"),
        [("10", "010"), ("1", "0x2"), ("8080-8082", "8080,8082"), ("1 2", "1"), ("", "0"), ("09", "9")],
    )
    def test_what_is_not_the_same_differs(self, now: str, wanted: str) -> None:
        assert not values.same(now, wanted)

    @given(st.lists(st.integers(0, 70), min_size=1), st.lists(st.integers(0, 70), min_size=1))
    def test_lists_of_ranges_are_compared_as_sets(self, one: list[int], other: list[int]) -> None:
        texts = [",".join(map(str, numbers)) for numbers in (one, other)]
        assert values.same(*texts) == (set(one) == set(other))

    def test_many_share_one_file(self, machine: Machine) -> None:
        machine.file.write_text("# mine\nother.key = 5\na/k1=7\na.k1 = 8\n")
        for number in range(100):
            machine.put(f"k{number}", "x")
        converge(*(Sysctl(f"a.k{number}", number) for number in range(100)))
        text = machine.file.read_text()
        assert text.startswith("# mine\nother.key = 5\na.k1 = 1\n")
        assert len(text.splitlines()) == 102

    def test_some_may_be_empty(self, machine: Machine) -> None:
        machine.put("b", "1-5\n")
        machine.file.write_text("a.b = 1-5\n")
        converge(Sysctl("a.b", ""))
        assert machine.get("b") == "\n"
        assert machine.file.read_text() == "a.b = \n"

    def test_absent_leaves_the_live_value(self, machine: Machine) -> None:
        machine.put("b", "3\n")
        machine.file.write_text("a.b = 3\na.c = 3\n")
        converge(Sysctl("a.b", state="absent"))
        assert machine.file.read_text() == "a.c = 3\n"
        assert machine.get("b") == "3\n"

    def test_absent_where_there_is_nothing(self, machine: Machine) -> None:
        assert converge(Sysctl("a.nosuch", state="absent")) == [IN_SYNC]
        assert not machine.file.exists()

    def test_a_file_that_is_right_is_not_written(self, machine: Machine) -> None:
        machine.put("b", "0\n")
        machine.file.write_text("a.b=1")
        inode = machine.file.stat().st_ino
        converge(Sysctl("a.b", 1))
        assert machine.file.stat().st_ino == inode


class TestFaults:
    def test_the_kernel_has_none(self, machine: Machine) -> None:
        with pytest.raises(NotYet, match=r"the kernel has no setting a\.nosuch") as raised:
            Sysctl("a.nosuch", 1).check()
        assert raised.value.needs == f"file:{machine.sys}/a/nosuch"
        assert raised.value.changes

    def test_its_interface_is_not_there(self, machine: Machine) -> None:
        with pytest.raises(NotYet, match=r"no network interface eth0\.1"):
            Sysctl("net.ipv4.conf.eth0/1.forwarding", 1).check()

    def test_a_group_of_settings(self, machine: Machine) -> None:
        (machine.sys / "a/group").mkdir()
        with pytest.raises(ResourceError, match="group of settings"):
            Sysctl("a.group", 1).check()

    def test_one_bad_one_leaves_the_others(self, machine: Machine) -> None:
        machine.put("b", "0")
        good, bad = Sysctl("a.b", 1), Sysctl("a.gone", 1)
        differs = (Change("live value", "0", "1"), Change("line in the file", None, "1", "create"))
        first, second = Sysctl.apply_many([(bad, differs), (good, differs)])
        assert isinstance(first, NotYet)
        assert second is None
        assert "gone" not in machine.file.read_text()

    def test_the_folder_is_missing(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        machine.put("b", "1")
        monkeypatch.setattr(setting, "FILE", str(machine.file.parent / "nosuch" / "file"))
        made = Sysctl("a.b", 1)
        with pytest.raises(NotYet, match="nosuch does not exist"):
            made.apply(made.check())

    def test_the_file_is_a_directory(self, machine: Machine) -> None:
        machine.put("b", "1")
        machine.file.mkdir()
        with pytest.raises(ResourceError, match="cannot be read"):
            Sysctl("a.b", 1).check()

    @as_root
    @pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv4/route/flush"), reason="needs Linux with IPv4")
    def test_what_can_only_be_written_is_no_setting(self) -> None:
        with pytest.raises(ResourceError, match="can only be written"):
            Sysctl("net.ipv4.route.flush", 1, persist=False).check()

    @pytest.mark.skipif(not os.path.exists("/proc/sys/kernel/ostype"), reason="needs Linux")
    def test_what_can_only_be_read(self) -> None:
        assert Sysctl("kernel.ostype", "Linux", persist=False).check() == IN_SYNC
        made = Sysctl("kernel.ostype", "GNU", persist=False)
        with pytest.raises(ResourceError, match="cannot be set"):
            made.apply(made.check())

    @pytest.mark.parametrize(
        ("number", "said"),
        [
            (errno.ENOENT, r"has no 'x' for a\.b: .*kernel module"),
            (errno.EINVAL, "does not take 'x' for a.b"),
            (errno.ERANGE, "does not take 'x' for a.b"),
            (errno.EIO, "cannot be set: input/output error"),
            (errno.EBUSY, "cannot be set: device or resource busy"),
        ],
    )
    def test_a_value_that_is_refused_is_no_missing_key(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, number: int, said: str
    ) -> None:
        machine.put("b", "y")
        monkeypatch.setattr(live, "_write", failing(number))
        made = Sysctl("a.b", "x")
        with pytest.raises(ResourceError, match=said) as raised:
            made.apply(made.check())
        assert not isinstance(raised.value, NotYet)
        assert not machine.file.exists()

    def test_values_that_the_kernel_offers_are_named(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        machine.put("tcp_congestion_control", "cubic")
        machine.put("tcp_available_congestion_control", "reno cubic\n")
        monkeypatch.setattr(live, "_write", failing(errno.ENOENT))
        made = Sysctl("a.tcp_congestion_control", "nosuch")
        with pytest.raises(ResourceError, match="available: reno cubic"):
            made.apply(made.check())

    def test_one_without_a_value_yet_can_be_given_one(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        machine.put("b", "")
        monkeypatch.setattr(live, "_read", failing(errno.EIO))
        assert Sysctl("a.b", "x", persist=False).check() == (Change("live value", None, "x", "create"),)
        monkeypatch.setattr(live, "_read", failing(errno.EINVAL))
        with pytest.raises(ResourceError, match="cannot be read: invalid argument"):
            Sysctl("a.b", "x").check()

    @as_root
    @pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv4/tcp_congestion_control"), reason="needs Linux with IPv4")
    def test_the_kernel_says_no_such_file_of_a_value(self) -> None:
        made = Sysctl("net.ipv4.tcp_congestion_control", "nosuch", persist=False)
        try:
            made.apply(made.check())
        except ResourceError as error:
            assert not isinstance(error, NotYet)
            assert "nosuch" in str(error) or "read-only" in str(error)


def failing(number: int) -> Callable[..., Any]:
    """Stands for a system call that fails."""

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail
