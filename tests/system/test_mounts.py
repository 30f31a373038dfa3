"""Mounts of several kinds, live and in fstab, guarded while other tools change them; and waiting for one."""

from __future__ import annotations

import time
from typing import Any

SITE = """
from converge import Run, blueprint, mount_point

@blueprint("site")
def site(r: Run) -> None:
    r.directory("/srv/data dir")
    r.mount("/srv/data dir", fstype="tmpfs", options="nosuid,size=8m", limit=100.0)
    r.file("/srv/data dir/inside", content="hello\\n", mode=0o644)
    r.directory("/srv/view")
    r.mount("/srv/view", "/srv/data dir", options="bind,ro", limit=100.0)
    r.directory("/srv/disk")
    r.exec("image", ["sh", "-c", "truncate -s 8M /srv/image && mkfs.ext4 -q /srv/image"], creates="/srv/image")
    r.mount("/srv/disk", "/srv/image", "ext4", options="loop,noexec", passno=2, depends_on="exec:image", limit=100.0)
    r.mount("/srv/gone", state="absent")
    r.mount("/mnt", state="unmounted")
    r.file("/srv/late", content="", condition=mount_point("/media"))
    r.file("/srv/not-while", content="", condition=~mount_point("/opt") & mount_point("/media"))
"""
FSTAB = """\
# A comment   that stays

/dev/nothing\t/none auto noauto 0 0
tmpfs /srv/gone tmpfs defaults 0 0
"""


def until(what: Any, deadline: float = 20.0) -> float:  # Any: whatever the test asks
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline, "not in time"
        time.sleep(0.005)
    return time.monotonic() - began


def seen(machine: Any, path: str) -> str:
    """Type and options of what is mounted there last; empty where nothing is."""
    lines = machine.read("/proc/self/mountinfo").splitlines()
    found = [line for line in lines if line.split()[4] == path.replace(" ", "\\040")]
    return f"{found[-1].split()[5]} {found[-1].partition(' - ')[2]}" if found else ""


def exists(machine: Any, path: str) -> bool:
    return bool(machine.run("test", "-e", path, check=False).returncode == 0)


def log(machine: Any) -> str:
    return str(machine.run("journalctl", "-u", "guard", "--no-pager").stdout)


def test_mounts(machine: Any) -> None:
    machine.write("/etc/fstab", FSTAB)
    machine.write("/etc/converge/site.py", SITE)
    machine.run("mknod", "/dev/loop-control", "c", "10", "237")
    for number in range(8):
        machine.run("mknod", f"/dev/loop{number}", "b", "7", str(number))
    machine.run("mkdir", "/srv/gone")
    machine.run("mount", "-t", "tmpfs", "gone", "/srv/gone")
    machine.run("mount", "-t", "tmpfs", "one", "/mnt")
    machine.run("mount", "-t", "tmpfs", "two", "/mnt")
    machine.run("mount", "-t", "tmpfs", "opt", "/opt")

    plan = machine.converge("plan", "/etc/converge/site.py")
    assert "after file:/srv/view" in plan.stdout, plan.stdout
    assert "failed" not in plan.stdout, plan.stdout
    done = machine.converge("--out", "serial", "serve", "--timeout", "500ms", "/etc/converge/site.py", check=False)
    assert done.returncode == 0, done.stdout
    assert not seen(machine, "/srv/gone")
    assert not seen(machine, "/mnt")
    assert seen(machine, "/srv/data dir").startswith("rw,nosuid,relatime tmpfs tmpfs rw,size=8192k")
    assert seen(machine, "/srv/view").startswith("ro,relatime tmpfs tmpfs")
    assert seen(machine, "/srv/disk").startswith("rw,noexec,relatime ext4 /dev/loop")
    assert machine.read("/srv/view/inside") == "hello\n"
    before = machine.read("/etc/fstab")
    assert before.splitlines()[:3] == FSTAB.splitlines()[:3]
    assert sorted(before.splitlines()[3:]) == [
        "/srv/data\\040dir /srv/view none bind,ro 0 0",
        "/srv/image /srv/disk ext4 loop,noexec 0 2",
        "tmpfs /srv/data\\040dir tmpfs nosuid,size=8m 0 0",
    ]
    assert not exists(machine, "/srv/late")

    for command in (["plan"], ["serve", "--timeout", "500ms"]):
        again = machine.converge(*command, "--detailed-exit-codes", "/etc/converge/site.py", check=False)
        assert again.returncode == 0, again.stdout
    # What is written is what mount(8) and systemd understand.
    assert "data" in machine.run("systemctl", "list-units", "--all", "--no-pager", "srv-data*.mount").stdout
    machine.run("findmnt", "--verify", "--tab-file", "/etc/fstab", check=False)

    machine.run("systemd-run", "--unit=guard", str(machine.python), "-m", "converge", "--out", "serial", "serve",
                "/etc/converge/site.py")  # fmt: skip
    until(lambda: exists(machine, "/run/converge") and "skip" in log(machine))
    _is_met_late(machine)
    _comes_right_again(machine)


