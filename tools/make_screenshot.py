"""Records docs/screenshot.svg: the real program in a real terminal (tmux), while somebody tampers with its files."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
import time
from io import StringIO
from pathlib import Path

from pages import ROOT, Sandbox
from rich.console import Console
from rich.text import Text

WIDTH = 76
TMUX = ["tmux", "-L", "converge-screenshot"]

BLUEPRINT = """
from converge import Run, blueprint

@blueprint("site")
def site(r: Run) -> None:
    r.directory("/srv/site", mode=0o755)
    r.file("/srv/site/index.html", content="<p>Hello\\n", mode=0o644)
    r.file("/srv/site/health.sh", content="#!/bin/sh\\n", mode=0o755)
    r.symlink("/srv/site/current", target="releases/1.0")
"""

TAMPERING = [
    "echo '<p>hacked' > /srv/site/index.html",
    "chmod -x /srv/site/health.sh",
    "ln -sfn releases/0.9 /srv/site/current",
    "rm /srv/site/health.sh",
]


def main() -> None:
    """Record it."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder))
        sandbox.put("site.py", BLUEPRINT)
        seen = record(sandbox)
    (ROOT / "docs" / "screenshot.svg").write_text(as_svg(sandbox.shown(seen)))


def record(sandbox: Sandbox) -> str:
    """What the terminal shows in the end, with its colours."""
    say = "printf '\\033[1;36m$ %s\\033[0m\\n'"
    setup = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sandbox.environment().items())
    steps = "".join(f"sleep 1\n{say} {shlex.quote(step)}\n{step}\n" for step in TAMPERING)
    script = sandbox.work / "script"
    script.write_text(
        f"{setup}{say} 'converge serve site.py &'\nconverge serve site.py &\nsleep 3\n{sandbox.relocated(steps)}"
        "sleep 1.5\ntouch done\nwhile test ! -e seen; do sleep 0.1; done\nkill $!\nwait\ntouch ended\n"
    )
    subprocess.run(
        [*TMUX, "new-session", "-d", "-x", "300", "-y", "70", "-c", str(sandbox.work), "sh", str(script)], check=True
    )
    try:
        wait_for(sandbox.work / "done")
        capture = [*TMUX, "capture-pane", "-p", "-e"]
        seen = subprocess.run(capture, check=True, capture_output=True, text=True).stdout
        (sandbox.work / "seen").touch()
        wait_for(sandbox.work / "ended")
    finally:
        # It ends by itself with its last window, so that there may be nothing left to end.
        subprocess.run([*TMUX, "kill-server"], check=False, stderr=subprocess.DEVNULL)
    return seen.rstrip() + "\n"


def wait_for(file: Path) -> None:
    """Until the script in the terminal has come so far."""
    until = time.monotonic() + 60
    while not file.exists():
        if time.monotonic() > until:
            raise SystemExit("the recording did not come to its end")
        time.sleep(0.1)


def as_svg(seen: str) -> str:
    """The picture. Its fonts are the reader's own: a picture in a document should load nothing from elsewhere."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(seen), crop=True, no_wrap=True, overflow="crop")
    svg = console.export_svg(title="converge", unique_id="converge")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(
        r"font-family: Fira Code, monospace", "font-family: Fira Code, DejaVu Sans Mono, Menlo, monospace", svg
    )


if __name__ == "__main__":
    main()
