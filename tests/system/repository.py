"""Debian packages made here, and a folder of them that apt in a machine installs from."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any


class Repository:
    """A folder of packages in a machine, from which its apt installs."""

    def __init__(self, machine: Any, work: Path) -> None:
        self.machine = machine
        self.work = work
        self.folder = machine.top / "srv" / "repository"
        self.folder.mkdir(parents=True)
        self.index: dict[str, str] = {}
        machine.run("sh", "-c", "rm -rf /etc/apt/sources.list* /var/lib/apt/lists/*")
        machine.write("/etc/dpkg/dpkg.cfg.d/fast", "force-unsafe-io\n")  # nothing here has to survive a power cut
        machine.write("/etc/apt/sources.list", "deb [trusted=yes] file:/srv/repository ./\n")

    def add(self, name: str, version: str = "1.0", fields: str = "", **files: str) -> None:
        """Make a package; ``files`` are its scripts and lists, by name, and what begins with a slash its content."""
        tree = self.work / f"{name}_{version}"
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: us <us@localhost>\n"
        control += f"Description: made for a test\n{fields}"
        own = f"/usr/share/{name}/version"
        for path, text in {"/DEBIAN/control": control, own: f"{version}\n", **files}.items():
            at = tree / (path.lstrip("/") if path.startswith("/") else f"DEBIAN/{path}")
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(text)
            at.chmod(0o755 if path in ("postinst", "prerm", "postrm", "preinst") else 0o644)
        deb = self.folder / f"{name}_{version}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True, capture_output=True)
        self._list(deb, control)

    def take(self, deb: Path) -> None:
        """Offer a package that was made elsewhere."""
        control = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True).stdout
        self._list(Path(shutil.copy(deb, self.folder)), control)

    def _list(self, deb: Path, control: str) -> None:
        data = deb.read_bytes()
        self.index[deb.name] = (
            f"{control}Filename: ./{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        )

    def publish(self, *, update: bool = True) -> None:
        """Write the index, and have apt fetch it."""
        (self.folder / "Packages").write_text("\n".join(self.index.values()))
        if update:
            self.machine.run("apt-get", "-q", "update")
