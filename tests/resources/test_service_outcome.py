"""Every verb with every result that a job of systemd can have."""

from __future__ import annotations

from typing import Any

import pytest

from converge.core.errors import Busy, ResourceError
from converge.host.systemd.calls import Call, Refused
from converge.host.systemd.units import Unit
from converge.resources.service.systemd import diagnosis
from converge.resources.service.systemd.outcome import Verb, must_have_gone_well

# Of job_result_to_string() in systemd.
RESULTS = (
    "done", "canceled", "timeout", "failed", "dependency", "skipped", "invalid", "assert", "unsupported", "collected",
    "once", "frozen", "concurrency",
)  # fmt: skip
UP = Unit("web.service", active_state="active", sub_state="running", path="/unit/web")
DOWN = Unit("web.service", active_state="failed", sub_state="failed", path="/unit/web")


class Systemd:
    """Answers as one whose db.service has failed."""

    def __init__(self, **properties: Any) -> None:
        self.properties = {
            "Requires": ["db.service", "network.target"], "Requisite": [], "BindsTo": [], "ConditionResult": True,
            "Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": 3, "ReloadResult": "exit-code",
            "DropInPaths": [], **properties,
        }  # fmt: skip

    def ask(self, calls: list[Call], seconds: float) -> list[Any]:
        return [self.answer(call) for call in calls]

    def answer(self, call: Call) -> Any:
        if call.member == "ListUnitsByNames":
            return [[name, "", "loaded", "failed" if name == "db.service" else "active"] for name in call.body[0]]  # type: ignore[attr-defined]
        return self.properties.get(str(call.body[1]), Refused("org.freedesktop.DBus.Error.UnknownProperty", "no"))


@pytest.fixture(autouse=True)
def journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_last_words", lambda unit: "bad configuration\n")


def said(verb: Verb, result: str, unit: Unit, **properties: Any) -> str:
    with pytest.raises(ResourceError) as error:
        must_have_gone_well(Systemd(**properties), unit, verb, result)  # type: ignore[arg-type]
    return ("busy: " if isinstance(error.value, Busy) else "") + str(error.value)


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "reload"])
@pytest.mark.parametrize("result", RESULTS)
def test_every_result_has_its_words(verb: Verb, result: str) -> None:
    if result in ("done", "skipped"):
        must_have_gone_well(Systemd(), UP, verb, result)  # type: ignore[arg-type]
        return
    text = said(verb, result, UP if verb == "reload" else DOWN)
    assert "web.service" in text
    assert "start limit" not in text
    assert "too often" not in text
    assert text.startswith("busy: ") is (result in ("canceled", "collected", "invalid"))


def test_a_failed_reload_is_no_failed_start() -> None:
    assert said("reload", "failed", UP) == (
        "web.service could not be reloaded; it still runs with the old configuration: its ExecReload= failed; "
        "the end of its journal:\nbad configuration\n"
    )
    assert said("reload", "timeout", UP, ReloadResult="success").startswith(
        "web.service took too long to reload; it still runs with the old configuration; the end"
    )
    assert "did not reload" not in said("reload", "failed", DOWN)  # and ended by it


def test_what_it_needs_is_named() -> None:
    assert said("start", "dependency", DOWN) == "web.service did not start: db.service, which it needs, failed"


def test_a_command_beside_the_main_process_is_no_exit_status_of_it() -> None:
    text = said("start", "failed", DOWN, ExecMainCode=0, ExecMainStatus=0)
    assert "a command beside its main process failed (ExecStartPre=" in text


def test_a_drop_in_of_somebody_else_is_named() -> None:
    text = said("restart", "failed", DOWN, DropInPaths=["/etc/systemd/system/web.service.d/x.conf"])
    assert "did not restart: its process ended with exit status 3" in text
    assert "/etc/systemd/system/web.service.d/x.conf changes what its unit file says" in text