def _is_met_late(machine: Any) -> None:
    """Conditions, once what they ask for is there."""
    machine.run("mount", "-t", "tmpfs", "media", "/media")
    print(f"condition met: {until(lambda: exists(machine, '/srv/late')) * 1000:.0f} ms")
    assert not exists(machine, "/srv/not-while")
    machine.run("umount", "/opt")
    print(f"combined condition met: {until(lambda: exists(machine, '/srv/not-while')) * 1000:.0f} ms")
    until(lambda: "WATCHING" in log(machine))


def _comes_right_again(machine: Any) -> None:
    """By what other tools do while the daemon runs."""

    def print_time(what: str, right: Any) -> None:  # Any: whatever the test asks
        print(f"{what}: right again after {until(right) * 1000:.0f} ms")

    def disk() -> bool:
        return seen(machine, "/srv/disk").startswith("rw,noexec,relatime ext4 /dev/loop")

    machine.run("umount", "/srv/disk")
    print_time("unmounted", disk)
    machine.run("mount", "-o", "remount,exec", "/srv/disk")
    print_time("remounted", disk)
    machine.run("mount", "-t", "tmpfs", "over", "/srv/disk")
    print_time("hidden by another mount", disk)
    assert machine.read("/proc/self/mountinfo").count(" /srv/disk ") == 1

    machine.run("mount", "-o", "remount,size=4m", "/srv/data dir")
    print_time("made smaller", lambda: "size=8192k" in seen(machine, "/srv/data dir"))
    machine.run("mount", "-o", "remount,bind,rw", "/srv/view")
    print_time("a bind mount made writable", lambda: seen(machine, "/srv/view").startswith("ro,"))
    machine.run("umount", "/srv/view")
    machine.run("mount", "--bind", "/opt", "/srv/view")
    print_time("another directory bound", lambda: exists(machine, "/srv/view/inside"))

    before = machine.read("/etc/fstab")
    machine.run("sed", "-i", "/srv.disk/d", "/etc/fstab")
    print_time("line lost", lambda: sorted(machine.read("/etc/fstab").splitlines()) == sorted(before.splitlines()))
    machine.run("sh", "-c", "sed 's/noexec/exec/; s/stays/stays, still/' /etc/fstab >/etc/new; mv /etc/new /etc/fstab")
    print_time("line changed", lambda: "loop,noexec" in machine.read("/etc/fstab"))
    assert machine.read("/etc/fstab").splitlines()[0].endswith("that stays, still")

    machine.run("mount", "-t", "tmpfs", "one", "/mnt")
    print_time("mounted what is to be unmounted", lambda: not seen(machine, "/mnt"))

    # Whoever is in it keeps it mounted: the tool's own words, and right once that has ended.
    machine.run("mount", "-t", "tmpfs", "one", "/srv/gone")
    until(lambda: not seen(machine, "/srv/gone"))
    busy = machine.start("sh", "-c", "mount -t tmpfs one /srv/gone && cd /srv/gone && exec sleep 1000")
    until(lambda: "umount: /srv/gone: target is busy" in log(machine))
    machine.run("pkill", "sleep")
    busy.wait(20)
    print_time("what was in use", lambda: not seen(machine, "/srv/gone"))
    assert machine.read("/srv/data dir/inside") == "hello\n"


KEPT = """
from converge import Run, blueprint

@blueprint("kept")
def kept(r: Run) -> None:
    r.directory("/srv/a b")
    r.mount("/srv/a b", fstype="tmpfs", options="size=8m,noexec")
    r.directory("/srv/a b/deep")
    r.directory("/srv/view")
    r.mount("/srv/view", "/srv/a b", options="bind")
    r.mount("/mnt", fstype="tmpfs", persist=False)
"""


def test_after_a_reboot_the_system_itself_mounts_what_is_kept(machine: Any) -> None:
    machine.write("/etc/converge/site.py", KEPT)
    machine.converge("serve", "--timeout", "200ms", "/etc/converge/site.py")
    assert seen(machine, "/mnt")
    machine.power_off()
    machine.boot()
    assert machine.run("systemctl", "is-active", "srv-a\\x20b.mount", "srv-view.mount").stdout == "active\nactive\n"
    assert not seen(machine, "/mnt")
    plan = machine.converge("--out", "serial", "plan", "/etc/converge/site.py").stdout
    assert "2 pending, 4 ok" in plan, plan  # the directory in the tmpfs, and what is not in fstab
    # systemd read fstab anew when it was changed: it knows that there is nothing to be mounted any more.
    machine.write("/etc/converge/site.py", KEPT.replace(
        'r.mount("/srv/view", "/srv/a b", options="bind")', 'r.mount("/srv/view", state="absent")'))  # fmt: skip
    machine.converge("serve", "--timeout", "200ms", "/etc/converge/site.py")
    assert machine.run("systemctl", "show", "-P", "LoadState", "srv-view.mount").stdout == "not-found\n"
