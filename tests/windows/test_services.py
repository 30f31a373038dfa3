"""Services of Windows, which really run there, while other programs stop and change them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

DEADLINE = 30.0
ONCE = ("--timeout", "1s", "--detailed-exit-codes")
KEY = r"HKLM\SOFTWARE\ConvergeServices"
CHANGE_START = """
import ctypes
a = ctypes.WinDLL("advapi32", use_last_error=True)
a.OpenSCManagerW.restype = a.OpenServiceW.restype = ctypes.c_void_p
a.OpenServiceW.argtypes = (ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32)
service = a.OpenServiceW(a.OpenSCManagerW(None, None, 1), {name!r}, 2)
keep, nothing = ctypes.c_uint32(0xFFFFFFFF), ctypes.c_void_p()
start = ctypes.c_uint32({start})
assert a.ChangeServiceConfigW(ctypes.c_void_p(service), keep, start, keep, *(nothing,) * 7), ctypes.get_last_error()
"""
AUTO, MANUAL, DISABLED = 2, 3, 4


class Services:
    """The services of a Windows that is kept up, and what they wrote down."""

    def __init__(self, windows: Any, folder: Path) -> None:  # Any: the fixture is loaded by path
        self.windows = windows
        self.folder = folder
        self.program = folder / "service.exe"
        self.wine = sys.modules["windows_wine"].WINE
        source = Path(__file__).parent / "service.c"
        subprocess.run(
            ["x86_64-w64-mingw32-gcc", "-municode", str(source), "-o", str(self.program), "-ladvapi32"],
            check=True, timeout=60,
        )  # fmt: skip

    def make(self, name: str, mode: str = "", start: str = "demand", depend: str = "") -> None:
        words = [
            self.windows.path(self.program),
            name,
            self.windows.path(self.folder / name),
            *([mode] if mode else []),
        ]
        self.sc("create", name, "binPath=", " ".join(words), "start=", start, *(["depend=", depend] if depend else []))

    def sc(self, *arguments: str) -> str:
        """Run ``sc.exe``, another program than ours."""
        done = subprocess.run(
            [self.wine, "sc", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=60, env=self.windows.env, check=False,
        )  # fmt: skip
        return done.stdout

    def set_start(self, name: str, start: int) -> None:
        self.windows.python(CHANGE_START.format(name=name, start=start))

    def start_of(self, name: str) -> str:
        found: str = self.windows.reg("query", rf"HKLM\SYSTEM\CurrentControlSet\Services\{name}", "/v", "Start").stdout
        return found

    def story(self, name: str) -> list[str]:
        """What happened to it."""
        return [line.split()[0] for line in self._lines(name)]

    def until(self, name: str, told: str, times: int) -> float:
        """Wait until something has happened so often; returns the milliseconds since what came before that."""
        ends = time.monotonic() + DEADLINE
        while self.story(name).count(told) < times:
            assert time.monotonic() < ends, f"{name}: {self.story(name)}"
            time.sleep(0.01)
        moments = [int(line.split()[1]) for line in self._lines(name)]
        return moments[-1] - moments[-2] if len(moments) > 1 else 0

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def blueprint(self, *lines: str) -> str:
        path = self.folder / "site.py"
        text = "".join(f"    {line}\n" for line in lines)
        path.write_text(f'from converge import Run, blueprint\n@blueprint("site")\ndef site(r: Run) -> None:\n{text}')
        return str(self.windows.path(path))


@pytest.fixture(scope="module")
def services(windows: Any, tmp_path_factory: pytest.TempPathFactory) -> Services:
    return Services(windows, tmp_path_factory.mktemp("services"))


def test_a_service_is_converged_and_guarded(services: Services) -> None:
    services.make("guarded")
    converge = services.windows.converge
    site = services.blueprint('r.service("Guarded", state="running", enable=True, limit=100)')
    planned = converge("plan", site, "--detailed-exit-codes")
    assert planned.returncode == 5, planned.stdout
    assert "startup_type: manual -> auto" in planned.stdout
    first = converge("serve", site, *ONCE)
    assert first.returncode == 2, first.stdout
    second = converge("serve", site, *ONCE)
    assert second.returncode == 0, second.stdout
    assert converge("plan", site, "--detailed-exit-codes").returncode == 0
    assert services.story("guarded") == ["start"]

    with services.windows.guarding(site):
        for times in (2, 3, 4):
            time.sleep(1)  # beyond the time for which news is gathered, to see how long a single one takes
            services.sc("stop", "guarded")
            print(f"stopped by sc: runs again after {services.until('guarded', 'start', times)} ms")
        services.set_start("guarded", MANUAL)
        ends = time.monotonic() + DEADLINE
        while "0x2" not in services.start_of("guarded"):
            assert time.monotonic() < ends
    assert services.story("guarded") == ["start", *("stop", "start") * 3]


def test_what_is_to_be_stopped_is_stopped_again(services: Services) -> None:
    services.make("unwanted", start="auto")
    site = services.blueprint('r.service("unwanted", state="stopped", startup_type="disabled", limit=100)')
    services.sc("start", "unwanted")
    services.until("unwanted", "start", 1)
    with services.windows.guarding(site):
        services.until("unwanted", "stop", 1)
        services.set_start("unwanted", MANUAL)
        services.sc("start", "unwanted")
        services.until("unwanted", "stop", 2)
        ends = time.monotonic() + DEADLINE
        while "0x4" not in services.start_of("unwanted"):
            assert time.monotonic() < ends


def test_a_service_reads_its_configuration_anew_or_is_restarted(services: Services) -> None:
    services.make("reads")
    services.make("deaf", "deaf")
    services.make("restarted")
    site = services.blueprint(
        f'conf = r.registry(r"{KEY}", "Port", data=1)',
        'r.service("reads", state="running", reload_on=conf)',
        'r.service("deaf", state="running", reload_on=conf)',
        'r.service("restarted", state="running", restart_on=conf)',
    )
    assert services.windows.converge("serve", site, *ONCE).returncode == 2
    assert services.story("reads") == services.story("deaf") == services.story("restarted") == ["start"]
    services.windows.reg("delete", KEY, "/v", "Port", "/f")
    assert services.windows.converge("serve", site, *ONCE).returncode == 2
    assert services.story("reads") == ["start", "reload"]
    assert services.story("deaf") == services.story("restarted") == ["start", "stop", "start"]


def test_a_service_on_its_way_is_left_alone(services: Services) -> None:
    services.make("slow", "slow")
    site = services.blueprint('r.service("slow", state="running")')
    services.sc("start", "slow")
    services.until("slow", "start", 1)
    served = services.windows.converge("serve", site, *ONCE)
    assert served.returncode == 0, served.stdout
    assert services.story("slow") == ["start"]


def test_a_slow_start_is_waited_for(services: Services) -> None:
    services.make("slower", "slow")
    served = services.windows.converge("serve", services.blueprint('r.service("slower", state="running")'), *ONCE)
    assert served.returncode == 2, served.stdout
    assert services.story("slower") == ["start"]


def test_what_cannot_be_done_is_told_in_a_sentence(services: Services) -> None:
    services.make("fails", "fails")
    services.make("off", start="disabled")
    site = services.blueprint(
        'r.service("fails", state="running", retry=0)',
        'r.service("off", state="running", retry=0)',
        'r.service("none", state="running", retry=0)',
        'r.service("late", startup_type="delayed-auto", retry=0)',
        'r.service("gone", state="stopped", enable=False)',
    )
    services.make("late")
    served = services.windows.converge("serve", site, "--timeout", "1s")
    assert served.returncode == 1, served.stdout
    assert "fails did not start: it ended with the error 42 of its own" in served.stdout
    assert "off cannot be started: it is disabled" in served.stdout
    assert "there is no service none" in served.stdout
    assert "late cannot be changed: this Windows has no delayed start" in served.stdout, "Wine has none"
    assert "1 ok" in served.stdout
    assert "Traceback" not in served.stdout


def test_a_service_that_comes_later_is_noticed(services: Services) -> None:
    site = services.blueprint('r.service("later", state="stopped")')
    with services.windows.guarding(site):
        services.make("later")
        services.sc("start", "later")
        services.until("later", "stop", 1)


def test_a_service_that_is_removed_and_made_anew_is_noticed(services: Services) -> None:
    services.make("anew")
    site = services.blueprint('r.service("anew", state="stopped", limit=100)')
    with services.windows.guarding(site):
        services.sc("delete", "anew")
        ends = time.monotonic() + DEADLINE
        while not (services.make("anew"), "Start" in services.start_of("anew"))[1]:
            assert time.monotonic() < ends
        services.sc("start", "anew")
        services.until("anew", "stop", 1)
