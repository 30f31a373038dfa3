"""What a file's content comes from, and how it is shown."""

import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.core.change import IN_SYNC, Changes
from converge.core.errors import Location, NotYet, Refusal, ResourceError
from converge.core.trigger import PathChanged
from converge.resources.file import File
from converge.resources.file.template import render


def settle(file: File) -> Changes:
    """Check, apply, check: what had to be done. Nothing may be left to do."""
    state = file.check()
    if state:
        file.apply(state)
    assert file.check() == IN_SYNC
    assert not [name for name in os.listdir(os.fsencode(file.folder())) if b".converge-" in name]
    return state


def facts(state: Changes) -> dict[str, tuple[str | None, str | None, str]]:
    return {change.property: (change.from_, change.to, change.action) for change in state}


def declared(tmp_path: Path, file: File) -> File:
    """As if it were declared in a blueprint in that folder."""
    object.__setattr__(file, "where", Location(str(tmp_path / "site.py"), 3))
    return file


@pytest.fixture(autouse=True)
def _narrow_umask() -> object:
    old = os.umask(0o077)
    yield
    os.umask(old)


def test_creates_with_mode_0644_whatever_the_umask(tmp_path: Path) -> None:
    place = tmp_path / "motd"
    state = settle(File(place, content="hello\n"))
    assert facts(state) == {"content": (None, "hello\n", "create"), "mode": (None, "0644", "create")}
    assert place.read_text() == "hello\n"
    assert stat.S_IMODE(place.stat().st_mode) == 0o644


def test_repairs_content_and_keeps_the_mode_that_is_not_declared(tmp_path: Path) -> None:
    place = tmp_path / "motd"
    place.write_text("old\n")
    place.chmod(0o2640)
    assert facts(settle(File(place, content="new\n"))) == {"content": ("old\n", "new\n", "update")}
    assert stat.S_IMODE(place.stat().st_mode) == 0o2640


