"""``converge init``: what it writes works, is tested, and is never put over what is there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Place


def test_what_it_writes_can_be_checked_served_and_tested(place: Place) -> None:
    said = place.run("init", "new/one")
    assert said.code == 0, said.err
    folder = place.blueprints / "new" / "one"
    assert sorted(path.name for path in folder.iterdir()) == ["site.py", "test_site.py"]
    commands = [line.split("  ")[1].strip() for line in said.out.splitlines()[1:]]
    assert commands[0] == "converge check new/one/site.py"
    for command in commands[:2]:
        _, *words = command.split()
        assert place.run(*words).code == 0
    site = folder / "site.py"
    assert place.run("check", site, "--platform", "darwin").out == "site: 6 resources, no mistakes for darwin\n"
    assert place.run("serve", site, "--timeout", "200ms", "--set", "title=Mine", "--detailed-exit-codes").code == 2
    assert (folder / "public" / "index.html").read_text() == "<h1>Mine</h1>\n"
    assert (folder / "changed").exists()
    assert place.run("plan", site, "--set", "title=Mine", "--detailed-exit-codes").code == 0
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    done = subprocess.run(tests, capture_output=True, text=True, check=False, cwd=folder, timeout=120)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_it_writes_over_nothing(place: Place) -> None:
    (place.blueprints / "test_site.py").write_text("mine")
    said = place.run("init")
    assert (said.code, said.err) == (1, "converge: test_site.py is there already; nothing was written\n")
    assert not (place.blueprints / "site.py").exists()
    (place.blueprints / "file").touch()
    said = place.run("init", "file/below")
    assert said.code == 1
    assert said.err == "converge: file/below: Not a directory\n"


def test_what_it_writes_passes_a_strict_type_checker(place: Place) -> None:
    assert place.run("init").code == 0
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={place.root}", "site.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place.blueprints, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
