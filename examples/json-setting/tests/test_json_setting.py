"""The kind on real files, and in a blueprint."""

from __future__ import annotations

import json
from pathlib import Path

from json_setting import JsonSetting

from converge import Run
from converge.testing import declare


def test_it_finds_what_differs_puts_it_right_and_is_then_in_sync(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text('{"debug": true}')
    setting = JsonSetting(str(file), "log-driver", "journald")
    state = setting.check()
    assert [(change.property, change.from_, change.to) for change in state] == [("log-driver", None, '"journald"')]
    setting.apply(state)
    assert setting.check() == ()
    assert json.loads(file.read_text()) == {"debug": True, "log-driver": "journald"}


def docker(r: Run) -> None:
    """Declares the file after the setting, which waits for it all the same."""
    r.declare(JsonSetting, "/etc/docker/daemon.json", "log-driver", "journald")
    r.file("/etc/docker/daemon.json", parents=True)


def test_it_comes_after_its_file() -> None:
    site = declare(docker)
    assert site.comes_before("file:/etc/docker/daemon.json", "json:/etc/docker/daemon.json:log-driver")
