"""service: what a declaration says, and what differs between it and a unit. No systemd is asked here."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge import service_active
from converge.blueprints.load import load
from converge.core.change import IN_SYNC, Change
from converge.core.errors import Busy, Mistakes, NotYet, ResourceError
from converge.core.trigger import PathChanged, UnitChanged
from converge.host.systemd.unit_names import name_mistakes, short_name, stem, unit_files, unit_name
from converge.host.systemd.units import Unit
from converge.resources.service.systemd import SystemdService
from converge.resources.service.systemd.check import judge

UP = Unit("web.service", active_state="active", sub_state="running", file_state="enabled", type="simple")
DOWN = Unit("web.service", file_state="disabled", type="simple")
NONE = Unit("web.service", load_state="not-found")
MASKED = Unit("web.service", load_state="masked", file_state="masked")


def web(**options: Any) -> SystemdService:
    return SystemdService("web", **options)


def differs(want: SystemdService, unit: Unit) -> list[tuple[str, str | None, str | None]]:
    return [(change.property, change.from_, change.to) for change in judge(want, unit)]


class TestNames:
    @pytest.mark.parametrize(
        ("name", "full", "short", "base"),
        [
            ("ssh", "ssh.service", "ssh", "ssh"),
            ("ssh.service", "ssh.service", "ssh", "ssh"),
            ("fstrim.timer", "fstrim.timer", "fstrim.timer", "fstrim"),
            ("getty@tty1", "getty@tty1.service", "getty@tty1", "getty"),
            ("php8.2-fpm", "php8.2-fpm.service", "php8.2-fpm", "php8.2-fpm"),
            ("openvpn@net.work", "openvpn@net.work.service", "openvpn@net.work", "openvpn"),
        ],
    )
    def test_forms(self, name: str, full: str, short: str, base: str) -> None:
        assert (unit_name(name), short_name(name), stem(name)) == (full, short, base)
        assert list(name_mistakes(name)) == []

    def test_one_unit_has_one_id(self) -> None:
        assert web().id == SystemdService("web.service").id == "service:web"
        assert SystemdService("web.socket").id == "service:web.socket"

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("", "empty"), (".service", "empty"), ("a b", "no name"), ("../x", "no name"), ("a/b.service", "no name"),
            ("x" * 250, "longer"), ("getty@", "template"), ("getty@.service", "template"), ("a\n", "no name"),
            ("dev-sda.device", "by itself"), ("-x$(y)", "no name"),
        ],
    )  # fmt: skip
    def test_what_is_no_name(self, name: str, said: str) -> None:
        assert any(said in mistake for mistake in name_mistakes(name)), name
        with pytest.raises(ValueError, match="service_active"):
            service_active(name)

    @given(st.text())
    def test_a_name_without_mistakes_is_no_path_and_no_option(self, name: str) -> None:
        if not list(name_mistakes(name)):
            assert "/" not in name
            assert not any(character.isspace() for character in name)
            assert unit_name(unit_name(name)) == unit_name(name)

    def test_files(self) -> None:
        assert list(unit_files("job@one")) == [
            "job@one.service", "job@one.service.d", "job@.service", "job@.service.d",
        ]  # fmt: skip


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({}, "nothing is wanted of it"),
            ({"masked": True, "enable": True}, "masked=True means that it cannot run"),
            ({"masked": True, "state": "running"}, "masked=True means that it cannot run"),
            ({"state": "stopped", "restart_on": "file:/x"}, "no meaning for what is not to run"),
        ],
    )
    def test_of_options(self, options: dict[str, Any], said: str) -> None:
        assert [said in mistake for mistake in web(**options).mistakes()] == [True]

    @pytest.mark.parametrize(
        "options", [{"masked": True, "state": "stopped", "enable": False}, {"reload_on": "file:/x"}]
    )
    def test_none(self, options: dict[str, Any]) -> None:
        assert list(web(**options).mistakes()) == []

    def test_a_wrong_state_is_told_with_its_line(self, tmp_path: Any) -> None:
        path = tmp_path / "b.py"
        path.write_text('from converge import *\n@blueprint("b")\ndef b(r):\n    r.service("web", state="started")\n')
        with pytest.raises(Mistakes, match="one of running, stopped"):
            load(str(path))


class TestDifferences:
    def test_nothing(self) -> None:
        assert judge(web(state="running", enable=True, masked=False), UP) == IN_SYNC
        assert judge(web(state="stopped", enable=False, masked=False), DOWN) == IN_SYNC
        assert judge(web(masked=True, state="stopped", enable=False), MASKED) == IN_SYNC

    def test_what_runs(self) -> None:
        assert differs(web(state="running"), DOWN) == [("state", "stopped", "running")]
        assert differs(web(state="stopped"), UP) == [("state", "running", "stopped")]
        failed = Unit("web.service", active_state="failed", sub_state="failed")
        assert differs(web(state="running"), failed) == [("state", "failed", "running")]
        assert judge(web(state="stopped"), failed) == IN_SYNC

    def test_what_starts_at_boot(self) -> None:
        assert differs(web(enable=True), DOWN) == [("enable", "disabled", "enabled")]
        assert differs(web(enable=False), UP) == [("enable", "enabled", "disabled")]
        for_now = Unit("web.service", file_state="enabled-runtime")
        assert differs(web(enable=True), for_now) == [("enable", "enabled-runtime", "enabled")]
        assert differs(web(enable=False), for_now) == [("enable", "enabled-runtime", "disabled")]

    @pytest.mark.parametrize("state", ["static", "indirect", "transient", "bad", "generated"])
    def test_what_cannot_be_enabled(self, state: str) -> None:
        with pytest.raises(ResourceError, match=r"web\.service cannot be enabled: "):
            judge(web(enable=True), Unit("web.service", file_state=state))

    @pytest.mark.parametrize("state", ["static", "indirect", "generated"])
    def test_what_cannot_be_enabled_runs_all_the_same(self, state: str) -> None:
        want = web(enable=True, state="running")
        assert differs(want, Unit("web.service", file_state=state)) == [("state", "stopped", "running")]
        with pytest.raises(ResourceError, match=r"web\.service cannot be enabled: "):
            judge(want, Unit("web.service", active_state="active", sub_state="running", file_state=state))

    def test_a_template_can_be_enabled_and_not_run(self) -> None:
        assert list(SystemdService("web@", enable=True).mistakes()) == []
        for options in ({"state": "running"}, {"restart_on": "file:/x", "enable": True}):
            (mistake,) = SystemdService("web@", **options).mistakes()  # type: ignore[arg-type]
            assert "is a template; name an instance" in mistake

    def test_a_drop_in_is_named_where_the_unit_cannot_be_loaded(self) -> None:
        unit = Unit("web.service", "bad-setting", load_error="no ExecStart=", drop_ins=("/etc/x/web.service.d/a.conf",))
        with pytest.raises(ResourceError, match=r"no ExecStart=; /etc/x/web\.service\.d/a\.conf changes what its unit"):
            judge(web(state="running"), unit)

    def test_what_is_never_enabled_needs_no_disabling(self) -> None:
        for state in ("static", "indirect", "transient", "disabled", "masked"):
            assert judge(web(enable=False), Unit("web.service", file_state=state)) == IN_SYNC
        with pytest.raises(ResourceError, match="cannot be disabled"):
            judge(web(enable=False), Unit("web.service", file_state="generated"))

    def test_masks(self) -> None:
        assert differs(web(masked=True), DOWN) == [("masked", "no", "yes")]
        assert differs(web(masked=False), MASKED) == [("masked", "yes", "no")]
        for_now = Unit("web.service", load_state="masked", file_state="masked-runtime")
        assert differs(web(masked=True), for_now) == [("masked", "until the next boot", "yes")]
        assert differs(web(masked=False), for_now) == [("masked", "yes", "no")]

    def test_what_is_masked_is_neither_started_nor_enabled_unless_that_is_wanted(self) -> None:
        for options in ({"state": "running"}, {"enable": True}):
            with pytest.raises(ResourceError, match="masked=False has it unmasked"):
                judge(web(**options), MASKED)
        wanted = web(state="running", enable=True, masked=False)
        assert [name for name, _, _ in differs(wanted, MASKED)] == ["masked", "enable", "state"]

    def test_what_does_not_exist(self) -> None:
        assert judge(web(state="stopped", enable=False), NONE) == IN_SYNC
        assert judge(web(masked=False), NONE) == IN_SYNC
        assert differs(web(masked=True, state="stopped"), NONE) == [("masked", "no", "yes")]
        with pytest.raises(NotYet) as found:
            judge(web(state="running", enable=True), NONE)
        assert found.value.needs == "package:web"
        assert found.value.changes == (
            Change("enable", None, "enabled", "create"),
            Change("state", None, "running", "create"),
        )

    def test_what_brings_it_is_known_by_its_package_or_else_its_file(self) -> None:
        file = "file:/etc/systemd/system/web.service"
        for ids, brings in (([file], file), ([file, "package:web"], "package:web"), ([], "package:web")):
            with pytest.raises(NotYet) as found:
                judge(web(state="running").with_declared_ids(ids), NONE)
            assert found.value.needs == brings

    def test_a_file_that_systemd_has_not_read_yet_is_a_unit(self) -> None:
        new = Unit("web.service", load_state="not-found", file_state="disabled")
        assert differs(web(state="running", enable=True), new) == [
            ("enable", "disabled", "enabled"), ("state", "stopped", "running"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "unit",
        [
            Unit("web.service", active_state="activating", sub_state="start-pre"),
            Unit("web.service", active_state="deactivating", sub_state="stop-sigterm"),
            Unit("web.service", active_state="reloading", sub_state="reload"),
            Unit("web.service", active_state="active", sub_state="running", job=7),
            Unit("web.service", job=7),
        ],
    )
    @pytest.mark.parametrize("state", ["running", "stopped"])
    def test_what_is_on_its_way_is_not_judged(self, unit: Unit, state: str) -> None:
        with pytest.raises(Busy, match=r"web\.service is"):
            judge(web(state=state), unit)
        assert judge(web(masked=False), unit) == IN_SYNC, "whether it runs is not asked"

    def test_what_systemd_restarts_is_left_to_it_unless_it_is_to_stop(self) -> None:
        again = Unit("web.service", active_state="activating", sub_state="auto-restart")
        with pytest.raises(Busy):
            judge(web(state="running"), again)
        assert differs(web(state="stopped"), again) == [("state", "restarting", "stopped")]

    @given(
        restarts=st.integers(0, 10**6),
        ran=st.floats(0, 10**6),
        delay=st.floats(0, 600),
        waiting=st.booleans(),
        sub_state=st.sampled_from(["auto-restart", "auto-restart-queued"]),
    )
    def test_what_systemd_restarted_is_right_when_it_has_run_for_its_delay(
        self, restarts: int, ran: float, delay: float, waiting: bool, sub_state: str
    ) -> None:
        facts: dict[str, Any] = {"restarts": restarts, "ran": ran, "restart_delay": delay}
        if waiting:
            facts |= {"active_state": "activating", "sub_state": sub_state}
        unit = replace(UP, **facts)
        if not waiting and (restarts == 0 or ran >= max(delay, 10)):
            assert judge(web(state="running"), unit) == IN_SYNC
            return
        if waiting and restarts and ran < max(delay, 10):
            with pytest.raises(ResourceError, match="keeps restarting: systemd restarted it") as failed:
                judge(web(state="running"), unit)
            assert not isinstance(failed.value, Busy)
            return
        with pytest.raises(Busy) as told:
            judge(web(state="running"), unit)
        # A loop is busy until that is a failure; what heals is right before.
        assert told.value.at_most > delay + max(delay, 10)
        assert 0 < told.value.again <= told.value.at_most

    def test_what_never_stays_running(self) -> None:
        once = Unit("web.service", type="oneshot", remains=False)
        with pytest.raises(ResourceError, match="runs once and ends"):
            judge(web(state="running"), once)
        stays = Unit("web.service", type="oneshot", remains=True)
        assert differs(web(state="running"), stays) == [("state", "stopped", "running")]

    def test_what_cannot_be_loaded_unless_its_files_were_changed_since(self) -> None:
        broken = Unit("web.service", load_state="bad-setting", load_error="it is bad", file_state="disabled")
        with pytest.raises(ResourceError, match=r"cannot load web\.service: it is bad"):
            judge(web(state="running"), broken)
        mended = Unit("web.service", load_state="bad-setting", stale=True)
        assert differs(web(state="running"), mended) == [("state", "stopped", "running")]


class TestDeclaration:
    def test_news(self) -> None:
        assert web().triggers() == (UnitChanged("web.service"), PathChanged("/etc/systemd/system", deep=True))
        assert service_active("web").triggers() == [UnitChanged("web.service")]

    def test_a_start_makes_a_refresh_needless_and_enabling_does_not(self) -> None:
        service = web(state="running", enable=True, reload_on="file:/x", restart_on=["file:/y"])
        assert service.refreshed_by() == ("file:/y", "file:/x")
        assert service.apply_refreshes((Change("enable", "disabled", "enabled"), Change("state", "stopped", "running")))
        assert not service.apply_refreshes((Change("enable", "disabled", "enabled"),))

    def test_declaring_one_loads_nothing_that_talks_to_systemd(self) -> None:
        text = (
            "import sys\nfrom converge.blueprints.run import Run\n"
            "Run().service('web', state='running')\n"
            "print(*(name for name in sys.modules if 'dbus' in name or name.startswith('converge.resources.service.')))"
        )
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        loaded = ("service", "systemd")
        assert sorted(done.stdout.split()) == [f"converge.resources.service.{name}" for name in loaded]

    @pytest.mark.skipif(os.path.isdir("/run/systemd/system"), reason="this machine is run by systemd")
    def test_without_systemd_that_is_said(self) -> None:
        with pytest.raises(ResourceError, match="not started by systemd"):
            web(state="running").check()
        assert not service_active("web").met()
