"""What this machine is to be: a small web site's files, below the folder of this file.

converge check site.py      find mistakes, without a look at the machine
converge plan site.py       show what differs, and change nothing
converge serve site.py      put it right, and keep it so until Ctrl-C; --timeout 1s ends when all is right
pytest test_site.py         its tests
"""

from __future__ import annotations

from pathlib import Path

from converge import Run, blueprint

HERE = Path(__file__).resolve().parent


@blueprint("site", "a small web site's files")
def site(r: Run, title: str = "Hello", folder: Path = HERE / "public") -> None:
    """Arguments after ``r`` are parameters: ``converge plan site.py --set title=Welcome``. Their types are checked."""
    # A resource says what must be there, not how to get there. What else is in the folder is left alone.
    r.directory(folder, mode=0o755)

    # What is in a declared folder waits for that folder by itself. For other orders there is depends_on=.
    page = r.file(folder / "index.html", content=f"<h1>{title}</h1>\n", mode=0o644)

    # It is ordinary Python, with loops, functions, and what r.platform tells: os, distro, arch and more.
    for bot in ("crawler", "scraper"):
        r.file(folder / f"{bot}.txt", content=f"{bot}: please stay away\n", mode=0o644)

    # What is not to be there.
    r.file(folder / "index.html.bak", state="absent")

    # A command that runs when the page changed, and only then. No shell takes part.
    r.exec("note the change", ["touch", str(HERE / "changed")], only_on=page)
