"""A folder on a real disk that is gone afterwards, and in it the sites that are measured."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.bare import content_of

FOLDERS = 4
_IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs", ""}
_BLUEPRINT = """\
from converge import Run, blueprint


@blueprint("{name}", "{count} files in {folders} directories")
def site(r: Run) -> None:
    for folder in range({folders}):
        r.directory(f"{tree}/{{folder}}", mode=0o755)
    for number in range({count}):
        r.file(f"{tree}/{{number % {folders}}}/{{number:06}}", content=f"file {{number:06}}\\n", mode=0o644)
"""


@dataclass(frozen=True, slots=True)
class Scratch:
    """Where everything happens."""

    folder: str
    filesystem: str

    def environment(self) -> dict[str, str]:
        """This process's own, with what the programs keep of themselves in here too."""
        given = {name: value for name, value in os.environ.items() if not name.startswith("CONVERGE_")}
        return given | {
            "CONVERGE_STATE_DIR": f"{self.folder}/state",
            "CONVERGE_RUNTIME_DIR": f"{self.folder}/run",
            "ANSIBLE_HOME": f"{self.folder}/ansible",
            "ANSIBLE_REMOTE_TEMP": f"{self.folder}/ansible/remote",
        }

    def site(self, count: int, name: str = "site") -> Site:
        """So many files, declared but not there yet."""
        folder = f"{self.folder}/{name}-{count}"
        os.makedirs(folder)
        made = Site(f"{name}-{count}", folder, count)
        with open(made.blueprint(), "w") as file:
            file.write(_BLUEPRINT.format(name=made.name, tree=made.tree(), count=count, folders=FOLDERS))
        with open(made.index(), "w") as file:
            file.writelines(f"{path}\n" for path in made.paths())
        made.empty()
        return made


@dataclass(frozen=True, slots=True)
class Site:
    """``count`` files of a dozen bytes in four directories."""

    name: str
    folder: str
    count: int

    def blueprint(self) -> str:
        return f"{self.folder}/site.py"

    def index(self) -> str:
        """The file that names all paths, for the bare loops."""
        return f"{self.folder}/paths"

    def tree(self) -> str:
        return f"{self.folder}/tree"

    def directories(self) -> list[str]:
        return [f"{self.tree()}/{number}" for number in range(FOLDERS)]

    def paths(self) -> list[str]:
        return [f"{self.tree()}/{number % FOLDERS}/{number:06}" for number in range(self.count)]

    def empty(self) -> None:
        """An empty folder, and nothing of the one before left for the disk to do.

        What was there is kept aside until the end: ext4 takes inodes that were freed in the last minutes only after a
        long search for others, which would be most of what is measured then.
        """
        if os.path.exists(self.tree()):
            os.rename(self.tree(), tempfile.mkdtemp(dir=self.folder) + "/tree")
        os.mkdir(self.tree(), 0o755)
        os.sync()

    def wrong(self) -> int:
        """How many files are not as declared."""
        return sum(not is_right(path) for path in self.paths())


def is_right(path: str) -> bool:
    """Whether the content is there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(handle, 64) == content_of(path)
    finally:
        os.close(handle)


@contextmanager
def scratch_folder() -> Iterator[Scratch]:
    """In $TMPDIR or /var/tmp or here, whichever is on a disk."""
    places = [os.environ.get("TMPDIR") or "/var/tmp", "/var/tmp", os.getcwd()]
    place = next((each for each in places if _usable(each)), tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="converge-bench-", dir=place) as folder:
        yield Scratch(os.path.realpath(folder), filesystem_of(folder))


def _usable(place: str) -> bool:
    return os.access(place, os.W_OK | os.X_OK) and filesystem_of(place) not in _IN_MEMORY


def filesystem_of(path: str) -> str:
    """The type of the file system that a path is on; nothing where that cannot be told."""
    path = os.path.realpath(path)
    found, longest = "", -1
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            mount, _, rest = line.partition(" - ")
            point = mount.split()[4].rstrip("/")
            if (path == point or path.startswith(f"{point}/")) and len(point) >= longest:
                found, longest = rest.split()[0], len(point)
    return found
