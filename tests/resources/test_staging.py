"""A directory on its way to a place, where others may act meanwhile."""

from __future__ import annotations

import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from converge.core.errors import Busy, ResourceError
from converge.resources.archive.fetching import digest_of, fetch
from converge.resources.archive.unpacking import unpack
from converge.resources.staging import Staging, tidy_staged

USER, OTHER = 61001, 61002


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: plays other users")
def test_tidying_removes_no_directory_of_a_third_user(tmp_path: Path) -> None:
    os.chown(tmp_path, USER, USER)
    for name, owner in ((".app.converge-deadbeef", OTHER), (".app.converge-cafecafe", USER), (".app.converge-0", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data").write_text("")
        os.chown(tmp_path / name, owner, owner)
    tidy_staged([f"{tmp_path}/app"])
    assert (tmp_path / ".app.converge-deadbeef/data").exists()


@pytest.mark.parametrize("there", [False, True])
def test_what_comes_meanwhile_is_not_removed(tmp_path: Path, there: bool) -> None:
    place, theirs = tmp_path / "app", tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "data").write_text("precious")
    if there:
        place.mkdir()
    with pytest.raises(Busy, match="was replaced by something else meanwhile"), Staging(str(place)) as staging:
        if there:
            place.rmdir()
        theirs.rename(place)
        staging.publish()
    assert (place / "data").read_text() == "precious"
    assert os.listdir(tmp_path) == ["app"]


def test_what_was_checked_is_what_is_unpacked(tmp_path: Path) -> None:
    source = tmp_path / "a.tar"
    source.write_bytes(b"checked")
    with fetch(str(source), digest_of(str(source)), str(tmp_path), None) as file:
        with source.open("r+b") as again:
            again.write(b"EVIL")
        assert file.read() == b"checked"


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, b"V"])
def test_a_negative_size_is_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("V")
    member.type = kind
    header = bytearray(member.tobuf())
    header[124:136] = (-512).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    archive = tmp_path / "a.tar"
    archive.write_bytes(tarfile.TarInfo("g").tobuf() + bytes(header) + bytes(1024))
    with pytest.raises(ResourceError, match="says that its size is -512"):
        unpack(BytesIO(archive.read_bytes()), "a.tar", str(tmp_path), 0)
