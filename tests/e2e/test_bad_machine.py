"""A machine that does not let us: full, read-only, forbidden, or not as the blueprint thinks. Each has its sentence."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from converge.host.fs.os_errors import describe_os_error, doing

if TYPE_CHECKING:
    from .conftest import Place

OTHER = '\nr.file(HERE / "other", content="x")'


def failed(place: Place, *options: str) -> dict[str, Any]:
    """Run once; the other resource is right, and this is the one that failed."""
    said = place.once("--out", "json", "--max-retries", "0", *options)
    assert said.code == 1
    assert "Traceback" not in said.err
    assert (place.managed / "other").read_text() == "x"
    found: dict[str, Any]
    (found,) = (each for each in said.json()["resources"] if each["status"] == "failed")
    return found


def test_a_path_that_is_a_directory(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x")' + OTHER)
    (place.managed / "a").mkdir()
    path = place.managed / "a"
    assert (
        failed(place)["error"]
        == f"{path} is a directory; it is not replaced by a file; remove it or choose another path"
    )


def test_a_directory_where_a_file_is(place: Place) -> None:
    place.declare('r.directory(HERE / "a")' + OTHER)
    (place.managed / "a").touch()
    path = place.managed / "a"
    assert (
        failed(place)["error"]
        == f"{path} is a file; it is not replaced by a directory; remove it or choose another path"
    )


def test_a_part_of_the_path_that_is_a_file(place: Place) -> None:
    place.declare('r.file(HERE / "a/b/c", content="x", parents=True)' + OTHER)
    (place.managed / "a").write_text("a file")
    assert failed(place)["error"] == f"{place.managed}/a is not a directory"
    assert (place.managed / "a").read_text() == "a file"


def test_a_device_and_a_fifo_are_not_replaced_and_not_read(place: Place) -> None:
    place.declare('r.file(HERE / "fifo", content="x")' + OTHER)
    os.mkfifo(place.managed / "fifo")
    assert "is a FIFO; it is not replaced" in failed(place)["error"]
    assert stat.S_ISFIFO((place.managed / "fifo").stat().st_mode)


def test_an_owner_that_does_not_exist(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x", owner="nosuchuser")' + OTHER)
    assert failed(place)["error"] == f"{place.managed}/a: the user nosuchuser does not exist"
    assert not (place.managed / "a").exists()


def test_a_group_that_does_not_exist(place: Place) -> None:
    place.declare('r.directory(HERE / "a", group="nosuchgroup")' + OTHER)
    assert failed(place)["error"] == f"{place.managed}/a: the group nosuchgroup does not exist"
    assert not (place.managed / "a").exists()


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ nmae }}", "the template {bp}/t.j2:1: 'nmae' is undefined; give it in vars="),
        ("\n\n{{ name.frist }}", "the template {bp}/t.j2:3: "),
        ("\n{% if %}", "the template {bp}/t.j2:2: "),
        ("{{ 1 / 0 }}", "the template {bp}/t.j2:1: ZeroDivisionError: division by zero"),
        ("{% include 'other.j2' %}", "the template {bp}/other.j2 does not exist"),
        (b"\xff\xfe", "the template {bp}/t.j2 is not UTF-8 text"),
        (None, "the template {bp}/t.j2 does not exist"),
    ],
    ids=["undefined", "undefined attribute", "syntax", "exception", "include", "not text", "missing"],
)
def test_a_template_that_cannot_be_rendered(place: Place, template: str | bytes | None, said: str) -> None:
    place.declare('r.file(HERE / "a", template="t.j2", vars={"name": "x"})' + OTHER)
    if template is not None:
        (place.blueprints / "t.j2").write_bytes(template if isinstance(template, bytes) else template.encode())
    assert failed(place)["error"].startswith(said.format(bp=place.blueprints))
    assert not (place.managed / "a").exists()


def test_a_source_that_is_missing_or_no_file(place: Place) -> None:
    place.declare('r.file(HERE / "a", source="s")' + OTHER)
    assert failed(place)["error"] == f"the source {place.blueprints}/s does not exist"
    (place.blueprints / "s").mkdir()
    assert failed(place)["error"] == f"the source {place.blueprints}/s is not a regular file"


def test_names_and_content_that_are_not_utf8(place: Place) -> None:
    place.declare(
        """
        r.file(os.fsencode(HERE) + b"/\\xff\\xfe", content=b"\\x80\\x81\\n")
        r.symlink(HERE / "link", b"\\xff")
        r.file(HERE / "line", line="added")
        r.file(HERE / "other", content="x")
        """,
        before="import os",
    )
    (place.managed / "line").write_bytes(b"\xff\xfe\nsecond\n")
    for out in ("serial", "json"):
        plan = place.plan("--out", out)
        assert (plan.code, plan.err) == (0, "")
    said = place.once("--out", "json")
    assert (said.code, said.err) == (0, "")
    assert r"\udcff\udcfe" in said.json()["resources"][0]["id"] or r"\udcff\udcfe" in said.out.replace("\\\\", "\\")
    assert (os.fsencode(place.managed) + b"/\xff\xfe", b"\x80\x81\n") == (
        next(p for p in (os.path.join(os.fsencode(place.managed), n) for n in os.listdir(os.fsencode(place.managed)))
             if p.endswith(b"\xfe")),
        Path(os.fsdecode(os.fsencode(place.managed) + b"/\xff\xfe")).read_bytes(),
    )  # fmt: skip
    assert os.readlink(os.fsencode(place.managed) + b"/link") == b"\xff"
    assert (place.managed / "line").read_bytes() == b"\xff\xfe\nsecond\nadded\n"
    assert set(place.once("--out", "json").statuses().values()) == {"ok"}


def test_a_file_system_that_is_read_only(place: Place, mount: Callable[..., None]) -> None:
    place.declare('r.file(HERE / "ro/a", content="x")' + OTHER)
    (place.managed / "ro").mkdir()
    mount(place.managed / "ro", "size=1m,ro")
    assert failed(place)["error"] == f"{place.managed}/ro/a: the file system is read-only"


def test_a_file_system_that_is_full_keeps_the_old_content_and_leaves_nothing_behind(
    place: Place, mount: Callable[..., None]
) -> None:
    place.declare('r.file(HERE / "small/a", content="y" * 2_000_000)' + OTHER)
    small = place.managed / "small"
    small.mkdir()
    mount(small, "size=1m")
    (small / "a").write_text("old")
    assert failed(place)["error"] == f"{small}/a: no space is left on the file system"
    assert (small / "a").read_text() == "old"
    assert [path.name for path in small.iterdir()] == ["a"]


def test_a_file_system_that_was_full_is_right_once_there_is_room(place: Place, mount: Callable[..., None]) -> None:
    place.declare('r.file(HERE / "small/a", content="y" * 700_000)' + OTHER)
    small = place.managed / "small"
    small.mkdir()
    mount(small, "size=1m")
    (small / "ballast").write_bytes(b"z" * 800_000)
    daemon = place.serve("--max-retries", "0")
    assert daemon.outcome(small / "a", "failed")["error"] == f"{small}/a: no space is left on the file system"
    (small / "ballast").unlink()
    (small / "a").touch()
    daemon.until(lambda: (small / "a").read_bytes() == b"y" * 700_000)


def test_a_state_folder_that_cannot_be_used(place: Place) -> None:
    place.declare('conf = r.file(HERE / "a", content="x")\nr.exec("restart", "true", only_on=conf)')
    (place.root / "file").write_text("")
    (place.root / "open").mkdir()
    (place.root / "open").chmod(0o777)
    for name, said in (
        ("file", "is not a directory, so converge cannot keep its state there"),
        ("open", "can be written by others; make it mode 0700"),
        ("file/below", "Not a directory"),
    ):
        for variable in ("CONVERGE_STATE_DIR", "CONVERGE_RUNTIME_DIR"):
            answer = place.once(**{variable: str(place.root / name)})
            assert (answer.code, answer.out) == (1, "")
            assert len(answer.err.splitlines()) == 1
            assert answer.err.startswith("converge: ")
            assert said.lower() in answer.err.lower()
            assert str(place.root / name) in answer.err
            assert not (place.managed / "a").exists()


def test_a_state_folder_on_a_read_only_file_system(place: Place, mount: Callable[..., None]) -> None:
    place.declare('r.file(HERE / "a", content="x")')
    (place.root / "state").mkdir(mode=0o700)
    mount(place.root / "state", "size=1m,ro,mode=700")
    answer = place.once()
    assert "Traceback" not in answer.err
    assert answer.code == 0
    place.declare('conf = r.file(HERE / "b", content="x")\nr.exec("restart", "true", only_on=conf)')
    answer = place.once("--max-retries", "0")
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert "read-only" in (answer.out + answer.err).lower()


def test_a_damaged_list_of_refreshes_is_told_and_not_thrown_away(place: Place) -> None:
    place.declare('conf = r.file(HERE / "a", content="x")\nr.exec("restart", "false", only_on=conf, retries=0)')
    assert place.once().code == 1
    (ledger,) = (place.root / "state").glob("*.json")
    for text in ("", "rubbish", "[1]", '{"a": 1}', '{"exec:restart": ["file'):
        ledger.write_text(text)
        answer = place.once()
        assert answer.code == 1
        assert "Traceback" not in answer.err
        assert f"{ledger} is damaged" in answer.err
        assert ledger.read_text() == text
        assert "Traceback" not in place.plan().err


def test_a_program_that_is_missing_or_cannot_run(place: Place) -> None:
    for command, said in (
        ("nosuchprogram", "program nosuchprogram is not in PATH"),
        ("/nosuchprogram", "program /nosuchprogram does not exist"),
        (f"{place.managed}/text", f"{place.managed}/text is not executable"),
        (f"{place.managed}/broken", f"{place.managed}/broken cannot be run: what its #! line names does not exist"),
        (f"{place.managed}", f"{place.managed} is a directory, not a program"),
    ):
        place.declare(f'r.exec("x", [{command!r}])' + OTHER)
        (place.managed / "text").write_text("x")
        (place.managed / "broken").write_text("#!/nosuch\n")
        (place.managed / "broken").chmod(0o755)
        assert failed(place)["error"] == said


def test_a_command_in_a_folder_or_for_a_user_that_does_not_exist(place: Place) -> None:
    place.declare('r.exec("x", "true", dir="/nosuch")' + OTHER)
    assert failed(place)["error"] == "directory /nosuch does not exist"
    place.declare('r.exec("x", "true", user="nosuchuser")' + OTHER)
    assert failed(place)["error"] == "user nosuchuser does not exist"


def test_a_validate_command_that_says_no_keeps_the_old_file(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="bad\\n", validate="grep -q good %s")' + OTHER)
    (place.managed / "a").write_text("good\n")
    assert "on the new content, so nothing was changed" in failed(place)["error"]
    assert (place.managed / "a").read_text() == "good\n"
    assert {path.name for path in place.managed.iterdir()} == {"a", "other"}


def test_too_few_descriptors_are_an_error_and_not_the_end(place: Place) -> None:
    place.declare('for n in range(50):\n    r.file(HERE / f"d{n}/a", content="x", parents=True)')
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", *place.python, "serve", str(place.site), "--timeout", "200ms",
         "--max-retries", "0"],
        env=place.env, capture_output=True, text=True, cwd=place.blueprints, timeout=100, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)
    assert done.returncode == 1 or all((place.managed / f"d{n}/a").exists() for n in range(50))


def test_a_name_or_a_path_that_is_too_long(place: Place) -> None:
    place.declare(
        """
        r.file(HERE / ("f" * 255), content="x")
        r.symlink(HERE / ("l" * 255), "x")
        r.file(HERE / "other", content="x")
        """
    )
    assert place.once().code == 0
    assert len(list(place.managed.iterdir())) == 3
    for path in ('HERE / ("y" * 256)', 'f"{HERE}/" + "z/" * 2020 + "f"', '"/" + "z/" * 3000 + "f"'):
        place.declare(f'r.file({path}, content="x")' + OTHER)
        assert "too long" in failed(place)["error"] or "does not exist" in failed(place)["error"]


@pytest.mark.parametrize("folder", ["run", "state"])
def test_a_full_folder_of_our_own_is_named(place: Place, mount: Callable[..., None], folder: str) -> None:
    place.declare('a = r.file(HERE / "a", content="x")\nr.exec("b", "true", only_on=a)')
    own = place.root / folder
    own.mkdir(mode=0o700)
    mount(own, "size=4k,mode=700,nr_inodes=10")
    (own / "filler").write_bytes(b"x" * 4096)
    said = place.once()
    assert said.code == 1
    assert f"{own}/" in said.out + said.err
    assert "No space left on device (writing " in said.out + said.err
    if folder == "run":
        assert said.err == f"converge: {own}/site.lock: No space left on device (writing who holds the lock)\n"


def test_what_an_error_is_about_is_said_even_where_only_a_descriptor_was_known() -> None:
    with (
        pytest.raises(OSError, match="No space") as caught,
        doing("writing it", "/run/x"),
        open("/dev/full", "wb", 0) as full,
    ):
        full.write(b"x")
    assert describe_os_error(caught.value) == "/run/x: No space left on device (writing it)"
    assert describe_os_error(FileNotFoundError(2, "No such file or directory", "/a", None, "/b")) == (
        "/a -> /b: No such file or directory"
    )
