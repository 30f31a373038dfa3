"""docs/tutorial.md, typed command by command on a booted Debian.

What the machine has no network for is made here: the packages that the page installs (nginx is a small server of files
that reads its configuration as nginx does), a repository to clone, and the wheels that pip installs.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.repository import Repository

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from pages import Block, blocks, timeless  # noqa: E402 - found by the line above

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
PYTHON = f"{sys.base_prefix}/bin/python3"
DEADLINE = 20.0

NGINX = f"""#!{PYTHON}
import functools, glob, http.server, os, re, signal, socket, threading

def start():
    text = "".join(open(path).read() for path in sorted(glob.glob("/etc/nginx/conf.d/*.conf")))
    servers = []
    for port, root in re.findall(r"listen (\\d+);\\s*root (\\S+);", text):
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=root)
        servers.append(http.server.ThreadingHTTPServer(("", int(port)), handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
    return servers

signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGHUP}})
while True:
    servers = start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    signal.sigwait({{signal.SIGHUP}})
    for server in servers:
        server.shutdown()
        server.server_close()
"""
NGINX_UNIT = """[Unit]
Description=nginx
[Service]
Type=notify
ExecStart=/usr/sbin/nginx
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
"""
STARTED = "#!/bin/sh\nchmod 0755 /usr/sbin/nginx\nsystemctl daemon-reload\nsystemctl enable --now nginx\n"
STOPPED = "#!/bin/sh\nsystemctl disable --now nginx\n"
CURL = f"""#!{PYTHON}
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[-1]).read().decode(), end="")
except OSError:
    sys.exit(7)
"""


def wheels() -> Path:
    """What pip needs, fetched once and kept beside the root of the machines."""
    from system_machine import CACHE

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    key = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()[:16]
    ready = Path(CACHE) / f"wheels-{key}"
    if not ready.exists():
        making = Path(CACHE) / f"making-wheels-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:", "-d", str(making), *wanted]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            shutil.rmtree(making, ignore_errors=True)
            pytest.skip(f"what converge needs cannot be fetched here: {done.stderr.strip()[-300:]}")
        making.rename(ready)
    return ready


@pytest.fixture
def reader(machine: Any, tmp_path: Path) -> Any:
    """A machine on which all can be had that the page asks for."""
    repository = Repository(machine, tmp_path)
    # Which of the two has what is as in Debian.
    common = {"/usr/lib/systemd/system/nginx.service": NGINX_UNIT, "/etc/nginx/conf.d/.keep": ""}
    repository.add("nginx-common", "1.22.1-9", **common)
    repository.add("nginx", "1.22.1-9", "Depends: nginx-common\n", postinst=STARTED, prerm=STOPPED,
                   **{"/usr/sbin/nginx": NGINX})  # fmt: skip
    repository.add("curl", postinst="#!/bin/sh\nchmod 0755 /usr/bin/curl\n", **{"/usr/bin/curl": CURL})
    shim = f'#!/bin/sh\nexec {PYTHON} "$@"\n'
    executable = "#!/bin/sh\nchmod 0755 /usr/local/bin/python3\n"
    repository.add("python3-venv", postinst=executable, **{"/usr/local/bin/python3": shim})
    repository.publish(update=False)
    shutil.copytree(wheels(), machine.top / "srv" / "wheels")
    machine.write("/etc/hosts", "127.0.0.1 localhost\n")
    machine.write("/etc/pip.conf", "[global]\nno-index = true\nfind-links = /srv/wheels\n")
    upstream = machine.top / "srv" / "upstream"
    shutil.copytree(ROOT / "src", upstream / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, upstream / name)
    machine.run(
        "sh", "-c", "cd /srv/upstream; git init -q; git add .; git -c user.name=x -c user.email=x@x commit -qm 1"
    )
    machine.run("git", "config", "--global", "url.file:///srv/upstream.insteadOf", "https://…/converge.git")
    return machine


class Shell:
    """What a reader has before them: each command is typed where the one before ended."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.place = "/root"

    def type(self, command: str) -> str:
        """What it said, of both streams."""
        script = 'cd "$1"; eval "$2" 2>&1; code=$?; pwd >/run/place; exit $code'
        done = self.machine.run("bash", "-c", script, "bash", self.place, command, check=False, timeout=300)
        self.place = self.machine.read("/run/place").strip()
        self.code = done.returncode
        return str(done.stdout)


def session(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a block, with what the page says that it says."""
    for part in ("\n" + block.text).split("\n$ ")[1:]:
        command, _, said = part.partition("\n")
        yield command, said


def test_every_command_of_the_tutorial_does_what_the_page_says(reader: Any) -> None:
    shell = Shell(reader)
    commands = 0
    for block in blocks(PAGE):
        if block.file is not None:
            reader.write(f"{shell.place}/{block.file}", block.text)
        if block.language != "console":
            continue
        for command, expected in session(block):
            began = time.monotonic()
            said = shell.type(command)
            while "until" in block.words and timeless(said) != timeless(expected) and expected:
                assert time.monotonic() - began < DEADLINE, f"{command}\n{said}"
                said = shell.type(command)
            print(f"{time.monotonic() - began:6.2f} s  $ {command}\n{said}", end="")
            assert (shell.code == 0) is ("fails" not in block.words), f"{command}\n{said}"
            assert not expected or timeless(said) == timeless(expected), command
            commands += 1
    assert commands > 20
