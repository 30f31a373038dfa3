"""What there is of macOS here: its launchd, its files."""

from __future__ import annotations

import contextlib
import json
import os
import plistlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
DEADLINE = 30.0  # for what is certain to come; reaching it is a failure


class Mac:
    """A launchd that keeps what it knows in a folder, and the folders of daemons."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.own = root / "Library/LaunchDaemons"
        self.apple = root / "System/Library/LaunchDaemons"
        for folder in (self.own, self.apple):
            folder.mkdir(parents=True)
        self.launchctl = root / "launchctl"
        self.preferences = root / "Library/Preferences"
        self.preferences.mkdir()
        for program in (self.launchctl, root / "defaults"):
            text = (HERE / f"{program.name}.py").read_text()
            program.write_text(f"#!{sys.executable} -S\n{text}")
            program.chmod(0o755)
        mount = root / "mount"
        mount.write_text("#!/bin/sh\necho '/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)'\n")
        mount.chmod(0o755)
        self.overrides = root / "disabled.plist"

    def daemon(self, label: str, *, name: str = "", apple: bool = False, **settings: object) -> Path:
        """Its property list."""
        path = (self.apple if apple else self.own) / f"{name or label}.plist"
        path.write_bytes(plistlib.dumps({"Label": label, "ProgramArguments": ["/usr/local/bin/agent"], **settings}))
        path.chmod(0o644)
        return path

    def loaded(self) -> dict[str, dict[str, Any]]:
        path = self.root / "loaded.json"
        found: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def change(self, label: str, **facts: object) -> None:
        jobs = self.loaded()
        jobs[label].update(facts)
        (self.root / "loaded.json").write_text(json.dumps(jobs))

    def disabled(self) -> dict[str, bool]:
        found: dict[str, bool] = plistlib.loads(self.overrides.read_bytes()) if self.overrides.exists() else {}
        return found

    def calls(self) -> list[str]:
        """What launchctl was asked to change since the last time."""
        path = self.root / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return [line for line in lines if not line.startswith("print")]

    def launchctl_(self, *arguments: str) -> None:
        """As an administrator would."""
        subprocess.run([self.launchctl, *arguments], env=self.environment(), check=True, timeout=30)

    def command(self, *arguments: str) -> list[str]:
        """A command line of converge, as on macOS."""
        return [sys.executable, str(HERE / "pretend.py"), *arguments]

    def environment(self) -> dict[str, str]:
        folders = {"CONVERGE_STATE_DIR": str(self.root / "state"), "CONVERGE_RUNTIME_DIR": str(self.root / "run")}
        return os.environ | {"LAUNCHD": str(self.root)} | folders

    def converge(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.environment(), capture_output=True, text=True, timeout=60, check=False
        )

    @contextlib.contextmanager
    def serving(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A daemon, which is ended in the end."""
        log = open(self.root / "log", "ab")  # noqa: SIM115 - closed below, when the daemon is gone
        daemon = subprocess.Popen(self.command("serve", *arguments), env=self.environment(), stdout=log, stderr=log)
        try:
            yield daemon
        finally:
            daemon.terminate()
            daemon.wait(30)
            log.close()

    def until(self, holds: Callable[[], object]) -> float:
        """The seconds until it holds."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > DEADLINE:
                pytest.fail(f"still not; the daemon says: {(self.root / 'log').read_text()}")
            time.sleep(0.005)
        return time.monotonic() - began


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    """A Mac of the test's own, in this very process."""
    made = Mac(tmp_path / "mac")
    place = "converge.resources.service.launchd"
    monkeypatch.setattr(f"{place}.places.FOLDERS", (str(made.own), str(made.apple)))
    monkeypatch.setattr(f"{place}.places.OWN_FOLDER", str(made.own))
    monkeypatch.setattr(f"{place}.launchctl.PROGRAM", str(made.launchctl))
    yield made
    started = made.root / "pids"
    for pid in started.read_text().split() if started.exists() else ():
        with contextlib.suppress(OSError):
            os.kill(int(pid), signal.SIGKILL)
