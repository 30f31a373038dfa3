"""Keys in a home that its user controls, and may have filled with traps."""

from __future__ import annotations

import base64
import os
import pwd
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.change import IN_SYNC, Change
from converge.core.errors import NotYet, ResourceError
from converge.core.resource import Resource
from converge.core.trigger import PathChanged
from converge.resources.accounts import AuthorizedKeys
from converge.resources.accounts.key_lines import Key, merged, parse

ANN = 12345
NAME = "converge-ann"


def public_key(number: int, type_: str = "ssh-ed25519") -> str:
    body = number.to_bytes(32, "big")
    raw = len(type_).to_bytes(4, "big") + type_.encode() + len(body).to_bytes(4, "big") + body
    return f"{type_} {base64.b64encode(raw).decode()}"


def key_of(line: str, options: str = "", comment: str = "") -> Key:
    type_, blob = line.split()
    return Key(type_, blob, options, comment)


ONE, TWO, THREE = (public_key(number) for number in (1, 2, 3))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody who exists for this test only; their own where we can give it to them."""
    place = tmp_path / "ann"
    place.mkdir()
    uid = ANN if os.geteuid() == 0 else os.geteuid()
    os.chown(place, uid, uid if os.geteuid() == 0 else -1)
    account = pwd.struct_passwd((NAME, "x", uid, uid if os.geteuid() == 0 else os.getegid(), "", str(place), "/bin/sh"))
    known = pwd.getpwnam
    monkeypatch.setattr(pwd, "getpwnam", lambda name: account if name == NAME else known(name))
    return place


def fill(home: Path, *lines: str) -> Path:
    folder = home / ".ssh"
    folder.mkdir(mode=0o700)
    file = folder / "authorized_keys"
    file.write_text("".join(f"{line}\n" for line in lines))
    file.chmod(0o600)
    owner = home.stat()
    for path in (folder, file):
        os.chown(path, owner.st_uid, owner.st_gid)
    return file


def converge(resource: Resource) -> tuple[Change, ...]:
    state = resource.check()
    resource.apply(state)
    assert resource.check() == IN_SYNC
    return state


# --- the file -------------------------------------------------------------------------------------------------


def test_from_nothing(home: Path) -> None:
    state = converge(AuthorizedKeys(NAME, [f"{ONE} ann@laptop", f'from="10.0.0.0/8",no-pty {TWO}']))
    assert [(change.property, change.action) for change in state] == [("keys", "create")] * 2 + [("folder", "create")]
    file = home / ".ssh" / "authorized_keys"
    assert file.read_text() == f'{ONE} ann@laptop\nfrom="10.0.0.0/8",no-pty {TWO}\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {path.stat().st_uid for path in (file, file.parent)} == {home.stat().st_uid}
    assert os.listdir(file.parent) == ["authorized_keys"], "nothing temporary is left"


def test_what_others_put_there_stays(home: Path) -> None:
    file = fill(home, "# mine", TWO, f'command="x y" {ONE} another comment', "", "ssh-future AAAA")
    assert AuthorizedKeys(NAME, [f"{ONE} ann"]).check() == IN_SYNC, "neither comment nor options are declared"
    converge(AuthorizedKeys(NAME, [ONE, THREE], revoked=[TWO]))
    assert file.read_text() == f'# mine\ncommand="x y" {ONE} another comment\n\nssh-future AAAA\n{THREE}\n'


def test_exactly_these_keys(home: Path) -> None:
    file = fill(home, "# mine", TWO, ONE, f'command="x" {ONE}', "ssh-future AAAA")
    state = converge(AuthorizedKeys(NAME, [ONE], exact=True))
    assert {(change.property, change.action) for change in state} == {("keys", "remove")}
    assert file.read_text() == f"# mine\n{ONE}\n"


def test_options_that_are_declared_are_put_right(home: Path) -> None:
    file = fill(home, ONE)
    (change,) = converge(AuthorizedKeys(NAME, [f'command="/bin/true" {ONE} backup']))
    assert (change.property, change.from_, change.to) == ("options", None, 'command="/bin/true"')
    assert file.read_text() == f'command="/bin/true" {ONE} backup\n'


def test_no_keys_at_all(home: Path) -> None:
    nobody = AuthorizedKeys(NAME, exact=True)
    assert nobody.check() == IN_SYNC
    assert not (home / ".ssh").exists()
    file = fill(home, ONE, "# a comment")
    converge(nobody)
    assert file.read_text() == "# a comment\n"
    file.unlink()
    file.parent.chmod(0o755)
    converge(nobody)
    assert not file.exists()


def test_modes_are_put_right_without_writing_the_file_anew(home: Path) -> None:
    file = fill(home, ONE)
    file.chmod(0o666)
    file.parent.chmod(0o777)
    before = file.stat().st_ino
    state = converge(AuthorizedKeys(NAME, [ONE]))
    assert [(change.property, change.from_) for change in state] == [
        (".ssh mode", "0777"), ("authorized_keys mode", "0666"),
    ]  # fmt: skip
    assert file.stat().st_ino == before


def test_a_file_without_an_end_of_line(home: Path) -> None:
    file = fill(home)
    file.write_text(ONE)
    converge(AuthorizedKeys(NAME, [TWO]))
    assert file.read_text() == f"{ONE}\n{TWO}\n"


def test_a_user_or_a_home_that_is_missing(home: Path) -> None:
    with pytest.raises(NotYet) as raised:
        AuthorizedKeys("converge-nobody", [ONE]).check()
    assert raised.value.needs == "user:converge-nobody"
    assert raised.value.changes
    assert AuthorizedKeys("converge-nobody", exact=True).check() == IN_SYNC
    home.rmdir()
    with pytest.raises(NotYet, match=r"the home directory .* does not exist") as raised:
        AuthorizedKeys(NAME, [ONE]).check()
    assert raised.value.needs == f"user:{NAME}"


def test_news_comes_from_the_home_that_the_user_has(home: Path) -> None:
    keys = AuthorizedKeys(NAME, [ONE])
    assert keys.triggers_vary()
    paths = [trigger.path for trigger in keys.triggers() if isinstance(trigger, PathChanged)]
    folders = [f"{home}/.ssh", f"/home/{NAME}/.ssh"]
    assert paths == ["/etc/passwd", *(path for folder in folders for path in (folder, f"{folder}/authorized_keys"))]


# --- traps ----------------------------------------------------------------------------------------------------

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: plays a user who sets traps for root")


def give(path: Path) -> None:
    os.chown(path, ANN, ANN, follow_symlinks=False)


def refused(said: str, keys: AuthorizedKeys | None = None) -> None:
    keys = keys or AuthorizedKeys(NAME, [ONE])
    with pytest.raises(ResourceError, match=said):
        keys.check()
    with pytest.raises(ResourceError, match=said):
        keys.apply((Change("keys", None, "x", "create"),))


@root
def test_a_link_in_the_place_of_the_folder(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "etc"
    target.mkdir()
    (home / ".ssh").symlink_to(target)
    give(home / ".ssh")
    refused(r"\.ssh is a symbolic link; remove it")
    assert not os.listdir(target)
    assert target.stat().st_uid == 0


@root
def test_a_link_in_the_place_of_the_file(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:hash\n")
    file = fill(home)
    file.unlink()
    file.symlink_to(secret)
    give(file)
    refused("authorized_keys is a symbolic link; remove it")
    assert secret.read_text() == "root:hash\n"


@root
def test_another_name_of_somebody_elses_file_is_not_given_away(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:hash\n")
    secret.chmod(0o600)
    file = fill(home)
    file.unlink()
    os.link(secret, file)
    refused("authorized_keys belongs to root, and converge-ann may have moved it there")
    assert secret.stat().st_uid == 0


@root
def test_a_file_of_root_that_was_moved_there_is_not_given_away(home: Path) -> None:
    secret = home / "secret"
    secret.write_text(f"{ONE}\nroot:hash\n")
    secret.chmod(0o600)
    file = fill(home)
    secret.rename(file)
    refused("authorized_keys belongs to root, and converge-ann may have moved it there")
    with pytest.raises(ResourceError, match="may have moved it there"):
        AuthorizedKeys(NAME, [ONE]).apply(())
    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
    file.chmod(0o644)  # what everybody may read can be given
    converge(AuthorizedKeys(NAME, [ONE]))
    assert file.stat().st_uid == ANN


@root
@pytest.mark.parametrize("what", ["fifo", "directory"])
def test_what_is_no_file(home: Path, what: str) -> None:
    file = fill(home)
    file.unlink()
    if what == "fifo":
        os.mkfifo(file)
    else:
        file.mkdir()
    give(file)
    refused("remove it, it must be a file")


@root
def test_a_folder_of_root_is_taken_only_if_it_holds_nothing_else(home: Path, tmp_path: Path) -> None:
    file = fill(home, ONE)
    os.chown(file, 0, 0)
    os.chown(file.parent, 0, 0)
    converge(AuthorizedKeys(NAME, [ONE]))
    assert file.stat().st_uid == file.parent.stat().st_uid == ANN
    os.chown(file.parent, 0, 0)
    (file.parent / "backup-of-root").write_text("x")
    refused(r"\.ssh belongs to root; give it to converge-ann, or remove it")
    assert file.parent.stat().st_uid == 0


@root
def test_a_link_on_the_way_to_the_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "real").mkdir()
    (home / "link").symlink_to("real")
    give(home / "link")
    account = pwd.struct_passwd((NAME, "x", ANN, ANN, "", f"{home}/link", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: account)
    refused("passes through the symbolic link")


# --- lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (ONE, key_of(ONE)),
        (f"  {ONE}\tann and bob \r\n", key_of(ONE, comment="ann and bob")),
        (f'command="a \\"b\\" c",no-pty  {ONE} x', key_of(ONE, options='command="a \\"b\\" c",no-pty', comment="x")),
        (public_key(1, "sk-ssh-ed25519@openssh.com"), key_of(public_key(1, "sk-ssh-ed25519@openssh.com"))),
        (public_key(1, "ecdsa-sha2-nistp256"), key_of(public_key(1, "ecdsa-sha2-nistp256"))),
        ("", None),
        ("# " + ONE, None),
        ("ssh-ed25519", None),
        ("ssh-ed25519 AAAA", None),
        ("ssh-rsa " + ONE.split()[1], None),
        ("ssh-ed25519 not*base64", None),
        ('command="never ends ' + ONE, None),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", None),
    ],
)  # fmt: skip
def test_a_line(line: str, key: Key | None) -> None:
    assert parse(line) == key


numbers = st.integers(0, 5)
options = st.sampled_from(["", "no-pty", 'command="a b",restrict', 'from="*.example, !x"'])
comments = st.sampled_from(["", "ann", "ann at home"])
keys = st.builds(lambda n, o, c: " ".join(filter(None, (o, public_key(n), c))), numbers, options, comments)
others = st.sampled_from(["", "# a comment", "rubbish", "ssh-future AAAA x"])


@given(st.lists(keys | others, max_size=8), st.lists(keys, max_size=5, unique_by=lambda line: parse(line).entry()),  # type: ignore[union-attr]  # they are keys
       st.lists(keys, max_size=3), st.booleans())  # fmt: skip
def test_merging(lines: list[str], wanted: list[str], gone: list[str], exact: bool) -> None:
    declared = [key for key in map(parse, wanted) if key]
    entries = {key.entry() for key in declared}
    revoked = [key for key in map(parse, gone) if key and key.entry() not in entries]
    new = merged(lines, declared, revoked, exact=exact)
    assert merged(new, declared, revoked, exact=exact) == new, "a second time changes nothing"
    before, after = ([key for key in map(parse, some) if key] for some in (lines, new))
    with_options = {key.same() for key in declared if key.options}
    for key in declared:
        there = [each.options for each in after if each.same() == key.same()]
        assert key.options in there or not (exact or key.same() in with_options or not there)
    for same in with_options:
        mine = [key.options for key in declared if key.same() == same]
        assert [key.options for key in after if key.same() == same][: len(mine)] == mine, "sshd tries them first"
    if exact:
        assert {key.entry() for key in after} == entries
        return
    revoked_keys = {key.same() for key in revoked if not key.options}
    revoked_lines = {key.entry() for key in revoked}
    for key in before:
        replaced = not key.options and key.same() in with_options
        dropped = key.same() in revoked_keys or key.entry() in revoked_lines or replaced
        if key.entry() in entries or not dropped:
            assert key.entry() in {each.entry() for each in after}, "a way in is lost"
    for key in after:
        if key.entry() not in entries:
            assert key.same() not in revoked_keys
            assert key.entry() not in revoked_lines
    strangers, left = (
        [
            line
            for line in some
            if (key := parse(line)) is None or key.same() not in {k.same() for k in (*declared, *revoked)}
        ]
        for some in (lines, new)
    )
    assert left == strangers


FROM = 'from="10.9.9.9"'
LOCAL = 'from="127.0.0.1",command="/bin/true"'


def test_one_key_with_different_options_is_different_lines(home: Path) -> None:
    file = fill(home, f"{FROM} {ONE}", f"{LOCAL} {ONE}")
    both = AuthorizedKeys(NAME, [f"{FROM} {ONE}", f"{LOCAL} {ONE}"])
    assert not list(both.mistakes())
    assert both.check() == IN_SYNC
    assert AuthorizedKeys(NAME, [ONE]).check() == IN_SYNC, "no options are declared"
    assert AuthorizedKeys(NAME, [f"{FROM} {ONE}"]).check() == IN_SYNC, "the other line is somebody's way in"
    converge(AuthorizedKeys(NAME, [f"{FROM} {ONE}", f'expiry-time="20400101" {ONE} late', f"cert-authority {ONE}"]))
    assert file.read_text().splitlines() == [
        f"{FROM} {ONE}", f'expiry-time="20400101" {ONE} late', f"cert-authority {ONE}", f"{LOCAL} {ONE}",
    ]  # fmt: skip


def test_exactly_these_lines_of_one_key(home: Path) -> None:
    file = fill(home, f"{LOCAL} {ONE} a", ONE, f"{FROM} {ONE} b")
    state = converge(AuthorizedKeys(NAME, [f"{FROM} {ONE}", f"{LOCAL} {ONE}"], exact=True))
    assert [(change.from_, change.action) for change in state] == [(key_of(ONE).shown(), "remove")]
    assert file.read_text().splitlines() == [f"{FROM} {ONE} b", f"{LOCAL} {ONE} a"]


def test_a_line_that_would_make_the_options_void_is_replaced_in_its_place(home: Path) -> None:
    file = fill(home, TWO, ONE, THREE, f"{LOCAL} {ONE}")
    (change,) = converge(AuthorizedKeys(NAME, [f"{FROM} {ONE}"]))
    assert (change.property, change.from_, change.to) == ("options", None, FROM)
    assert file.read_text().splitlines() == [TWO, f"{FROM} {ONE}", THREE, f"{LOCAL} {ONE}"]


def test_what_is_declared_comes_before_other_lines_of_its_key(home: Path) -> None:
    file = fill(home, f"{LOCAL} {ONE}", TWO, f"{FROM} {ONE} mine")
    (change,) = converge(AuthorizedKeys(NAME, [f"{FROM} {ONE}"]))
    assert change.to == "before them"
    assert file.read_text().splitlines() == [f"{FROM} {ONE} mine", TWO, f"{LOCAL} {ONE}"]


def test_a_key_is_revoked_but_for_what_is_declared(home: Path) -> None:
    file = fill(home, f"{LOCAL} {ONE}", ONE, TWO)
    it = AuthorizedKeys(NAME, [f"{FROM} {ONE}"], revoked=[ONE])
    assert not list(it.mistakes())
    converge(it)
    assert file.read_text().splitlines() == [f"{FROM} {ONE}", TWO]
    converge(AuthorizedKeys(NAME, [TWO], revoked=[f"{FROM} {ONE}"]))
    assert file.read_text().splitlines() == [TWO]


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (AuthorizedKeys("ann", ["ssh-ed25519 AAAA"]), "the 1. of keys is no public key"),
        (AuthorizedKeys("ann", [ONE, f"{TWO}\n{THREE}"]), "the 2. of keys is no public key"),
        (AuthorizedKeys("ann", [ONE, f"{ONE} again"]), "is given twice; keep one"),
        (AuthorizedKeys("ann", [ONE], revoked=[ONE]), "both as one to have and as one that is revoked"),
        (AuthorizedKeys("ann"), "there is nothing to do"),
        (AuthorizedKeys("ann", [ONE], revoked=[TWO], exact=True), "leave out revoked"),
        (AuthorizedKeys("../ann", [ONE]), "'../ann' is no name for a user"),
    ],
)
def test_mistakes(resource: AuthorizedKeys, said: str) -> None:
    found = list(resource.mistakes())
    assert any(said in mistake for mistake in found), found


def test_no_mistakes() -> None:
    assert not list(AuthorizedKeys("ann", [f"{ONE} a", f"no-pty {TWO}"], revoked=[THREE]).mistakes())
    assert not list(AuthorizedKeys("ann@corp.example", exact=True).mistakes())
