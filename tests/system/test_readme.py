"""README.md, followed to the letter on a booted Debian: the first service, and the server with Debian's own nginx."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.system.guarding import holds, until
from tests.system.repository import Repository

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from pages import Block, blocks, commands  # noqa: E402 - found by the line above

PAGE = (ROOT / "README.md").read_text()
SERVER = next(block.text for block in blocks(PAGE) if block.file == "server.py")
CLASH = "server { listen 80; server_name www.example.org; } upstream one { server 127.0.0.1:1; }\n"
FIVE_MINUTES = 300


def typed(command: str) -> str:
    """As root in the clone, whose virtual environment is the one that runs the tests."""
    command = command.partition("  #")[0].replace("sudo ", "").replace(".venv/bin/", f"{sys.prefix}/bin/")
    return f"cd {ROOT} && {command}"


def block_with(part: str) -> Block:
    return next(block for block in blocks(PAGE) if part in block.text and block.language != "python")


def debs_of_nginx() -> list[Path]:
    """Debian's own packages, fetched once and kept beside the root of the machines."""
    from system_machine import CACHE

    ready = Path(CACHE) / "nginx-bookworm"
    if not ready.exists():
        making = Path(CACHE) / f"making-nginx-{time.monotonic_ns()}"
        making.mkdir()
        command = ["sh", "-c", "apt-get -qq update; apt-get -qq -o APT::Sandbox::User=root download nginx nginx-common"]
        done = subprocess.run(command, cwd=making, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            shutil.rmtree(making)
            pytest.skip(f"nginx cannot be fetched here: {done.stderr.strip()[-300:]}")
        making.rename(ready)
    return sorted(ready.glob("*.deb"))


def test_the_first_service_is_repaired_well_within_five_minutes(machine: Any) -> None:
    began = time.monotonic()
    *setting_up, serve = block_with("serve /etc/converge/service.py").text.splitlines()
    for command in setting_up:
        done = machine.run("sh", "-c", typed(command))
    assert "service:cron" not in done.stdout or "pending" in done.stdout
    daemon = machine.start("sh", "-c", f"{typed(serve)} --out serial")
    try:
        while "WATCHING" not in daemon.stdout.readline():
            assert daemon.poll() is None
        session = block_with("systemctl is-active cron").text
        said = "".join(machine.run("sh", "-c", typed(command), check=False).stdout for command in commands(session))
        assert said == "".join(line + "\n" for line in session.splitlines() if not line.startswith("$ "))
        machine.run("systemctl", "kill", "--signal=KILL", "cron")
        until(lambda: holds(machine, "systemctl is-active cron"), "cron, killed")
        assert time.monotonic() - began < FIVE_MINUTES
    finally:
        machine.run("pkill", "-TERM", "-f", "serve /etc/converge/service.py", check=False)
        rest = daemon.communicate(timeout=30)[0]
    assert "service:cron" in rest


def test_the_server_converges_on_a_fresh_debian_as_printed(machine: Any, tmp_path: Path) -> None:
    repository = Repository(machine, tmp_path)
    for deb in debs_of_nginx():
        repository.take(deb)
    repository.publish(update=False)
    at = "/root/server.py"
    machine.write(at, SERVER)
    once = ("serve", "--timeout", "1s", "--detailed-exit-codes", at)
    done = machine.converge(*once, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    again = machine.converge(*once, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert holds(machine, "systemctl is-active nginx && nginx -T 2>&1 | grep -q 'server_name www.example.org'")

    # nginx says no to a whole configuration that is wrong, and nothing of it goes live.
    machine.write("/etc/nginx/conf.d/other.conf", CLASH)
    wrong = SERVER.replace("server {", "upstream one { server 127.0.0.1:2; }\nserver {")
    machine.write(at, wrong)
    refused = machine.converge(*once, "--max-retries", "0", check=False)
    assert "(in a private mount namespace), so nothing was changed" in refused.stdout
    assert 'duplicate upstream "one"' in refused.stdout
    site = next(block for block in SERVER.split('"""') if block.startswith("\\\n")).removeprefix("\\\n")
    assert machine.read("/etc/nginx/conf.d/site.conf") == site
    assert machine.run("ls", "-A", "/etc/nginx/conf.d").stdout.split() == ["other.conf", "site.conf"]


def test_sshd_and_sudo_read_all_they_have(machine: Any) -> None:
    """sshd is not installed for a drop-in that it refuses; the new file does not exist before."""
    machine.run("mkdir", "-p", "/run/sshd")
    for text, code in (("PermitRootLogin maybe", 3), ("PermitRootLogin no", 2)):
        machine.write(
            "/root/site.py",
            "from converge import Run, blueprint\n@blueprint('site')\ndef site(r: Run) -> None:\n"
            f"    r.file('/etc/ssh/sshd_config.d/10-x.conf', content='{text}\\n', validate='/usr/sbin/sshd -t')\n",
        )
        options = ("--timeout", "1s", "--max-retries", "0", "--detailed-exit-codes", "--out", "serial")
        done = machine.converge("serve", *options, "/root/site.py", check=False)
        assert done.returncode in (code, 4 if code == 3 else code), done.stdout + done.stderr
        assert holds(machine, "test -e /etc/ssh/sshd_config.d/10-x.conf") is (code == 2)
