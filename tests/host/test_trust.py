"""What root refuses to run or to believe, since somebody else could have written it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.blueprints.load import Given, load
from converge.core.errors import ConvergeError, ResourceError
from converge.host.state_dirs import ensure_dir
from converge.host.trust import Trust, Untrusted, weaknesses
from converge.secrets.errors import SecretError
from converge.secrets.keys import key_from_file

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it is root who must not trust others' files")

NOBODY = 65534
DAEMON = 1
SITE = (
    'from converge import Run, blueprint\n{0}\n@blueprint("site")\ndef site(r: Run, name: str = "") -> None:\n    {1}\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of root's alone, as all that it is in."""
    made = tmp_path / "site"
    made.mkdir(mode=0o755)
    return made


def write(path: Path, before: str = "", body: str = 'r.file("/x", content="")') -> str:
    path.write_text(SITE.format(before, body))
    path.chmod(0o644)
    return str(path)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "file of another": (lambda site: os.chown(site, NOBODY, 0), "belongs to nobody (chown root {site})"),
    "file for a group": (lambda site: site.chmod(0o664), "can be written by the group root (chmod g-w {site})"),
    "file for all": (lambda site: site.chmod(0o666), "can be written by everybody (chmod go-w {site})"),
    "folder of another": (lambda site: os.chown(site.parent, NOBODY, 0), "(chown root {folder})"),
    "folder for all": (lambda site: site.parent.chmod(0o777), "{folder} can be written by everybody"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_blueprint_that_others_can_write_is_refused(folder: Path, how: str) -> None:
    site = folder / "site.py"
    path = write(site, f"open({str(folder / 'ran')!r}, 'w')")
    spoil, said = SPOILED[how]
    spoil(site)
    with pytest.raises(Untrusted) as refused:
        load(path)
    assert said.format(site=site, folder=folder) in str(refused.value)
    assert not (folder / "ran").exists(), "it ran before it was refused"
    assert path in refused.value.files, "mending it must be noticed"
    load(path, given=Given(allow_writable=True))


def test_what_is_roots_alone_is_used(folder: Path) -> None:
    load(write(folder / "site.py"))


def test_a_sticky_folder_on_the_way_is_no_harm(folder: Path) -> None:
    folder.chmod(0o1777)
    load(write(folder / "site.py"))


def test_a_link_that_another_made_is_refused(folder: Path) -> None:
    write(folder / "site.py")
    link = folder / "link.py"
    link.symlink_to(folder / "site.py")
    load(str(link))
    os.lchown(link, NOBODY, NOBODY)
    with pytest.raises(Untrusted, match=r"chown -h root"):
        load(str(link))


def test_what_a_link_leads_to_is_looked_at(folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    write(other / "site.py")
    (folder / "site.py").symlink_to("../other/site.py")
    load(str(folder / "site.py"))
    other.chmod(0o777)
    with pytest.raises(Untrusted, match=f"{other} can be written by everybody"):
        load(str(folder / "site.py"))


@pytest.mark.parametrize("beside", [True, False])
def test_a_module_that_others_can_write_does_not_run(
    folder: Path, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    place = folder if beside else folder.parent / "library"
    place.mkdir(exist_ok=True)
    module = place / "converge_test_helper.py"
    module.write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    path = write(folder / "site.py", f"import sys; sys.path.append({str(place)!r})\nimport converge_test_helper")
    module.chmod(0o666)
    with pytest.raises(Untrusted, match=f"{module} can be written by everybody"):
        load(path)
    assert not (folder / "ran").exists(), "it ran before it was refused"
    module.chmod(0o644)
    try:
        load(path)
    finally:
        sys.modules.pop("converge_test_helper", None)
    assert (folder / "ran").exists()


def test_what_is_built_into_python_goes_before_a_file_of_the_same_name(folder: Path) -> None:
    name = next(each for each in sys.builtin_module_names if each not in sys.modules)
    (folder / f"{name}.py").write_text("raise RuntimeError\n")
    try:
        load(write(folder / "site.py", f"import {name}"))
        assert not hasattr(sys.modules[name], "__file__")
    finally:
        sys.modules.pop(name, None)


def test_compiled_modules_that_others_can_write_are_refused(folder: Path) -> None:
    (folder / "converge_test_compiled.py").write_text("")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__").chmod(0o777)
    with pytest.raises(Untrusted, match="__pycache__ can be written by everybody"):
        load(write(folder / "site.py", "import converge_test_compiled"))


def test_values_and_configs_that_others_can_write_are_refused(folder: Path) -> None:
    path = write(folder / "site.py", body='r.config("secrets.toml"); r.file("/x", content="")')
    for name in ("values.toml", "secrets.toml"):
        (folder / name).write_text('name = "x"\n')
    given_values = Given(values_file=str(folder / "values.toml"))
    load(path, given=given_values)
    for name in ("values.toml", "secrets.toml"):
        (folder / name).chmod(0o666)
        with pytest.raises(ConvergeError, match=f"{name} is not used as root"):
            load(path, given=given_values)
        (folder / name).chmod(0o644)
    (folder / "secrets.toml").chmod(0o666)
    with pytest.raises(Untrusted, match=r"secrets\.toml"):
        load(write(folder / "other.py"), given=Given(config=(str(folder / "secrets.toml"),)))


def test_a_key_that_others_can_replace_is_refused(folder: Path) -> None:
    key = folder / "key"
    key.write_text("a key that is long enough")
    key.chmod(0o600)
    key_from_file(str(key))
    os.chown(folder, NOBODY, 0)
    with pytest.raises(SecretError, match=f"could be replaced by others: {folder} belongs to nobody"):
        key_from_file(str(key))


def test_state_is_not_kept_where_others_can_replace_it(folder: Path) -> None:
    ensure_dir(folder / "state")
    folder.chmod(0o777)
    with pytest.raises(ResourceError, match=f"{folder} can be written by everybody"):
        ensure_dir(folder / "state")
    os.chown(folder, NOBODY, 0)
    folder.chmod(0o755)
    with pytest.raises(ResourceError, match=f"{folder} belongs to nobody"):
        ensure_dir(folder / "run" / "deeper")
    assert not (folder / "run").exists()


def test_no_advice_gives_a_home_to_root(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    import pwd

    them = pwd.struct_passwd(("them", "x", NOBODY, NOBODY, "", str(folder), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [them])
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(Untrusted) as refused:
        load(write(folder / "site.py"))
    assert f"{folder} is the home of them\n" in str(refused.value)
    assert "/etc/converge" in str(refused.value)


def test_others_than_root_use_what_they_like(folder: Path) -> None:
    (folder / "site.py").touch()
    (folder / "site.py").chmod(0o666)
    child = os.fork()
    if not child:
        try:
            os.setuid(NOBODY)
            Trust().require(str(folder / "site.py"))
            os._exit(7)
        finally:
            os._exit(8)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize("command", ["plan", "serve", "check", "graph"])
def test_every_command_that_runs_a_blueprint_refuses(folder: Path, command: str) -> None:
    path = write(folder / "site.py", body="pass")
    (folder / "site.py").chmod(0o666)
    options = ["--timeout", "1ms"] if command == "serve" else []
    env = {**os.environ, "CONVERGE_STATE_DIR": str(folder / "state"), "CONVERGE_RUNTIME_DIR": str(folder / "run")}
    argv = [sys.executable, "-m", "converge", command, path, *options]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=env)
    assert done.returncode == 1
    assert f"chmod go-w {path}" in done.stderr
    insisted = subprocess.run([*argv, "--allow-writable"], check=False, capture_output=True, text=True, env=env)
    assert insisted.returncode == 0, insisted.stderr


def test_modules_of_the_program_come_from_no_current_folder(folder: Path) -> None:
    (folder / "rustworkx.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    site = write(folder.parent / "site.py", body="pass")
    done = subprocess.run(
        [sys.executable, "-m", "converge", "plan", site], cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not (folder / "ran").exists()


# --- the law: what nobody finds fault with, no other user can change -----------------------------------------

owners = st.sampled_from([0, NOBODY, DAEMON])
groups = st.sampled_from([0, NOBODY, DAEMON])
folder_modes = st.sampled_from([0o755, 0o775, 0o777, 0o757, 0o1777, 0o1775, 0o700, 0o711])
file_modes = st.sampled_from([0o644, 0o664, 0o666, 0o646, 0o600, 0o755])
places = st.tuples(owners, groups, folder_modes)


@given(outer=places, inner=places, file=st.tuples(owners, groups, file_modes), link=st.booleans())
def test_what_is_trusted_no_other_user_can_change(
    outer: tuple[int, int, int], inner: tuple[int, int, int], file: tuple[int, int, int], link: bool
) -> None:
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        first, second, site = f"{root}/outer", f"{root}/outer/inner", f"{root}/outer/inner/site.py"
        os.makedirs(second)
        Path(site).write_text("right")
        asked = site
        if link:
            asked = f"{second}/link.py"
            os.symlink("site.py", asked)
            os.lchown(asked, file[0], file[1])
        for path, (uid, gid, mode) in ((site, file), (second, inner), (first, outer)):
            os.chown(path, uid, gid)
            os.chmod(path, mode)
        found = list(weaknesses(asked))
        if not found:
            Trust().require(asked)
            for uid in (NOBODY, DAEMON):
                assert not attacked(uid, asked, first, second), (outer, inner, file, link, uid)
            assert Path(asked).read_text() == "right"
            assert all(stat.S_ISDIR(os.lstat(path).st_mode) for path in (first, second))


def attacked(uid: int, site: str, *folders: str) -> bool:
    """Whether this user can change what is at ``site``, by any of the ways there are."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    won = False
    try:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        for attempt in (
            lambda: Path(site).write_text("wrong"),
            lambda: os.chmod(site, 0o666),
            lambda: os.rename(site, f"{site}.away"),
            lambda: os.unlink(site),
            *(lambda folder=folder: os.rename(folder, f"{folder}.away") for folder in folders),
            *(lambda folder=folder: os.chmod(folder, 0o777) for folder in folders),
        ):
            try:
                attempt()  # type: ignore[operator]  # all take nothing
                won = True
            except OSError:
                pass
    finally:
        os._exit(won)
