"""A whole converge, which takes this machine for a Mac: blueprint, plan, daemon, drift."""

from __future__ import annotations

import os
import plistlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Mac

SITE = """
from converge import Run, blueprint

@blueprint("site")
def site(r: Run) -> None:
    r.plist("com.apple.loginwindow", "GuestEnabled", value=False)
    r.plist({list!r}, "Servers", value=["a.example.org"])
    list_ = r.file({daemon!r}, content={content!r})
    conf = r.file({conf!r}, content="level = 1\\n", mode=0o640, backup=True)
    r.directory({tree!r}, mode=0o750, owner="root", purge=True)
    r.file({tree!r} + "/below", content="below", owner="root", mode=0o600)
    r.symlink({tree!r} + "/link", "below")
    r.directory({tree!r} + "/old", state="absent", force=True)
    r.file({tree!r} + "/deeply/inside", parents=True, content="inside")
    r.service("com.example.agent", state="running", enable=True, restart_on=[list_, conf])
    r.service("com.apple.nfsd", state="stopped", enable=False)
"""


def settings(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = plistlib.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return found


def test_a_mac_is_put_right_stays_right_and_is_put_right_again(mac: Mac, capsys: pytest.CaptureFixture[str]) -> None:
    agent, list_, conf = mac.own / "com.example.agent.plist", mac.root / "agent.plist", mac.root / "agent.conf"
    content = plistlib.dumps({"Label": "com.example.agent", "Program": "/usr/local/bin/agent", "KeepAlive": True})
    mac.daemon("com.apple.nfsd", apple=True, KeepAlive=True)
    tree = mac.root / "tree"
    (tree / "old/older").mkdir(parents=True)
    (tree / "nobody's").mkdir()
    conf.write_text("level = 0\n")
    os.setxattr(conf, "user.note", b"kept")
    site = mac.root / "site.py"
    site.write_text(
        SITE.format(
            list=str(list_), daemon=str(agent), content=content.decode(), conf=str(conf), tree=str(tree)
        ).replace("\\\\n", "\\n")
    )

    planned = mac.converge("plan", str(site))
    assert "com.example.agent" in planned.stdout, planned.stderr
    assert not mac.loaded()
    first = mac.converge("serve", str(site), "--timeout", "1s", "--detailed-exit-codes")
    assert first.returncode == 2, first.stdout + first.stderr
    assert mac.loaded()["com.example.agent"]["state"] == "running"
    assert mac.disabled() == {"com.apple.nfsd": True}
    assert sorted(os.listdir(tree)) == ["below", "deeply", "link"]
    assert [path.stat().st_mode & 0o777 for path in (tree, tree / "below", tree / "deeply", conf)] == [
        0o750, 0o600, 0o755, 0o640,
    ]  # fmt: skip
    assert os.getxattr(conf, "user.note") == b"kept"
    assert [path.read_text() for path in (mac.root / "state/backups").iterdir()] == ["level = 0\n"]
    assert settings(list_) == {"Servers": ["a.example.org"]}
    mac.until(lambda: settings(mac.preferences / "com.apple.loginwindow.plist") == {"GuestEnabled": False})
    for again in ("serve", "plan"):
        options = ["--timeout", "1s"] if again == "serve" else []
        done = mac.converge(again, str(site), *options, "--detailed-exit-codes")
        assert done.returncode == 0, done.stdout + done.stderr

    drifts = {
        "a key in a list": lambda: list_.write_bytes(plistlib.dumps({"Servers": []})),
        "a preference": lambda: (mac.preferences / "com.apple.loginwindow.plist").write_bytes(
            plistlib.dumps({"GuestEnabled": True})
        ),
        "a mode": lambda: (tree / "below").chmod(0o644),
        "a link": (tree / "link").unlink,
        "a file": lambda: conf.write_text("level = 2\n"),
        "a service enabled by hand": lambda: mac.launchctl_("enable", "system/com.apple.nfsd"),
        "a service put out by hand": lambda: mac.launchctl_("bootout", "system/com.example.agent"),
    }
    rights = {
        "a key in a list": lambda: settings(list_) == {"Servers": ["a.example.org"]},
        "a preference": lambda: settings(mac.preferences / "com.apple.loginwindow.plist") == {"GuestEnabled": False},
        "a mode": lambda: (tree / "below").stat().st_mode & 0o777 == 0o600,
        "a link": (tree / "link").is_symlink,
        "a file": lambda: conf.read_text() == "level = 1\n",
        "a service enabled by hand": lambda: mac.disabled().get("com.apple.nfsd"),
        "a service put out by hand": lambda: mac.loaded().get("com.example.agent", {}).get("state") == "running",
    }
    with mac.serving(str(site)):
        (tree / "link").unlink()
        mac.until((tree / "link").is_symlink)  # it is there, and has looked at all
        for what, drift in drifts.items():
            (mac.root / "preferences").unlink(missing_ok=True)
            drift()
            seconds = mac.until(rights[what])
            with capsys.disabled():
                print(f"\n{what}: right again after {seconds * 1000:.0f} ms", end="")
        os.kill(mac.loaded()["com.example.agent"]["pid"], signal.SIGKILL)
        killed = time.monotonic()
        mac.until(lambda: mac.loaded()["com.example.agent"].get("signal"))
        mac.until(lambda: mac.loaded()["com.example.agent"]["state"] == "running")
        with capsys.disabled():
            print(f"\na daemon that was killed: runs again after {(time.monotonic() - killed) * 1000:.0f} ms", end="")
        runs = mac.loaded()["com.example.agent"]["runs"]
        conf.write_text("level = 3\n")
        mac.until(lambda: mac.loaded()["com.example.agent"]["runs"] > runs)
    assert "polled" not in (mac.root / "log").read_text()
