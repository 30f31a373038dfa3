"""Services of macOS, through a stand-in for launchctl(1)."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING

import pytest

from converge.core.change import Change
from converge.core.errors import Busy, NotYet, ResourceError
from converge.core.resource import Uses
from converge.core.trigger import PathChanged, ProcessEnded
from converge.resources.service import Service
from converge.resources.service.launchd import LaunchdService, apply, launchctl

if TYPE_CHECKING:
    from .conftest import Mac

AGENT = "com.example.agent"


def right(service: LaunchdService) -> None:
    """Apply it, and see that nothing differs any more."""
    service.apply(service.check())
    assert service.check() == ()


def test_a_daemon_is_loaded_and_enabled_and_put_out_again(mac: Mac) -> None:
    path = mac.daemon(AGENT, KeepAlive=True, Disabled=True)
    wanted = LaunchdService(AGENT, state="running", enable=True)
    assert [(each.property, each.from_, each.to) for each in wanted.check()] == [
        ("enable", "disabled", "enabled"), ("state", "stopped", "running"),
    ]  # fmt: skip
    right(wanted)
    assert mac.calls() == [f"enable system/{AGENT}", f"bootstrap system {path}"]
    assert mac.loaded()[AGENT]["state"] == "running"
    right(LaunchdService(AGENT, state="stopped", enable=False))
    assert mac.calls() == [f"disable system/{AGENT}", f"bootout system/{AGENT}"]
    assert not mac.loaded()
    assert mac.disabled() == {AGENT: True}
    assert LaunchdService(AGENT, state="stopped", enable=False).check() == ()
    assert mac.calls() == []


def test_what_is_not_there_is_stopped_and_disabled_already(mac: Mac) -> None:
    assert LaunchdService(AGENT, state="stopped", enable=False).check() == ()
    for wanted in (LaunchdService(AGENT, state="running"), LaunchdService(AGENT, enable=True)):
        with pytest.raises(NotYet, match=f"daemon {AGENT} does not exist") as told:
            wanted.check()
        assert told.value.needs == f"file:{mac.own}/{AGENT}.plist"
        assert told.value.changes
    with pytest.raises(NotYet):
        LaunchdService(AGENT, state="running").apply((Change("state", None, "running"),))
    mac.overrides.write_bytes(plistlib.dumps({AGENT: False}))
    with pytest.raises(NotYet):
        LaunchdService(AGENT, enable=True).check()
    brought = LaunchdService("homebrew.mxcl.nginx", state="running").with_declared_ids(["package:nginx"])
    with pytest.raises(NotYet) as told:
        brought.check()
    assert told.value.needs == "package:nginx"


@pytest.mark.parametrize("macos_12", [False, True])
def test_what_was_disabled_by_hand_is_so_whatever_its_list_says(mac: Mac, macos_12: bool) -> None:
    if macos_12:
        (mac.root / "macos-12").touch()
    mac.daemon("com.apple.nfsd", apple=True)
    mac.daemon("com.apple.ftpd", apple=True, Disabled=True)
    assert LaunchdService("com.apple.nfsd", enable=True).check() == ()
    assert LaunchdService("com.apple.ftpd", enable=False).check() == ()
    right(LaunchdService("com.apple.nfsd", enable=False))
    right(LaunchdService("com.apple.ftpd", enable=True))
    assert mac.disabled() == {"com.apple.nfsd": True, "com.apple.ftpd": False}
    with pytest.raises(ResourceError, match=r"com.apple.nfsd is disabled, so launchd does not start it; enable=True"):
        right(LaunchdService("com.apple.nfsd", state="running"))


def test_a_list_may_be_called_otherwise_than_its_label(mac: Mac) -> None:
    path = mac.daemon("com.openssh.sshd", name="ssh", apple=True, Sockets={})
    mac.daemon("com.example.other", name="com.openssh.sshd")
    right(LaunchdService("com.openssh.sshd", state="running"))
    assert mac.calls() == [f"bootstrap system {path}"]
    assert mac.loaded()["com.openssh.sshd"]["state"] == "not running"  # until somebody connects


@pytest.mark.parametrize(
    ("settings", "facts", "drifted"),
    [
        ({"KeepAlive": True}, {"state": "not running", "exit": "0"}, True),
        ({"RunAtLoad": True}, {"state": "not running", "exit": "0"}, False),
        ({"RunAtLoad": True}, {"state": "not running", "exit": "78: EX_CONFIG"}, True),
        ({"RunAtLoad": True}, {"state": "not running", "exit": "0", "signal": "Killed: 9"}, True),
        ({"KeepAlive": {"SuccessfulExit": False}}, {"state": "not running", "exit": "0"}, False),
        ({"KeepAlive": {"SuccessfulExit": False}}, {"state": "not running", "exit": "1"}, True),
        ({"KeepAlive": {"PathState": {"/x": True}}}, {"state": "not running", "exit": "1"}, False),
        ({"StartInterval": 60}, {"state": "not running", "exit": "1"}, False),
    ],
)
def test_what_is_to_have_a_process_is_started_again(
    mac: Mac, settings: dict[str, object], facts: dict[str, object], drifted: bool
) -> None:
    mac.daemon(AGENT, **settings)
    wanted = LaunchdService(AGENT, state="running")
    right(wanted)
    mac.change(AGENT, **facts)
    mac.calls()
    found = wanted.check()
    assert bool(found) == drifted
    if drifted:
        assert "not running, after " in str(found[0].from_)
        right(wanted)
        assert mac.calls() == [f"kickstart system/{AGENT}"]
    assert wanted.check() == ()


def test_what_launchd_is_about_to_start_is_left_to_it(mac: Mac) -> None:
    mac.daemon(AGENT, KeepAlive=True)
    wanted = LaunchdService(AGENT, state="running")
    right(wanted)
    mac.change(AGENT, state="spawn scheduled", exit="1")
    with pytest.raises(Busy, match=r"about to start com.example.agent \(spawn scheduled, after exit code 1\)"):
        wanted.check()
    right(LaunchdService(AGENT, state="stopped"))


def test_a_stop_is_waited_for(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    mac.daemon(AGENT, KeepAlive=True, SlowToEnd=3)
    right(LaunchdService(AGENT, state="running"))
    right(LaunchdService(AGENT, state="stopped"))
    mac.daemon(AGENT, KeepAlive=True, SlowToEnd=1000)
    right(LaunchdService(AGENT, state="running"))
    monkeypatch.setattr(apply, "_ENDS_WITHIN", 0.2)
    with pytest.raises(ResourceError, match=r"com.example.agent did not end within 0.2 s"):
        right(LaunchdService(AGENT, state="stopped"))


def test_a_changed_configuration_has_it_started_anew_and_a_changed_list_loaded_anew(mac: Mac) -> None:
    path = mac.daemon(AGENT, KeepAlive=True)
    conf, list_ = "file:/etc/agent.conf", f"file:{path}"
    wanted = LaunchdService(AGENT, state="running", restart_on=(conf, list_), reload_on="file:/etc/agent.d/x")
    right(wanted)
    mac.calls()
    wanted.refresh([conf])
    assert mac.calls() == [f"kickstart -k system/{AGENT}"]
    mac.daemon(AGENT, KeepAlive=True, Nice=5)
    wanted.refresh([conf, list_])
    assert mac.calls() == [f"bootout system/{AGENT}", f"bootstrap system {path}"]
    assert mac.loaded()[AGENT]["list"]["Nice"] == 5
    wanted.refresh(["file:/etc/agent.d/x"])
    assert mac.loaded()[AGENT]["signals"] == ["SIGHUP"]
    mac.change(AGENT, state="not running")
    wanted.refresh(["file:/etc/agent.d/x"])  # it reads it when it is started


def test_what_is_not_declared_to_run_is_not_started_by_a_change(mac: Mac) -> None:
    mac.daemon(AGENT, KeepAlive=True)
    wanted = LaunchdService(AGENT, restart_on="file:/etc/agent.conf", reload_on="file:/x")
    wanted.refresh(["file:/etc/agent.conf"])
    wanted.refresh(["file:/x"])
    assert not mac.loaded()


def test_errors_are_put_into_words(mac: Mac) -> None:
    wanted = LaunchdService(AGENT, state="running")
    path = mac.daemon(AGENT, KeepAlive=True)
    path.chmod(0o666)
    with pytest.raises(ResourceError, match=r"does not load com.example.agent: .*plist can be written by others"):
        right(wanted)
    mac.daemon(AGENT, KeepAlive=True, Refused=True)
    with pytest.raises(
        ResourceError, match=r"bootstrap of com.example.agent failed: Bootstrap failed: 5: Input/output"
    ):
        right(wanted)
    mac.daemon(AGENT, KeepAlive=True, Sealed=True)
    right(wanted)
    with pytest.raises(ResourceError, match="System Integrity Protection keeps this daemon as it is"):
        right(LaunchdService(AGENT, state="stopped"))
    mac.change(AGENT, list={})
    right(LaunchdService(AGENT, state="stopped"))
    (mac.root / "dies").write_text("not running|78: EX_CONFIG")
    wanted.apply(wanted.check())
    (change,) = wanted.check()
    assert change.from_ == "not running, after exit code 78: EX_CONFIG"


def test_the_end_of_its_process_is_news(mac: Mac) -> None:
    mac.daemon(AGENT, KeepAlive=True)
    wanted = LaunchdService(AGENT, state="running")
    right(wanted)
    assert ProcessEnded(mac.loaded()[AGENT]["pid"]) in wanted.triggers()
    right(LaunchdService(AGENT, state="stopped"))
    assert wanted.check()
    assert not any(isinstance(trigger, ProcessEnded) for trigger in wanted.triggers())


def test_many_are_asked_for_with_one_question_of_what_is_enabled(mac: Mac) -> None:
    labels = [f"com.example.d{number}" for number in range(5)]
    for label in labels:
        mac.daemon(label)
    wanted = [LaunchdService(label, enable=True) for label in labels]
    (mac.root / "calls").write_text("")
    assert list(LaunchdService.check_many(wanted)) == [()] * 5
    assert (mac.root / "calls").read_text() == "print-disabled system\n"
    mac.launchctl.write_text("#!/bin/sh\nexit 1\n")
    found = list(LaunchdService.check_many([*wanted[:1], LaunchdService(labels[1], state="stopped")]))
    assert [type(each).__name__ for each in found] == ["Refused", "Refused"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(LaunchdService("/Library/LaunchDaemons/a.plist", state="running"), "without folders and .plist"),
     (LaunchdService("a b", state="running"), "no label of a daemon"),
     (LaunchdService("-a", state="running"), "no label of a daemon"), (LaunchdService("a"), "nothing is wanted"),
     (LaunchdService("a", state="running", enable=False), "starts nothing that is disabled")],
)  # fmt: skip
def test_mistakes_are_said(wrong: LaunchdService, said: str) -> None:
    (sentence,) = wrong.mistakes()
    assert said in sentence


def test_it_comes_after_its_list_and_hears_of_it() -> None:
    wanted = Service.for_system("darwin")(AGENT, state="running")  # type: ignore[call-arg]  # a service has a name
    assert isinstance(wanted, LaunchdService)
    assert wanted.id == f"service:{AGENT}"
    assert Uses(f"file:/Library/LaunchDaemons/{AGENT}.plist") in wanted.needs()
    assert PathChanged(f"/Library/LaunchDaemons/{AGENT}.plist") in wanted.triggers()
    assert PathChanged("/private/var/db/com.apple.xpc.launchd/disabled.plist") in wanted.triggers()


def test_a_daemon_is_adopted_as_it_is(mac: Mac) -> None:
    mac.daemon(AGENT, KeepAlive=True)
    assert LaunchdService.adopt(AGENT).resource == LaunchdService(AGENT, state="stopped", enable=True)
    right(LaunchdService(AGENT, state="running"))
    assert LaunchdService.adopt(AGENT).resource == LaunchdService(AGENT, state="running", enable=True)
    mac.change(AGENT, state="not running", exit="1")
    adopted = LaunchdService.adopt(AGENT)
    assert adopted.resource == LaunchdService(AGENT, state="stopped", enable=True)
    assert adopted.remarks == ["It is loaded and does not run, after exit code 1."]
    with pytest.raises(ResourceError, match="does not exist"):
        LaunchdService.adopt("com.example.none")


def test_another_text_than_is_known_is_an_error() -> None:
    with pytest.raises(ResourceError, match="not understood"):
        launchctl.described("com.example = {\n}\n")