def test_same_size_other_bytes_is_drift(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_bytes(b"aaaa")
    assert facts(File(place, content=b"aaab").check())["content"] == ("aaaa", "aaab", "update")


def test_repairs_only_the_mode_in_place(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("x")
    inode = place.stat().st_ino
    place.chmod(0o600)
    assert facts(settle(File(place, content="x", mode=0o640))) == {"mode": ("0600", "0640", "update")}
    assert place.stat().st_ino == inode


def test_content_none_leaves_content_alone(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("theirs")
    assert File(place).check() == IN_SYNC
    settle(File(place, mode=0o600))
    assert place.read_text() == "theirs"


def test_content_none_creates_an_empty_file(tmp_path: Path) -> None:
    place = tmp_path / "f"
    assert facts(settle(File(place)))["content"] == (None, "(empty)", "create")
    assert place.read_bytes() == b""


def test_empty_content_empties(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("full")
    settle(File(place, content=""))
    assert place.read_bytes() == b""


def test_bytes_that_are_no_text_are_shown_by_size_and_hash(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_bytes(b"\xff\x00")
    (change,) = settle(File(place, content=b"\x00\x01\xfe"))
    assert change.from_ == "2 B, sha256:ea5dbf9596d1"
    assert change.to is not None and change.to.startswith("3 B, sha256:")
    assert change.diff is None, "from and to say all"


def test_what_a_terminal_could_obey_is_not_shown(tmp_path: Path) -> None:
    (change, _) = File(tmp_path / "f", content="\x1b[2Jgone").check()
    assert "\x1b" not in f"{change.to}{change.diff and change.diff()}"


def test_text_above_1_kb_is_shown_by_size_and_hash(tmp_path: Path) -> None:
    (change, _) = File(tmp_path / "f", content="x" * 12_300).check()
    assert change.to is not None and change.to.startswith("12.3 KB, sha256:")


def test_diff_is_unified_and_shortened(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("a\nb\nc\n")
    (change,) = File(place, content="a\nB\nc\n").check()
    assert change.diff is not None
    assert change.diff().splitlines()[2:] == ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]
    (long,) = File(place, content="".join(f"{n}\n" for n in range(1000))).check()
    assert long.diff is not None
    lines = long.diff().splitlines()
    assert len(lines) == 61
    assert lines[-1] == "... 946 more lines"


def test_sensitive_content_is_never_shown(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("old-secret")
    file = File(place, content="new-secret", sensitive=True)
    (change,) = settle(file)
    assert (change.from_, change.to, change.diff) == ("(sensitive)", "(sensitive)", None)
    assert "secret" not in repr(file) + repr(change)


def test_absent_removes_and_is_in_sync_without_a_folder(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("x")
    assert facts(settle(File(place, state="absent"))) == {"state": ("present", "absent", "remove")}
    assert not place.exists()
    assert File(tmp_path / "no" / "such" / "f", state="absent").check() == IN_SYNC


def test_absent_removes_the_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("keep")
    (tmp_path / "link").symlink_to("target")
    settle(File(tmp_path / "link", state="absent"))
    assert (tmp_path / "target").read_text() == "keep"


def test_source_is_relative_to_the_blueprint(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "conf").write_bytes(b"from source\n")
    file = declared(tmp_path, File(tmp_path / "out", source="files/conf"))
    settle(file)
    assert (tmp_path / "out").read_bytes() == b"from source\n"
    assert file.triggers() == (PathChanged(str(tmp_path / "out")), PathChanged(str(tmp_path / "files/conf")))


def test_missing_source_is_not_yet_there(tmp_path: Path) -> None:
    file = declared(tmp_path, File(tmp_path / "out", source="gone"))
    with pytest.raises(NotYet, match=rf"the source {tmp_path}/gone does not exist") as caught:
        file.check()
    assert caught.value.needs == f"file:{tmp_path}/gone"


def test_source_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="is not a regular file"):
        File(tmp_path / "out", source=str(tmp_path)).check()


def test_large_source_is_copied_and_compared_in_pieces(tmp_path: Path) -> None:
    source = tmp_path / "big"
    piece = os.urandom(1 << 20)
    with source.open("wb") as out:
        for number in range(64):
            out.write(piece[number:] + piece[:number])
    file = File(tmp_path / "copy", source=str(source))
    (content, _) = settle(file)
    assert content.to is not None and content.to.startswith("67.1 MB, sha256:")
    assert content.diff is None
    with (tmp_path / "copy").open("r+b") as out:
        out.seek(-1, os.SEEK_END)
        last = out.read(1)
        out.seek(-1, os.SEEK_END)
        out.write(bytes([last[0] ^ 1]))
    assert settle(file)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_large_inline_content(tmp_path: Path) -> None:
    content = os.urandom(3_000_001)
    file = File(tmp_path / "f", content=content)
    settle(file)
    assert (tmp_path / "f").read_bytes() == content
    assert file.group_key("apply") is None


def test_template(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text("listen {{ port }};\n{% for n in names %}{{ n }}\n{% endfor %}")
    file = declared(tmp_path, File(tmp_path / "out", template="t.j2", vars={"port": 80, "names": ["ä", "b"]}))
    settle(file)
    assert (tmp_path / "out").read_text() == "listen 80;\nä\nb\n"
    (tmp_path / "t.j2").write_text("changed\n")
    os.utime(tmp_path / "t.j2", (1, 1))
    settle(file)
    assert (tmp_path / "out").read_text() == "changed\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\ntwo {{ nobody }}\n", r"t\.j2:2: 'nobody' is undefined; give it in vars="),
        ("one\n{% if %}\n", r"t\.j2:2: Expected an expression"),
        ("one\n{{ 1 / 0 }}\n", r"t\.j2:2: ZeroDivisionError: division by zero"),
        ('{% include "other" %}', r"the template .*/other does not exist"),
    ],
)
def test_template_errors_name_the_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.j2").write_text(text)
    with pytest.raises(ResourceError, match=said):
        declared(tmp_path, File(tmp_path / "out", template="t.j2")).check()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n", "\n\r", "\x1f\x1c\r\n"])
def test_a_template_keeps_its_line_ends(tmp_path: Path, end: str) -> None:
    """Also what it includes and takes over; what strips whitespace takes them too."""
    ends = {"END": end}

    def write(name: str, text: str) -> None:
        (tmp_path / name).write_bytes(text.replace("END", ends["END"]).encode())

    write("base", "{% block a %}{% endblock %}zEND{% macro m() %}mEND{% endmacro %}{{ m() }}")
    write("part", "\ufeffpartEND{{ x }}END")
    write("t.j2", "{% extends 'base' %}{% block a %}aEND{% if x -%}END b END{%- endif %}END"
                  "{% include 'part' %}{# cEND #}{% raw %}{{END}}{% endraw %}{{ 'sENDt' }}{% endblock %}")  # fmt: skip
    out = tmp_path / "out"
    settle(declared(tmp_path, File(out, template="t.j2", vars={"x": "1\r\n2\x1f\x1c"})))
    expected = "aENDbEND\ufeffpartEND1\r\n2\x1f\x1cEND{{END}}sENDtzENDmEND"
    assert out.read_bytes() == expected.replace("END", end).encode()


@given(st.text(st.sampled_from("ab \r\n\t\x1c\x1d\x1e\x1f\ufeff{"), max_size=20).filter(lambda text: "{{" not in text))
def test_law_a_template_without_markup_is_its_own_text(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "t").write_bytes(text.encode())
        assert render(f"{folder}/t", {}, quiet=False) == text.encode()


def test_template_that_is_missing_or_no_text(tmp_path: Path) -> None:
    file = declared(tmp_path, File(tmp_path / "out", template="t.j2"))
    with pytest.raises(NotYet, match=r"the template .* does not exist"):
        file.check()
    (tmp_path / "t.j2").write_bytes(b"\xff\xfe")
    with pytest.raises(ResourceError, match="is not UTF-8 text"):
        file.check()


def test_sensitive_template_error_keeps_values_back(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text("{{ word.nothing() }}{{ fail() }}")

    def fail() -> None:
        raise ValueError("hunter2")

    (tmp_path / "t.j2").write_text("{{ fail() }}")
    with pytest.raises(ResourceError) as caught:
        declared(tmp_path, File(tmp_path / "o", template="t.j2", vars={"fail": fail}, sensitive=True)).check()
    assert "hunter2" not in str(caught.value)


def test_validate_accepts_and_rejects(tmp_path: Path) -> None:
    place = tmp_path / "sshd_config"
    settle(File(place, content="good\n", validate="grep -q good %s"))
    bad = File(place, content="bad\n", validate=["sh", "-c", "echo wrong in $0; cat $0; exit 3", "%s"])
    with pytest.raises(ResourceError, match=rf"{place}: sh failed with exit code 3 .*: wrong in {place}\nbad"):
        bad.apply(bad.check())
    assert place.read_text() == "good\n"
    assert os.listdir(tmp_path) == ["sshd_config"]


def test_validate_sees_the_final_owner_and_mode(tmp_path: Path) -> None:
    place = tmp_path / "f"
    settle(File(place, content="x", mode=0o400, validate=["sh", "-c", "test $(stat -c %a $0) = 400", "%s"]))


def test_validate_of_a_sensitive_file_keeps_its_output_back(tmp_path: Path) -> None:
    file = File(tmp_path / "f", content="hunter2", sensitive=True, validate=["sh", "-c", "cat $0; exit 1", "%s"])
    with pytest.raises(ResourceError) as caught:
        file.apply(file.check())
    assert "hunter2" not in str(caught.value)


def test_validate_output_is_bounded(tmp_path: Path) -> None:
    file = File(tmp_path / "f", content="x", validate=["sh", "-c", "yes | head -c 100000; exit 1", "%s"])
    with pytest.raises(ResourceError) as caught:
        file.apply(file.check())
    assert len(str(caught.value)) < 2500


def test_validate_that_is_missing_or_hangs(tmp_path: Path) -> None:
    missing = File(tmp_path / "f", content="x", validate="no-such-program %s")
    with pytest.raises(ResourceError, match="the validate command no-such-program cannot be run"):
        missing.apply(missing.check())
    slow = File(tmp_path / "f", content="x", validate=["sh", "-c", "sleep 60 & sleep 60", "%s"], timeout=0.2)
    with pytest.raises(ResourceError, match=r"did not end within 0\.2 s"):
        slow.apply(slow.check())
    assert os.listdir(tmp_path) == []


def test_backup_keeps_what_was_replaced_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGE_STATE_DIR", str(tmp_path / "state"))
    place = tmp_path / "conf"
    place.write_text("first")
    settle(File(place, content="second", backup=True))
    settle(File(place, state="absent", backup=True))
    backups = tmp_path / "state" / "backups"
    kept = sorted(backups.iterdir())
    assert [one.read_text() for one in kept] == ["first", "second"]
    assert kept[0].name.startswith("%2F") and kept[0].name.split(".")[-1].endswith("Z")
    assert {stat.S_IMODE(one.stat().st_mode) for one in kept} == {0o600}
    assert stat.S_IMODE(backups.stat().st_mode) == 0o700


def test_backup_of_a_very_long_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGE_STATE_DIR", str(tmp_path / "state"))
    place = tmp_path / ("ä" * 100) / ("ö" * 100)
    settle(File(place, content="1", parents=True, backup=True))
    settle(File(place, content="2", backup=True))
    assert len(list((tmp_path / "state" / "backups").iterdir())) == 1


def test_no_backup_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").mkdir(mode=0o777)
    (tmp_path / "state").chmod(0o777)
    monkeypatch.setenv("CONVERGE_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "f").write_text("old")
    file = File(tmp_path / "f", content="new", backup=True)
    with pytest.raises(ResourceError, match="can be written by others"):
        file.apply(file.check())
    assert (tmp_path / "f").read_text() == "old"


def test_missing_directory_is_not_yet_there(tmp_path: Path) -> None:
    file = File(tmp_path / "a" / "b" / "f", content="x")
    said = rf"the directory {tmp_path}/a/b does not exist; .*, or set parents=True, or name the package"
    with pytest.raises(NotYet, match=said) as caught:
        file.check()
    assert caught.value.needs == f"file:{tmp_path}/a/b"


def test_parents_are_made(tmp_path: Path) -> None:
    settle(File(tmp_path / "a" / "b" / "f", content="x", parents=True))
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o755, 0o755]


def test_paths_are_tidied_and_may_hold_any_byte(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"//sub/./\xff\xfe\n/"
    (tmp_path / "sub").mkdir()
    file = File(raw, content="x")
    settle(file)
    assert os.listdir(os.fsencode(tmp_path / "sub")) == [b"\xff\xfe\n"]
    assert file.id == f"file:{file.at}" and "//" not in file.at
    assert File("/a//b/.hidden/").at == "/a/b/.hidden"


def test_names_of_the_greatest_length(tmp_path: Path) -> None:
    settle(File(tmp_path / ("n" * 255), content="x"))
    settle(File(tmp_path / ("ä" * 127), content="x"))
    with pytest.raises(ResourceError, match="the name is too long"):
        File(tmp_path / ("n" * 256), content="x").check()


def test_apply_many_gives_each_its_own_result(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "f3").mkdir()
    files = [File(tmp_path / "good" / f"f{n}", content=f"{n}", mode=0o600) for n in range(80)]
    files.append(File(tmp_path / "gone" / "f", content="x"))
    states = list(File.check_many(files))
    assert [type(state) for state in states if not isinstance(state, tuple)] == [Refusal, NotYet]
    work = [(file, state if isinstance(state, tuple) else ()) for file, state in zip(files, states, strict=True)]
    results = list(File.apply_many(work))
    assert [index for index, result in enumerate(results) if result is not None] == [3, 80]
    assert sum(place.is_file() for place in (tmp_path / "good").iterdir()) == 79


def test_many_directories_leave_no_descriptor_open(tmp_path: Path) -> None:
    files = [File(tmp_path / f"d{n}" / "e" / "f", content="x", parents=True) for n in range(300)]
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        states = list(File.check_many(files))
        work = [(file, state) for file, state in zip(files, states, strict=True) if isinstance(state, tuple) and state]
        assert not any(File.apply_many(work))
    assert states == [IN_SYNC] * 300
    unfinished = File.check_many(files)
    next(unfinished)
    unfinished.close()  # type: ignore[attr-defined]  # an iterator that is a generator
    assert len(os.listdir("/proc/self/fd")) == before


@settings(deadline=None)
@given(old=st.one_of(st.none(), st.binary(max_size=300)), new=st.binary(max_size=300), mode=st.integers(0, 0o7777))
def test_law_one_apply_settles_any_content_and_mode(
    tmp_path_factory: pytest.TempPathFactory, old: bytes | None, new: bytes, mode: int
) -> None:
    mode |= 0 if os.geteuid() == 0 else 0o400  # others than root cannot read back what they forbade themselves
    place = tmp_path_factory.mktemp("law") / "f"
    if old is not None:
        place.write_bytes(old)
    settle(File(place, content=new, mode=mode))
    assert place.read_bytes() == new
    assert stat.S_IMODE(place.stat().st_mode) == mode


@settings(deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_law_text_is_written_as_utf_8(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    place = tmp_path_factory.mktemp("law") / "f"
    settle(File(place, content=text))
    assert place.read_bytes() == text.encode()


def test_check_changes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("old")

    def look() -> list[tuple[float, ...]]:
        return [(*one.stat()[:7], one.stat().st_mtime_ns, one.stat().st_ctime_ns) for one in (place, tmp_path)]

    before = look()
    for file in (File(place, content="new"), File(place, mode=0), File(place, state="absent"), File(place, line="x")):
        assert file.check()
    assert look() == before
