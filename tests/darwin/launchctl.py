"""A stand-in for launchctl(1), with what launchd knows in a folder.

Its contract is what macOS 13 to 15 answer for the system domain: the texts and exit statuses below, and that a daemon
is bootstrapped once, from a list that only root can change, and never while it is disabled.
"""

from __future__ import annotations

import contextlib
import json
import os
import plistlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).parent
LOADED = HERE / "loaded.json"
SETTINGS = HERE / "disabled.plist"


def fail(status: int, text: str) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(status)


def loaded() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(LOADED.read_text()) if LOADED.exists() else {}
    return found


def put(path: Path, content: bytes) -> None:
    """In one step, as several of us may be running."""
    new = path.with_name(f"{path.name}-{os.getpid()}")
    new.write_bytes(content)
    new.replace(path)


def keep(jobs: dict[str, dict[str, Any]]) -> None:
    put(LOADED, json.dumps(jobs).encode())


def settings() -> dict[str, bool]:
    found: dict[str, bool] = plistlib.loads(SETTINGS.read_bytes()) if SETTINGS.exists() else {}
    return found


def label_of(target: str) -> str:
    domain, _, label = target.partition("/")
    if domain != "system" or not label:
        fail(64, f"Unrecognized target specifier: {target}")
    return label


def job_of(jobs: dict[str, dict[str, Any]], target: str) -> dict[str, Any]:
    label = label_of(target)
    if label not in jobs:
        fail(113, f'Bad request.\nCould not find service "{label}" in domain for system')
    return jobs[label]


def spawn(job: dict[str, Any]) -> None:
    job["runs"] += 1
    dies = (HERE / "dies").read_text() if (HERE / "dies").exists() else ""
    if dies:
        job.update(state=dies.partition("|")[0], exit=dies.partition("|")[2])
    else:
        if job["state"] == "running":
            end(job)
        process = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
        with open(HERE / "pids", "a") as log:
            print(process.pid, file=log)
        job.update(state="running", pid=process.pid)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def end(job: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        os.kill(job["pid"], signal.SIGKILL)


def bootstrap(path: str) -> None:
    try:
        found = os.stat(path)
        described = plistlib.loads(Path(path).read_bytes())
    except Exception:  # whatever is wrong with it
        fail(5, "Bootstrap failed: 5: Input/output error")
    label = described["Label"]
    jobs = loaded()
    if found.st_mode & 0o022 or label in jobs or described.get("Refused"):
        fail(5, "Bootstrap failed: 5: Input/output error")
    if settings().get(label, described.get("Disabled", False)):
        fail(119, "Bootstrap failed: 119: Service is disabled")
    job = jobs[label] = {"path": path, "state": "not running", "exit": "(never exited)", "runs": 0, "list": described}
    if described.get("RunAtLoad") or described.get("KeepAlive"):
        spawn(job)
    keep(jobs)


def bootout(target: str) -> None:
    jobs = loaded()
    label = label_of(target)
    if label not in jobs:
        fail(3, "Boot-out failed: 3: No such process")
    if jobs[label]["list"].get("Sealed"):
        fail(150, "Boot-out failed: 150: Operation not permitted while System Integrity Protection is engaged")
    if slow := jobs[label]["list"].get("SlowToEnd", 0):
        jobs[label]["ends_after"] = slow
        keep(jobs)
        fail(36, "Boot-out failed: 36: Operation now in progress")
    if jobs[label]["state"] == "running":
        end(jobs[label])
    del jobs[label]
    keep(jobs)


def print_job(target: str) -> None:
    jobs = loaded()
    job = job_of(jobs, target)
    if job["state"] == "running" and not lives(job["pid"]):
        job.update(state="not running", signal="Killed: 9")
        keep(jobs)
    if "ends_after" in job:
        job["ends_after"] -= 1
        job["state"] = "SIGTERMed"
        if job["ends_after"] < 0:
            del jobs[label_of(target)]
        keep(jobs)
    killed = f"\tlast terminating signal = {job['signal']}\n" if "signal" in job else ""
    ending = killed or f"\tlast exit code = {job['exit']}\n"
    pid = f"\tpid = {job['pid']}\n" if job["state"] == "running" else ""
    print(
        f"{target} = {{\n\tactive count = 1\n\tpath = {job['path']}\n\ttype = LaunchDaemon\n"
        f"\tstate = {job['state']}\n\n"
        "\tprogram = /usr/local/bin/agent\n\targuments = {\n\t\t/usr/local/bin/agent\n\t\tstate = of affairs\n\t}\n\n"
        f'\tendpoints = {{\n\t\t"com.example" = {{\n\t\t\tactive = 0\n\t\t\tstate = dead\n\t\t}}\n\t}}\n\n'
        f"\tdomain = system\n\tminimum runtime = 10\n\texit timeout = 5\n\truns = {job['runs']}\n{pid}{ending}"
        "\n\tspawn type = daemon (3)\n\tjetsam priority = 40\n\n\tproperties = keepalive | runatload\n}"
    )


def print_disabled() -> None:
    old = (HERE / "macos-12").exists()
    words = {True: "true", False: "false"} if old else {True: "disabled", False: "enabled"}
    lines = "".join(f'\t\t"{label}" => {words[off]}\n' for label, off in settings().items())
    print(f"\n\tdisabled services = {{\n{lines}\t}}\n\n\tlogin item associations = {{\n\t}}")


def set_disabled(target: str, off: bool) -> None:
    put(SETTINGS, plistlib.dumps(settings() | {label_of(target): off}))


def kickstart(arguments: list[str]) -> None:
    jobs = loaded()
    job = job_of(jobs, arguments[-1])
    if job["state"] == "running" and "-k" not in arguments:
        fail(37, "Could not kickstart service: 37: Operation already in progress")
    spawn(job)
    keep(jobs)


def kill(name: str, target: str) -> None:
    jobs = loaded()
    job = job_of(jobs, target)
    if job["state"] != "running":
        fail(3, "No process to signal.")
    job.setdefault("signals", []).append(name)
    keep(jobs)


def main(verb: str, *arguments: str) -> None:
    with open(HERE / "calls", "a") as log:
        print(verb, *arguments, file=log)
    if verb == "print":
        print_job(arguments[0])
    elif verb == "print-disabled":
        print_disabled()
    elif verb in ("enable", "disable"):
        set_disabled(arguments[0], verb == "disable")
    elif verb == "bootstrap":
        bootstrap(arguments[1])
    elif verb == "bootout":
        bootout(arguments[0])
    elif verb == "kickstart":
        kickstart([*arguments])
    elif verb == "kill":
        kill(*arguments)
    else:
        fail(64, f"Unrecognized subcommand: {verb}")


main(*sys.argv[1:])
