"""A real Windows Python under Wine, made once and kept in the cache of the tests for all checkouts.

The interpreter's DLL comes in a wheel of PyPI's, the standard library from a Python 3.11 of this machine, and what
converge depends on from PyPI's wheels for Windows. Tests get a copy of a fresh Windows each.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("CONVERGE_TEST_CACHE", "/var/cache/converge-tests"))
VERSION = "1"
"""Goes up when all of it has to be made anew, in the cache too."""
WINE = "/usr/lib/wine/wine64"
SERVER = "/usr/lib/wine/wineserver64"
_CC = "x86_64-w64-mingw32-gcc"
_DEBIANS = ("wine64", "gcc-mingw-w64-x86-64")
_INTERPRETER = "panda3d==1.10.16"
"""Its wheel has python311.dll and the standard library's .pyd files."""
_WHEELS = ("rustworkx", "rich", "jinja2", "cryptography")
_LAUNCHER = """
#include <windows.h>
typedef int (*Main)(int, wchar_t **);
int wmain(int argc, wchar_t **argv) {
    HMODULE dll = LoadLibraryW(L"python311.dll");
    Main main_ = dll ? (Main)GetProcAddress(dll, "Py_Main") : 0;
    return main_ ? main_(argc, argv) : 90;
}
"""
_RANDOM = """
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
"""
"""Wine 8 lacks the library that modern Rust takes random numbers from."""


class Unavailable(Exception):
    """No Windows can be had, and why."""


