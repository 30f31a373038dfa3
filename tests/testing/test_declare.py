"""What users' tests are written with: a blueprint, run for a pretended machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from converge import Run, blueprint, file_exists
from converge.blueprints.registry import registry
from converge.core.errors import BlueprintNotFound
from converge.core.platform import DISTROS, Platform
from converge.resources.file import File
from converge.resources.package import Package
from converge.testing import MistakenBlueprint, Site, declare

if TYPE_CHECKING:
    from collections.abc import Callable


def web(r: Run, port: int = 80, platform: str = "") -> None:
    nginx = r.package("nginx" if r.platform.package_manager == "apt" else "nginx-core")
    conf = r.file("/etc/nginx/site.conf", content=f"listen {port};{platform}", mode=0o640, depends_on=nginx)
    r.service("nginx", state="running", reload_on=conf)
    r.directory("/etc/nginx")
    if r.in_shard(10):
        r.file("/etc/nginx/new", content="", condition=file_exists("/x"))


def test_resources_are_found_with_what_was_declared() -> None:
    site = declare(web, distro="fedora", port=8080)
    assert site.ids[0] == "package:nginx-core"
    assert "file:/etc/nginx/site.conf" in site
    assert not site.has("package:nginx")
    assert site["file:/etc/nginx/site.conf"].mode == 0o640
    assert site.get(File, "file:/etc/nginx/site.conf").content == "listen 8080;"
    assert [package.name for package in site.all(Package)] == ["nginx-core"]
    assert site.platform.distro == "fedora"
    assert site.mistakes == ()


def test_a_reason_is_that_of_the_resource_or_of_what_surrounds_it() -> None:
    def reasons(r: Run) -> None:
        r.file("/a")
        with r.because("outer"):
            r.file("/b")
            with pytest.raises(ZeroDivisionError), r.because("inner"):
                r.file("/c")
                r.file("/d", why="own")
                raise ZeroDivisionError
            r.include(lambda r: r.file("/e"))
        r.file("/f")

    site = declare(reasons)
    assert [site[f"file:/{name}"].why for name in "abcdef"] == [None, "outer", "inner", "own", "outer", None]


def test_order_is_by_declared_and_automatic_edges_also_by_way_of_others() -> None:
    site = declare(web, distro="debian")
    assert site.comes_before("package:nginx", "service:nginx")
    assert site.comes_before("file:/etc/nginx/site.conf", "service:nginx")
    assert not site.comes_before("service:nginx", "package:nginx")
    assert not site.comes_before("service:nginx", "service:nginx")
    assert not site.comes_before("package:nginx", "file:/etc/nginx")
    assert site.needs("file:/etc/nginx/site.conf") == {
        "package:nginx": "depends_on", "file:/etc/nginx": "parent directory",
    }  # fmt: skip
    with pytest.raises(KeyError, match=r"declares no service:ngnix .did you mean service:nginx"):
        site.comes_before("package:nginx", "service:ngnix")
    with pytest.raises(KeyError, match="did you mean file:/etc/nginx"):
        _ = site["file:/etc/nginxx"]
    with pytest.raises(TypeError, match="file:/etc/nginx is a Directory, no File"):
        site.get(File, "file:/etc/nginx")


def test_shards_parameters_and_platform_are_as_said() -> None:
    assert "file:/etc/nginx/new" in declare(web)
    assert "file:/etc/nginx/new" not in declare(web, in_shards=False)
    site = declare(web, platform="linux", parameters={"platform": "x"})
    assert site["file:/etc/nginx/site.conf"].content == "listen 80;x"
    own = Platform("linux", "ours", "apt", "systemd", "riscv64")
    assert declare(web, platform=own).platform is own
    with pytest.raises(ValueError, match="no distribution is known as 'debain'"):
        declare(web, distro="debain")
    with pytest.raises(ValueError, match="part of the platform"):
        declare(web, platform=own, distro="debian")


def test_mistakes_are_kept_and_whatever_else_is_asked_says_them() -> None:
    site = declare(web, platform="darwin", prot=80)
    assert [mistake.text for mistake in site.mistakes] == ["web: has no parameter prot (did you mean port?)"]
    site = declare(web, platform="darwin")
    assert {mistake.id for mistake in site.mistakes} == {"package:nginx-core"}
    with pytest.raises(MistakenBlueprint, match=r"there is no r\.package on darwin, only on linux"):
        _ = site.resources
    with pytest.raises(MistakenBlueprint):
        site.has("file:/x")


def test_a_file_and_a_registered_name_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "site.py"
    path.write_text(
        "from converge import Run, blueprint\n@blueprint('a')\ndef a(r: Run) -> None:\n    r.file('/a')\n"
        "@blueprint('b')\ndef b(r: Run, n: int) -> None:\n    r.file(f'/b{n}')\n"
    )
    assert declare(f"{path}:b", n=1).ids == ["file:/b1"]
    with pytest.raises(BlueprintNotFound, match="declares several blueprints"):
        declare(path)
    before = registry.snapshot()
    try:
        blueprint("of-a-test")(web)
        assert declare("of-a-test").name == "of-a-test"
    finally:
        registry.restore(before)


def test_secrets_come_from_files_and_nothing_is_decrypted(tmp_path: Path) -> None:
    def site(r: Run) -> None:
        r.file("/etc/secret", content=r.secret("db.password"), mode=0o600)

    assert "no config is registered" in str(declare(site).mistakes[0])
    file = tmp_path / "secrets.toml"
    file.write_text('[db]\npassword = "correct horse"\n')
    found = declare(site, config=[file])["file:/etc/secret"]
    assert found.mode == 0o600
    assert "correct horse" not in repr(found)


def test_every_known_distribution_has_a_package_manager_that_is_told() -> None:
    seen: list[Platform] = []

    def look(r: Run) -> None:
        seen.append(r.platform)

    for distro in DISTROS:
        declare(look, distro=distro)
    assert {each.package_manager for each in seen} == {"apt", "dnf", "zypper", "apk", "pacman"}
    declare(look, platform="windows")
    assert seen[-1] == Platform("windows", "", "winget", "scm", "AMD64")


# --- the plugin -----------------------------------------------------------------------------------------


def test_the_fixtures_are_there_and_find_files_from_the_folder_of_the_test(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "site.py").write_text(
        "from converge import Run, blueprint\n@blueprint('a')\ndef a(r: Run) -> None:\n"
        "    r.file('/a', content=r.platform.package_manager)\n"
    )
    (tmp_path / "tests" / "test_it.py").write_text(
        "def test_it(declare, any_distro):\n"
        "    site = declare('site.py', distro=any_distro)\n"
        "    assert site['file:/a'].content in ('apt', 'dnf', 'zypper', 'apk', 'pacman')\n"
        "def test_function(declare):\n"
        "    assert declare(lambda r: r.file('/b')).ids == ['file:/b']\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "tests"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert "7 passed" in done.stdout, done.stdout + done.stderr


def test_the_fixture_is_the_function(declare: Callable[..., Site]) -> None:
    assert declare(web, distro="arch").ids[0] == "package:nginx-core"
