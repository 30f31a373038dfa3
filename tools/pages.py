"""The pages of the documentation as data: their code blocks, and a sandbox in which what they show can be tried.

A block's first line may say more than its language. ``python file=site.py`` puts its text into the sandbox under that
name. ``python load-only`` is loaded and put in order, but not planned, because it names users or programs that only
the reader's machine has; with ``platform=darwin``, as for such a machine; with ``with=json-setting``, where that
example is installed. ``python mistaken`` is refused. ``python runs`` is no blueprint, and is run as it is. ``python
file=test_x.py pytest`` is run by pytest. ``package`` marks what docs/adding-a-kind.md makes and does with its package;
it has a test of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"(?<![\w/.])/(?:etc|srv|opt|var|home|usr/local)(?=/|\b)")
"""Where blueprints in the pages put things. In the sandbox these folders are its own."""


def pages() -> list[Path]:
    """All that is written for readers."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the words after that, its text, and the line where the text begins."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The name under which a sandbox has it."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), None)


def blocks(text: str) -> Iterator[Block]:
    """All fenced blocks of a page."""
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start(3)) + 1
        yield Block(found[1], tuple(found[2].split()), found[3], line)


def commands(text: str) -> Iterator[str]:
    """The command lines of a console session: those after a ``$``."""
    return (line[2:] for line in text.splitlines() if line.startswith("$ "))


def as_blueprint(text: str) -> str:
    """A whole blueprint; a few lines that only declare are put into one."""
    if "@blueprint" in text:
        return text
    names = "Block, Line, Run, blueprint, file_exists, registry_key_exists, registry_value_equals"
    head = f"from converge import {names}\n\n@blueprint('example')\ndef example(r: Run):\n"
    return head + textwrap.indent(text, "    ")


class Sandbox:
    """A folder that stands in for a machine: /etc, /srv and so on are below it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.work = self.root / "work"
        for name in ("etc", "srv", "opt", "var/lib", "home", "usr/local", "work"):
            (self.root / name).mkdir(parents=True)

    def relocated(self, text: str) -> str:
        """The text with its paths leading into the sandbox."""
        return _ELSEWHERE.sub(lambda found: f"{self.root}{found[0]}", text)

    def shown(self, text: str) -> str:
        """The text as a reader would have it on a machine of theirs."""
        text = text.replace(f"{self.work}/", "").replace(str(self.work), ".")
        return text.replace(str(self.root), "")

    def put(self, name: str, text: str) -> Path:
        """A file of the page."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.relocated(text))
        return path

    def put_files(self, text: str) -> None:
        """All files of a page."""
        for block in blocks(text):
            if block.file is not None:
                self.put(block.file, block.text)

    def environment(self) -> dict[str, str]:
        """This process's own, with converge's folders in the sandbox, and the program that is tested first in PATH."""
        mine = {
            "CONVERGE_STATE_DIR": str(self.root / "state"),
            "CONVERGE_RUNTIME_DIR": str(self.root / "run"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "CONVERGE_KEY": "the key of these pages",
        }
        return {name: value for name, value in os.environ.items() if name != "CONVERGE_OUT"} | mine

    def session(self, text: str) -> str:
        """The same console session, with what its commands print now."""
        said: list[str] = []
        for command in commands(text):
            done = subprocess.run(
                ["/bin/sh", "-c", self.relocated(command)], cwd=self.work, env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                timeout=60,
            )  # fmt: skip
            said += [f"$ {command}\n", self.shown(done.stdout)]
        return "".join(said)


_COMMAND = re.compile(
    r"(?:^|[\s=/(])converge "
    r"((?:plan|serve|check|graph|init|adopt|secret|list|version|completion|help|--)[^#|;&>()`]*)"
)


def converge_commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each ``converge …`` that a page shows, as it is written and as the words after the program's name."""
    lines = [
        line
        for block in blocks(text)
        if block.language in ("console", "sh", "systemd")
        for line in (commands(block.text) if block.language == "console" else block.text.splitlines())
    ]
    # In a sentence, the bare name of a command means the command, and nobody would type it so.
    inline = re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))
    lines += [line for line in inline if not re.fullmatch(r"converge (plan|serve|check|graph|adopt|completion)", line)]
    for line in lines:
        if found := _COMMAND.search(line):
            yield line, shlex.split(found[1])


_VARIES = [
    (re.compile(r"\d+(\.\d+)? (ms|s)\b"), "<time>"),
    (re.compile(r'("duration_ms": )[\d.]+'), r"\1<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z)?"), "<moment>"),
    (re.compile(r"process \d+"), "process <number>"),
    (re.compile(r" +<time>"), ""),  # durations below a millisecond are not shown at all
    (re.compile(r', "duration_ms": <time>'), ""),
]


def timeless(text: str) -> str:
    """A session without what differs between two runs that are otherwise alike; the order is one of it."""
    for pattern, word in _VARIES:
        text = pattern.sub(word, text)
    return "\n".join(sorted(text.splitlines()))