def why_not() -> str | None:
    """Why no Windows can be had here; None where one can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "needs Linux on x86_64"
    if sys.version_info[:2] != (3, 11):
        return "needs to be run by Python 3.11, whose standard library it takes"
    if not os.access(WINE, os.X_OK) and (os.geteuid() != 0 or not Path("/etc/debian_version").exists()):
        return f"needs {' and '.join(_DEBIANS)}, which root can install on Debian"
    return None


def home() -> Path:
    """The folder with Python (``py``), packages (``site``) and a fresh Windows (``prefix``). Raises Unavailable."""
    ready = CACHE / f"wine-{VERSION}"
    if ready.exists() and os.access(WINE, os.X_OK):
        return ready
    making = CACHE / f"making-wine-{os.getpid()}"
    try:
        _install_tools()
        if not ready.exists():
            making.mkdir(parents=True)
            _make(making)
            making.rename(ready)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "output", None) or ""
        raise Unavailable(f"it could not be made: {error} {said[-1000:]}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return ready


def _install_tools() -> None:
    if os.access(WINE, os.X_OK) and shutil.which(_CC):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _must(["apt-get", "-qq", "update"], timeout=300, env=environment)
    _must(["apt-get", "-qq", "-y", "--no-install-recommends", "install", *_DEBIANS], timeout=600, env=environment)


def _make(folder: Path) -> None:
    python, site = folder / "py", folder / "site"
    python.mkdir()
    for wheel in _download(folder / "interpreter", "--no-deps", _INTERPRETER):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                base = name.rpartition("/")[2]
                if name.startswith("deploy_libs/") and base and not base.startswith("api-ms-"):
                    (python / base).write_bytes(archive.read(name))
    left_out = shutil.ignore_patterns("lib-dynload", "test", "site-packages", "__pycache__", "config-3*", "idlelib")
    shutil.copytree(sysconfig.get_path("stdlib"), python / "Lib", ignore=left_out)
    _compile(python, "python.exe", _LAUNCHER, "-municode")
    _compile(python, "bcryptprimitives.dll", _RANDOM, "-shared", libraries=["-ladvapi32"])
    _forward(python)
    for wheel in _download(folder / "wheels", *_WHEELS):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    _must([WINE, "wineboot", "-i"], timeout=180, env=environment(folder / "prefix"))
    _must([SERVER, "-w"], timeout=60, env=environment(folder / "prefix"))


def _download(folder: Path, *wanted: str) -> list[Path]:
    _must(
        [
            sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--only-binary=:all:",
            "--python-version", "3.11", "--implementation", "cp", "--platform", "win_amd64", "-d", str(folder), *wanted,
        ],
        timeout=600,
    )  # fmt: skip
    return sorted(folder.glob("*.whl"))


def _compile(folder: Path, name: str, source: str, *options: str, libraries: Sequence[str] = ()) -> None:
    text = folder / f"{name}.c"
    text.write_text(source)
    _must([_CC, *options, str(text), "-o", str(folder / name), *libraries], timeout=120)


def _forward(folder: Path) -> None:
    """Wheels for several Pythons want python3.dll, which hands everything on to the one of the version."""
    listed = _must(["x86_64-w64-mingw32-objdump", "-p", str(folder / "python311.dll")], timeout=60)
    names = [
        line.split()[-1] for line in listed.partition("[Ordinal/Name Pointer] Table")[2].splitlines() if "[" in line
    ]
    exports = folder / "python3.def"
    exports.write_text("EXPORTS\n" + "".join(f"{name} = python311.{name}\n" for name in names))
    options = ("-shared", "-nostartfiles", "-nostdlib", "-e", "0", str(exports))
    _compile(folder, "python3.dll", "void *nothing;\n", *options)


def environment(prefix: Path) -> dict[str, str]:
    """For a program that Wine runs."""
    return {**os.environ, "WINEPREFIX": str(prefix), "WINEDEBUG": "-all"}


def _must(command: Sequence[str], *, timeout: float, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=timeout, env=env, check=True,
    )  # fmt: skip
    return done.stdout


def _installed(folder: Path) -> Path:
    """What tells Python that converge is installed, with its entry points."""
    known = distribution("converge")
    about = folder / f"converge-{known.version}.dist-info"
    about.mkdir(parents=True)
    for name in ("METADATA", "entry_points.txt"):
        (about / name).write_text(known.read_text(name) or "")
    return folder


class Windows:
    """A Windows of a test's own. Its programs talk through pipes, since Wine's Python takes no files for that."""

    def __init__(self, made: Path, prefix: Path) -> None:
        shutil.copytree(made / "prefix", prefix, symlinks=True)
        self._python = made / "py" / "python.exe"
        path = [CHECKOUT / "src", made / "site", _installed(prefix.parent / "installed")]
        self.env = environment(prefix) | {
            "PYTHONPATH": ";".join(map(self.path, path)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        # Wine ends with its last program, all services too, and breaks one that starts at that moment.
        self._keeper = self._start("-c", "import time; print('up', flush=True); time.sleep(3600)")
        if self._keeper.stdout is None or self._keeper.stdout.readline() != "up\n":
            raise Unavailable(f"its Python did not start ({self._keeper.wait(60)})")

    def path(self, path: Path) -> str:
        """What a path of this machine is called there."""
        return "Z:" + str(path).replace("/", "\\")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``converge``."""
        return self._start("-m", "converge", *arguments)

    def python(self, code: str) -> str:
        """Run a piece of Python, which must end well; returns what it prints."""
        with self._start("-c", code) as process:
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [WINE, str(self._python), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", env=self.env,
        )  # fmt: skip

    def converge(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``converge`` to its end; both of its outputs in one."""
        with self.start(*arguments) as process:
            try:
                output, _ = process.communicate(timeout=90)
            finally:
                process.kill()
        return subprocess.CompletedProcess(arguments, process.returncode, output)

    @contextmanager
    def guarding(self, *blueprint: str) -> Iterator[None]:
        """A daemon that has put everything right and watches; it must still do so at the end."""
        daemon = self.start("serve", *blueprint, "--out", "json")
        stuck = threading.Timer(120, daemon.kill)
        stuck.start()
        try:
            seen = []
            for line in daemon.stdout or ():
                seen.append(line)
                if json.loads(line).get("event") == "watching":
                    break
            else:
                raise AssertionError(f"it ended: {seen[-5:]}")
            yield
            assert daemon.poll() is None, "it ended"
        finally:
            stuck.cancel()
            daemon.kill()
            daemon.wait(30)

    def reg(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``reg.exe``, another program than ours."""
        return subprocess.run(
            [WINE, "reg", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=60, env=self.env, check=False,
        )  # fmt: skip

    def end(self) -> None:
        """End all that runs there."""
        subprocess.run([SERVER, "-k"], env=self.env, timeout=60, check=False)
        self._keeper.kill()
        self._keeper.wait(60)
