"""How other tools are told what a site is, each in its own words."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.bare import content_of
from benchmarks.runs import CONVERGE, run
from benchmarks.scratch import Scratch, Site


@dataclass(frozen=True, slots=True)
class Tool:
    """``describe`` makes its description of a site. In the commands, ``{at}`` stands for the site's folder."""

    program: str
    describe: Callable[[Site], str]
    file: str
    """The name of the description."""
    plan: Sequence[str]
    apply: Sequence[str]
    until: bytes | None = None
    """What it says once all is done, where it does not end then."""

    def installed(self) -> bool:
        return shutil.which(self.program) is not None

    def title(self, scratch: Scratch) -> str:
        """Its name and version."""
        name = os.path.basename(self.program)
        if not self.installed():
            return name
        found = re.search(r"\d+(\.\d+)+", run([self.program, "--version"], scratch).output.decode())
        return f"{name} {found[0]}" if found else name

    def prepare(self, site: Site) -> None:
        if text := self.describe(site):
            with open(f"{site.folder}/{self.file}", "w") as file:
                file.write(text)


def _for_pyinfra(site: Site) -> str:
    lines = ["from io import StringIO", "from pyinfra.operations import files"]
    lines += [f"files.directory({path!r}, mode='755')" for path in site.directories()]
    lines += [f"files.put(src=StringIO({_text(path)!r}), dest={path!r}, mode='644')" for path in site.paths()]
    return "\n".join([*lines, ""])


def _for_ansible(site: Site) -> str:
    directories = {"path": "{{ item }}", "state": "directory", "mode": "0755"}
    files = {"dest": "{{ item.path }}", "content": "{{ item.content }}", "mode": "0644"}
    wanted = [{"path": path, "content": _text(path)} for path in site.paths()]
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [
            {"ansible.builtin.file": directories, "loop": site.directories()},
            {"ansible.builtin.copy": files, "loop": wanted},
        ],
    }
    return json.dumps([play])  # JSON is YAML


def _for_puppet(site: Site) -> str:
    lines = [f"file {{ '{path}': ensure => directory, mode => '0755' }}" for path in site.directories()]
    lines += [
        f"file {{ '{path}': ensure => file, content => {json.dumps(_text(path))}, mode => '0644' }}"
        for path in site.paths()
    ]
    return "\n".join([*lines, ""])


def _text(path: str) -> str:
    return content_of(path).decode()


_PYINFRA = ["pyinfra", "--yes", "@local", "{at}/deploy.py"]
_ANSIBLE = ["ansible-playbook", "-i", "localhost,", "{at}/play.yml"]
_PUPPET = ["puppet", "apply", "{at}/site.pp"]
_PUPPET += [f"--{name}dir={{at}}/puppet-{name}" for name in ("conf", "code", "var", "log", "run", "ssl", "public")]
OURS = Tool(
    CONVERGE[0],
    lambda _: "",  # it is there already
    "site.py",
    [*CONVERGE, "plan", "{at}/site.py"],
    [*CONVERGE, "serve", "{at}/site.py"],
    until=b"WATCHING",
)
OTHERS = (
    Tool("pyinfra", _for_pyinfra, "deploy.py", [*_PYINFRA, "--dry"], _PYINFRA),
    Tool("ansible-playbook", _for_ansible, "play.yml", [*_ANSIBLE, "--check"], _ANSIBLE),
    Tool("puppet", _for_puppet, "site.pp", [*_PUPPET, "--noop"], _PUPPET),
)
