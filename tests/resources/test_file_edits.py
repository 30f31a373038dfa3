"""Edits to parts of a file."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from converge.core.change import IN_SYNC
from converge.core.errors import ResourceError
from converge.resources.file import Block, File, Line
from converge.resources.file.edits import Append, Edit, edited


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (Line("b"), b"", b"b\n"),
        (Line("b"), b"a\n", b"a\nb\n"),
        (Line("b"), b"a", b"a\nb\n"),
        (Line("b"), b"a\r\n", b"a\r\nb\r\n"),
        (Line("b"), b"b\r\nc", b"b\r\nc"),
        (Line("b"), b"xb\n", b"xb\nb\n"),
        (Line("port 2", match="^port"), b"port 1\nport 3\nx\n", b"port 1\nport 2\nx\n"),
        (Line("port 2", match="^port"), b"x\nport 3", b"x\nport 2"),
        (Line("port 2", match="^port"), b"x\nport 3\r\ny\n", b"x\nport 2\r\ny\n"),
        (Line("no", match="^#no"), b"#no\n#no\n", b"#no\nno\n"),
        (Line("b", after="^a"), b"a1\na2\nc\n", b"a1\na2\nb\nc\n"),
        (Line("b", after="^z"), b"a\n", b"a\nb\n"),
        (Line("b", before="^c"), b"a\nc\nd\n", b"a\nb\nc\nd\n"),
        (Line("b", before="BOF"), b"a\n", b"b\na\n"),
        (Line("b", after="^a"), b"a", b"a\nb\n"),
        (Line("b", state="absent"), b"a\nb\nb\r\nbb\nb", b"a\nbb\n"),
        (Line("", match="^b", state="absent"), b"a\nb\nbb\n", b"a\n"),
        (Line("n\u00e9"), b"\xff\xfe\n", b"\xff\xfe\nn\xc3\xa9\n"),
        (Line("b"), b"a\x0bc\x85\n", b"a\x0bc\x85\nb\n"),
        (Block("x\ny\n"), b"a", b"a\n# BEGIN converge\nx\ny\n# END converge\n"),
        (Block("x"), b"a\r\n", b"a\r\n# BEGIN converge\r\nx\r\n# END converge\r\n"),
        (Block("x", name="m", comment=";"), b"; BEGIN m\nold\n; END m\nz\n", b"; BEGIN m\nx\n; END m\nz\n"),
        (Block("x", name="m"), b"# BEGIN m\n# END m", b"# BEGIN m\nx\n# END m"),
        (Block("x", name="m"), b"# BEGIN m\nx\n# END m\na\n# BEGIN m\ny\n# END m\n", b"# BEGIN m\nx\n# END m\na\n"),
        (Block("x", name="m", before="^b"), b"a\nb\n", b"a\n# BEGIN m\nx\n# END m\nb\n"),
        (Block("", name="m"), b"", b"# BEGIN m\n# END m\n"),
        (Block("x", name="m", state="absent"), b"a\n# BEGIN m\nold\n# END m\nz\n", b"a\nz\n"),
        (Append("b\nc"), b"a\n", b"a\nb\nc\n"),
        (Append("b\nc\n"), b"a\nb\nc", b"a\nb\nc"),
        (Append("b"), b"ab", b"ab\nb\n"),
        (Append("b"), b"a\r\n", b"a\r\nb\r\n"),
        (Append(""), b"a", b"a"),
    ],
)
def test_edit(edit: Edit, before: bytes, after: bytes) -> None:
    assert edited(before, [edit]) == after
    assert edited(after, [edit]) == after


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (Line("a"), b"a\nb\n", b"a\nb\n"),
        (Line("port 2", match="^port"), b"port 1\n", b"port 2\n"),
        (Line("b", after="^a"), b"a\nc\n", b"a\nb\nc\n"),
        (Line("b", before="^a"), b"a\n", b"b\na\n"),
        (Line("b", before="BOF"), b"a\n", b"b\na\n"),
        (Line("a", state="absent"), b"a\nb\n", b"b\n"),
        (Line("a"), b"", b"a\n"),
        (Block("x"), b"# BEGIN converge\nx\n# END converge\n", b"# BEGIN converge\nx\n# END converge\n"),
        (Block("x"), b"# BEGIN converge\r\ny\r\n# END converge\r\n", b"# BEGIN converge\r\nx\r\n# END converge\r\n"),
        (Append("a\nb"), b"a\nb\n", b"a\nb\n"),
    ],
)
def test_a_byte_order_mark_is_no_part_of_the_first_line(edit: Edit, before: bytes, after: bytes) -> None:
    assert edited(BOM + before, [edit]) == BOM + after
    assert edited(BOM + after, [edit]) == BOM + after


ON = "enabled=1"
IN_A, IN_B = Line(ON, after=r"^\[a\]"), Line(ON, after=r"^\[b\]")


@pytest.mark.parametrize(
    ("edits", "before", "after"),
    [
        ([IN_A, IN_B], "[a]\n[b]\n", f"[a]\n{ON}\n[b]\n{ON}\n"),
        ([IN_A, IN_B], f"[a]\nx=1\n{ON}\n[b]\ny=2\n", f"[a]\nx=1\n{ON}\n[b]\n{ON}\ny=2\n"),
        ([IN_A, IN_B], f"[b]\n{ON}\n[a]\n", f"[b]\n{ON}\n[a]\n{ON}\n"),
        ([IN_A, IN_B], f"[a]\n[b]\nx\n{ON}\n", f"[a]\n{ON}\n[b]\nx\n{ON}\n"),
        ([IN_A, IN_B, Line(ON)], "[a]\n[b]\n", f"[a]\n{ON}\n[b]\n{ON}\n{ON}\n"),
        ([Line(ON), IN_A], f"[a]\n{ON}\n", f"[a]\n{ON}\n{ON}\n"),
        ([Line("[a]"), IN_A, Line("[b]"), IN_B], "", f"[a]\n{ON}\n[b]\n{ON}\n"),
        ([IN_A, Line(ON, before=r"^\[b\]")], f"[a]\n{ON}\n[b]\n", f"[a]\n{ON}\n{ON}\n[b]\n"),
        ([IN_A, Line(ON, before="BOF")], "[a]\n", f"{ON}\n[a]\n{ON}\n"),
        ([IN_A, IN_A], f"{ON}\n[a]\n", f"{ON}\n[a]\n"),
        (
            [Line(ON, match="^#?enabled=", after=r"^\[a\]"), Line(ON, match="^#?enabled=", after=r"^\[b\]")],
            "[a]\n#enabled=0\n[b]\nx\nenabled=0\n",
            f"[a]\n{ON}\n[b]\nx\n{ON}\n",
        ),
    ],
)
def test_one_line_in_two_places_is_two_lines(edits: list[Edit], before: str, after: str) -> None:
    assert edited(before.encode(), edits).decode() == after
    assert edited(after.encode(), edits).decode() == after


section = st.sampled_from("abc")
settings_of_sections = st.lists(
    st.tuples(section, st.lists(st.sampled_from(["x=1", "y=2", ON]), max_size=3)), unique_by=lambda each: each[0]
)


@given(settings_of_sections.filter(lambda sections: len(sections) != 1), st.booleans(), st.randoms())
def test_law_a_line_is_in_each_of_its_sections(
    sections: list[tuple[str, list[str]]], bom: bool, random: Random
) -> None:
    """Those that have it stay as they are, in whichever order the lines are declared."""

    def text(parts: list[tuple[str, list[str]]]) -> bytes:
        lines = [line for name, inside in parts for line in (f"[{name}]", *inside)]
        return BOM * bom + "".join(f"{line}\n" for line in lines).encode()

    anchors = [Line(ON, after=rf"^\[{name}\]") for name, _ in sections]
    random.shuffle(anchors)
    expected = [(name, lines if ON in lines else [ON, *lines]) for name, lines in sections]
    assert edited(text(sections), anchors) == text(expected)


def test_a_line_is_pending_until_it_is_in_both_places(tmp_path: Path) -> None:
    place = tmp_path / "conf"
    place.write_bytes(BOM + f"[a]\r\n{ON}\r\n[b]\r\n".encode())
    it = File(place, line=[IN_A, IN_B])
    state = it.check()
    assert state
    it.apply(state)
    assert place.read_bytes() == BOM + f"[a]\r\n{ON}\r\n[b]\r\n{ON}\r\n".encode()
    assert it.check() == IN_SYNC


def test_a_block_without_its_end_is_an_error() -> None:
    with pytest.raises(ResourceError, match="the block 'm' has its line '# BEGIN m' but no '# END m'"):
        edited(b"# BEGIN m\nmine\n", [Block("x", name="m")])


def test_edits_that_undo_each_other_are_an_error() -> None:
    with pytest.raises(ResourceError, match="the edits undo each other"):
        edited(b"a1\n", [Line("a2", match="^a"), Line("b", match="a2")])


line_text = st.text(alphabet=st.sampled_from("ab#= \u00e9\t"), max_size=6)
regexes = st.sampled_from(["^a", "b$", "#", "a.*b", "^$"])
places = st.one_of(st.just({}), st.builds(lambda r: {"after": r}, regexes), st.builds(lambda r: {"before": r}, regexes))
present_lines = st.builds(
    lambda text, match, where: Line(text, match=match, **where), line_text, st.none() | regexes, places
)
absent_lines = st.builds(lambda text, match: Line(text, match=match, state="absent"), line_text, st.none() | regexes)
blocks = st.builds(
    lambda lines, name, where: Block("\n".join(lines), name=name, **where),
    st.lists(line_text, max_size=3),
    st.sampled_from(["one", "two"]),
    places,
)
appends = st.builds(Append, st.lists(line_text, max_size=3).map("\n".join))
any_edit = st.one_of(present_lines, absent_lines, blocks, appends)
pieces = st.sampled_from([b"a", b"b", b"#", b"\n", b"\r\n", b"\r", b"\xff", b"\x00", b"\xc3\xa9", b"ab\n", b"=\n"])
contents = st.lists(pieces, max_size=20).map(b"".join)


@settings(deadline=None)
@given(data=contents, edit=any_edit)
def test_law_an_edit_done_twice_is_done_once(data: bytes, edit: Edit) -> None:
    once = edited(data, [edit])
    assert edited(once, [edit]) == once


@settings(deadline=None)
@given(data=contents, edits=st.lists(any_edit, max_size=4))
def test_law_edits_done_twice_are_done_once_or_refused(data: bytes, edits: list[Edit]) -> None:
    try:
        once = edited(data, edits)
    except ResourceError:
        assume(False)
    assert edited(once, edits) == once


@settings(deadline=None)
@given(data=contents, edit=st.one_of(present_lines.filter(lambda line: line.match is None), blocks, appends))
def test_law_an_addition_keeps_all_other_bytes(data: bytes, edit: Edit) -> None:
    """What was there is still there, in its order: the result is the old content with one piece put in."""
    result = edited(data, [edit])
    if result == data:
        return
    eol = b"\r\n" if data.split(b"\n")[0].endswith(b"\r") and b"\n" in data else b"\n"
    candidates = [data, data + eol]
    kept = [
        old
        for old in candidates
        for cut in range(len(old) + 1)
        if result.startswith(old[:cut]) and result.endswith(old[cut:]) and len(result) >= len(old)
    ]
    assert kept


@settings(deadline=None)
@given(data=contents, line=absent_lines)
def test_law_a_removal_takes_only_whole_lines(data: bytes, line: Line) -> None:
    old = data.split(b"\n")
    new = edited(data, [line]).split(b"\n")
    rest = iter(old)
    assert all(any(one == candidate for candidate in rest) for one in new if one)


def test_edits_through_a_file(tmp_path: Path) -> None:
    place = tmp_path / "conf"
    place.write_bytes(b"\xff raw\r\nport 1\r\nlast")
    file = File(place, line=[Line("port 2", match="^port"), "end"], block=Block("x"))
    (change,) = file.check()
    assert change.property == "content"
    file.apply(file.check())
    assert file.check() == IN_SYNC
    assert place.read_bytes() == (b"\xff raw\r\nport 2\r\nlast\r\nend\r\n# BEGIN converge\r\nx\r\n# END converge\r\n")


def test_append_through_a_file(tmp_path: Path) -> None:
    file = File(tmp_path / "f", content="10.0.0.1 db\n", append=True)
    for _ in range(2):
        state = file.check()
        file.apply(state)
    assert file.check() == IN_SYNC
    assert (tmp_path / "f").read_text() == "10.0.0.1 db\n"
    (tmp_path / "f").write_text("before")
    file.apply(file.check())
    assert (tmp_path / "f").read_text() == "before\n10.0.0.1 db\n"


def test_removing_lines_from_a_missing_file_is_in_sync(tmp_path: Path) -> None:
    assert File(tmp_path / "f", line=Line("x", state="absent")).check() == IN_SYNC


def test_an_edit_through_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x\n")
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(ResourceError, match=r"is a symbolic link to real; declare that file instead"):
        File(tmp_path / "link", line="y").check()
