"""``converge check``: all mistakes with their lines, for this kind of machine or another, without a look at any."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

CHECKOUT = Path(__file__).resolve().parents[2]
EVERY_KIND = """
r.file("/etc/ours/app.conf", content="x", owner="deploy", parents=True)
r.directory("/srv/ours", group="deploy")
r.symlink("/srv/ours/current", target="/srv/ours/1")
r.exec("build", "make all", dir="/srv/ours", unless="test -e /srv/ours/built", user="deploy")
r.package("nginx")
r.service("nginx", state="running", enable=True)
r.user("deploy", groups=["adm"])
r.group("ours")
r.authorized_keys("deploy", keys=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIz3bkcF5T6Pz9N3Zp8AZ8TuYCmkOQgcRGFWZ0zDRdYo"])
r.firewall("web", port=80)
r.sysctl("net.ipv4.ip_forward", 1)
r.mount("/srv/data", source="tmpfs", fstype="tmpfs")
r.hostname("web1")
r.timezone("Europe/Berlin")
r.cron("nightly", schedule="0 3 * * *", command="/bin/true", user="deploy")
r.git("/srv/code", repo="https://example.org/code.git", revision="v1")
"""


def check(place: Place, *options: str) -> tuple[int, str, str]:
    said = place.run("check", place.site, *options)
    return said.code, said.out, said.err


def test_one_line_says_that_all_is_well_wherever_it_is_for(place: Place) -> None:
    place.declare('r.file("/etc/a", content=r.platform.distro + r.platform.package_manager)\nr.exec("x", "true")')
    assert check(place) == (0, "site: 2 resources, no mistakes\n", "")
    assert check(place, "--distro", "fedora")[1] == "site: 2 resources, no mistakes for fedora\n"
    assert check(place, "--platform", "darwin")[1] == "site: 2 resources, no mistakes for darwin\n"
    said = place.run("check", place.site, "--out", "json")
    assert said.json() == {"blueprint": "site", "resources": 2}


def test_all_mistakes_are_told_together_with_line_and_hint(place: Place) -> None:
    place.declare(
        """
        r.file("/etc/a", content="x", ownr="me")
        r.service("nginx", state="runing")
        r.file("/etc/b", depends_on="file:/etc/aa")
        """
    )
    code, out, err = check(place)
    assert (code, out) == (1, "")
    first, *lines = err.splitlines()
    assert first == "converge: 3 mistakes in the blueprint; nothing was touched"
    assert [line.removeprefix(f"{place.site}:").split(":")[0] for line in lines] == ["9", "10", "11"]
    for line, hint in zip(lines, ("owner", "running", "file:/etc/a"), strict=True):
        assert f"(did you mean {hint}" in line
    said = place.run("check", place.site, "--out", "json")
    assert said.code == 1
    assert [(m["line"], m["id"]) for m in json.loads(said.out)["mistakes"]] == [
        (9, "file:/etc/a"), (10, "service:nginx"), (11, "file:/etc/b"),
    ]  # fmt: skip


def test_a_kind_that_the_platform_lacks_is_a_mistake_with_its_line(place: Place) -> None:
    place.declare('r.file("/etc/a", content="")\nr.package("nginx")\nr.sysctl("vm.swappiness", 10)')
    assert check(place)[0] == 0
    code, _, err = check(place, "--platform", "darwin")
    assert code == 1
    assert err.splitlines()[1:] == [
        f"{place.site}:10: package:nginx: there is no r.package on darwin, only on linux",
        f"{place.site}:11: sysctl:vm.swappiness: there is no r.sysctl on darwin, only on linux",
    ]


def test_the_blueprint_sees_the_pretended_platform(place: Place) -> None:
    place.declare('if r.platform.os == "darwin":\n    r.package("nginx")\nassert r.platform.distro != "fedora"')
    assert check(place)[0] == 0
    assert "r.package" in check(place, "--platform", "darwin")[2]
    assert f"{place.site}:11: AssertionError" in check(place, "--distro", "fedora")[2]


def test_both_sides_of_a_shard_are_looked_at(place: Place) -> None:
    place.declare('if r.in_shard(10):\n    r.file("new", content="")\nelse:\n    r.file("old", content="")')
    code, _, err = check(place)
    assert code == 1
    assert "'new' is not absolute" in err
    assert "'old' is not absolute" in err


def test_wrong_options_and_unknown_names_are_told(place: Place) -> None:
    place.declare("pass")
    code, _, err = check(place, "--distro", "debain")
    assert code == 1
    assert "(did you mean debian?)" in err
    assert check(place, "--platform", "darwin", "--distro", "debian")[2].startswith("converge: darwin has no distrib")
    assert check(place, "--platform", "beos")[0] == 1
    assert place.run("check", "./sit.py").code == 11


def test_it_neither_reads_nor_starts_what_the_blueprint_names(place: Place) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    place.declare(EVERY_KIND)
    trace = place.root / "trace"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", trace, "-e", "trace=%file,%network,execve", *place.python, "check", place.site,
         "--distro", "debian"], capture_output=True, text=True, check=False, env=place.env, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    calls = trace.read_text().splitlines()
    assert len(calls) > 100
    assert sum("execve(" in call for call in calls) == 1
    assert not [call for call in calls if "socket(" in call or "connect(" in call]
    ours = ("/srv", "/etc/ours", "/etc/os-release", "/etc/passwd", "/etc/group", "/etc/fstab", "/etc/cron", "/var/lib",
            "/run", "/sys/", "/proc/sys", "/proc/self/mount", "/etc/hostname", "/usr/share/zoneinfo",
            str(place.managed), str(place.root / "state"), str(place.root / "run"))  # fmt: skip
    of_others = [call for call in calls if f'"{CHECKOUT}' not in call]  # which may lie below one of these
    touched = [call for call in of_others if any(f'"{path}' in call for path in ours)]
    assert not touched
    # And it leaves nothing behind.
    assert not [call for call in calls if "O_CREAT" in call or "mkdir" in call or "unlink" in call]


def test_an_error_in_a_helper_module_is_told_at_its_line_and_verbosely_with_a_traceback(place: Place) -> None:
    (place.site.parent / "helper.py").write_text("def add(r):\n    raise RuntimeError('no')\n")
    place.declare("import helper\nhelper.add(r)")
    code, _, err = check(place)
    assert code == 1
    assert f"{place.site.parent}/helper.py:2: RuntimeError: no (called from {place.site}:" in err
    assert "Traceback" not in err
    verbose = check(place, "-v")[2]
    assert "Traceback (most recent call last)" in verbose
    assert "raise RuntimeError('no')" in verbose


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Hello {{ nmae }}\n", "app.j2:1: 'nmae' is undefined; give it in vars="),
        ("one\n{% if name %}\n", "app.j2:2: Unexpected end of template."),
        ("{% include 'part.j2' %}", "part.j2:2: 'other' is undefined"),
        ("{% include 'no.j2' %}", "no.j2 does not exist"),
        ("{{ name.real }}", "has no attribute 'real'"),
        (None, "app.j2 does not exist"),
    ],
)
def test_what_is_wrong_with_a_template_is_found_without_a_look_at_the_machine(
    place: Place, template: str | None, said: str
) -> None:
    folder = place.site.parent
    (folder / "part.j2").write_text("a\n{{ other }}\n")
    if template is not None:
        (folder / "app.j2").write_text(template)
    place.declare('r.file("/nowhere/app", template="app.j2", vars={"name": "x"})')
    code, _, err = check(place)
    assert code == 1
    assert f"{place.site}:9: file:/nowhere/app: the template {folder}/" in err
    assert said in err
    if template is not None:
        (folder / "app.j2").write_text("Hello {{ name }}\n{% if name == 1 %}{{ nmae }}{% endif %}")
        assert check(place)[0] == 0


def test_a_template_in_a_folder_beside_that_of_the_blueprint_is_looked_for_too(place: Place) -> None:
    place.declare('r.file("/nowhere/a", template="../templates/a.j2")')
    assert f"the template {place.site.parents[1]}/templates/a.j2 does not exist" in check(place)[2]
    assert check(place)[0] == 1


def test_a_missing_source_is_a_mistake_unless_something_brings_it(place: Place) -> None:
    folder = place.site.parent
    place.declare(
        'r.file("/nowhere/a", source="a.txt")\nr.archive("/nowhere/b", "b.tar", checksum="sha256:" + "0" * 64)'
    )
    code, _, err = check(place)
    assert code == 1
    assert f"file:/nowhere/a: the source {folder}/a.txt does not exist" in err
    assert f"archive:/nowhere/b: the archive {folder}/b.tar does not exist" in err
    place.declare(
        f"""
        r.git("{folder}/files", repo="https://example.org/files.git")
        r.file("/nowhere/a", source="files/a.txt")
        make = r.exec("make", "true")
        r.file("/nowhere/b", source="b.txt", depends_on=make)
        r.file("{folder}/c.txt", content="c")
        r.file("/nowhere/c", template="c.txt")
        """
    )
    assert check(place)[::2] == (0, "")


def test_a_template_elsewhere_may_be_on_another_machine(place: Place) -> None:
    place.declare('r.file("/nowhere/a", template="/usr/share/nothing/a.j2")')
    code, _, err = check(place)
    assert code == 0
    assert "the template /usr/share/nothing/a.j2 does not exist on this machine" in err


def test_a_mistake_elsewhere_does_not_hide_one_in_a_template(place: Place) -> None:
    place.declare('r.file("/a", template="a.j2")\nr.file("/b", contnt="")\nr.file("/c", depends_on="file:/d")')
    assert check(place)[2].startswith("converge: 3 mistakes")
