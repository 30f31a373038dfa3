"""Users and groups, judged by account files of our own and changed by tools that only write down what they are told."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converge.core.change import IN_SYNC, Change
from converge.core.errors import Busy, Mistakes, NotYet, ResourceError
from converge.core.ownership import Ownership
from converge.core.resource import Resource, Uses
from converge.core.trigger import PathChanged
from converge.graph.graph import build_graph
from converge.resources.accounts import Group, User, account
from converge.resources.accounts.linux import lock, shadow_tools
from converge.resources.file import File

HASH = "$y$j9T$abcdefgh$0123456789012345678901234567890123456789abc"
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
ann:x:7001:7001:Ann Example,,,:/nowhere/ann:/bin/sh
bob:x:7002:7100::/nowhere/bob:/bin/sh
ann:x:1:1:the second of a name does not count:/:/bin/sh
+@nis::::::
broken line
letters:x:many:few::/:/bin/sh
"""
GROUP = """\
root:x:0:
ann:x:7001:
devs:x:7100:ann,
ops:x:7200:ann,bob
empty:x:7300:
"""
SHADOW = f"""\
root:*:19000:0:99999:7:::
ann:{HASH}:19000:0:99999:7::21945:
bob:!{HASH}:19000:0:99999:7:::
"""


@pytest.fixture(autouse=True)
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("passwd", PASSWD), ("group", GROUP), ("shadow", SHADOW)):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(account, "ETC", str(tmp_path))
    monkeypatch.setattr("converge.resources.accounts.linux.apply.ETC", str(tmp_path))
    return tmp_path


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[list[str], str | None]]]:
    """What the tools were told."""
    calls: list[tuple[list[str], str | None]] = []

    def run(argv: list[str], *, seconds: float | None, stdin: str | None = None) -> None:
        calls.append((argv, stdin))

    monkeypatch.setattr(shadow_tools, "run", run)
    yield calls
    assert not any("$y$" in word for argv, _ in calls for word in argv), "everybody can see command lines"


@pytest.fixture
def reachable() -> Iterator[Path]:
    """The files again, where somebody without privileges can reach them; pytest's own folders are its owner's."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        for name, text, mode in (("passwd", PASSWD, 0o644), ("group", GROUP, 0o644), ("shadow", SHADOW, 0o600)):
            (place / name).write_text(text)
            (place / name).chmod(mode)
        yield place


def properties(state: tuple[Change, ...]) -> dict[str, tuple[str | None, str | None]]:
    return {change.property: (change.from_, change.to) for change in state}


# --- judging --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "right",
    [
        User("ann"),
        User("ann", uid=7001, group="ann", groups=["ops"], shell="/bin/sh", home="/nowhere/ann"),
        User("ann", group=7001, comment="Ann Example,,,", groups=["devs", "ops"], groups_exact=True),
        User("ann", password_hash=HASH, locked=False, expires="2030-01-31", create_home=False),
        User("bob", password_hash=HASH, locked=True, expires="never"),
        User("bob", locked=True),
        User("root", locked=True),
        User("converge-nobody", state="absent"),
        User("converge-nobody", state="absent", remove_home=True, groups=["devs"]),
        Group("devs"),
        Group("devs", gid=7100, members=["ann"]),
        Group("empty", members=[]),
        Group("converge-nobody", state="absent"),
    ],
)
def test_what_is_right(right: Resource) -> None:
    assert right.check() == IN_SYNC


@pytest.mark.parametrize(
    ("resource", "differs"),
    [
        (User("ann", uid=7009), {"uid": ("7001", "7009")}),
        (User("ann", group="devs"), {"group": ("ann", "devs")}),
        (User("ann", group=7100), {"group": ("ann", "7100")}),
        (User("bob", group="ops"), {"group": ("devs", "ops")}),
        (User("bob", groups=["devs"]), {"groups": ("ops", "devs, ops")}),
        (User("ann", groups=["ops"], groups_exact=True), {"groups": ("devs, ops", "ops")}),
        (User("ann", groups_exact=True), {"groups": ("devs, ops", "")}),
        (User("ann", comment=""), {"comment": ("Ann Example,,,", "")}),
        (User("ann", shell="/bin/false"), {"shell": ("/bin/sh", "/bin/false")}),
        (User("ann", home="/nowhere/else"), {"home": ("/nowhere/ann", "/nowhere/else")}),
        (User("ann", create_home=True), {"home directory": (None, "/nowhere/ann")}),
        (User("ann", expires="never"), {"expires": ("2030-01-31", "never")}),
        (User("bob", expires="2027-02-01"), {"expires": ("never", "2027-02-01")}),
        (User("bob", locked=False), {"locked": ("yes", "no")}),
        (User("ann", locked=True), {"locked": ("no", "yes")}),
        (User("bob", password_hash=HASH), {"password": ("(hidden)", "(hidden)")}),
        (User("ann", password_hash=HASH, locked=True), {"password": ("(hidden)", "(hidden)")}),
        (User("ann", state="absent"), {"state": ("present", "absent")}),
        (
            User("converge-new", uid=7500, groups=["ops"], password_hash=HASH),
            {
                "state": (None, "present"),
                "uid": (None, "7500"),
                "groups": (None, "ops"),
                "password": (None, "(hidden)"),
            },
        ),
        (Group("devs", gid=7101), {"gid": ("7100", "7101")}),
        (Group("devs", members=["bob", "ann"]), {"members": ("ann", "ann, bob")}),
        (Group("devs", members=[]), {"members": ("ann", "")}),
        (Group("devs", state="absent"), {"state": ("present", "absent")}),
        (Group("converge-new", gid=7500), {"state": (None, "present"), "gid": (None, "7500")}),
    ],
)
def test_what_differs(resource: Resource, differs: dict[str, tuple[str | None, str | None]]) -> None:
    found = resource.check()
    assert properties(found) == differs
    assert HASH not in repr(found) + repr(resource)


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (User("bob", uid=7001), "uid 7001 is in use by ann"),
        (User("converge-new", uid=0), "uid 0 is in use by root"),
        (Group("devs", gid=7200), "gid 7200 is in use by ops"),
    ],
)
def test_a_number_that_is_taken(resource: Resource, said: str) -> None:
    with pytest.raises(ResourceError, match=said):
        resource.check()


@pytest.mark.parametrize(
    ("resource", "needs"),
    [
        (User("bob", group="converge-new"), "group:converge-new"),
        (User("bob", groups=["devs", "converge-new"]), "group:converge-new"),
        (User("converge-new", group="converge-newer"), "group:converge-newer"),
        (User("bob", shell="/nowhere/zsh"), "file:/nowhere/zsh"),
        (Group("devs", members=["ann", "converge-new"]), "user:converge-new"),
    ],
)
def test_what_must_be_there_first(resource: Resource, needs: str) -> None:
    with pytest.raises(NotYet) as raised:
        resource.check()
    assert raised.value.needs == needs
    assert raised.value.changes, "a plan shows what will be done"


def test_without_the_tools_only_what_differs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow_tools, "_ENVIRONMENT", {"PATH": "/nowhere"})
    assert User("ann", uid=7001).check() == IN_SYNC
    with pytest.raises(NotYet, match=r"usermod is not installed; .* busybox's adduser is not enough") as raised:
        User("ann", uid=7009).check()
    assert raised.value.needs == "program:usermod"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: becomes somebody who may not read shadow")
def test_what_only_root_may_read_is_unknown_and_all_else_is_judged(
    reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "ETC", str(reachable))
    os.seteuid(65534)
    try:
        found = User("ann", comment="Ann", password_hash=HASH, locked=True, expires="never").check()
        plain = User("ann", comment="Ann Example,,,").check()
    finally:
        os.seteuid(0)
    assert plain == IN_SYNC
    assert [(change.property, change.action) for change in found] == [
        ("comment", "update"), ("password", "unknown"), ("expires", "unknown"),
    ]  # fmt: skip
    assert found[1].from_ == "unknown (not readable by uid 65534)"


# The machine that runs these tests has a user daemon and a group daemon, which our files do not have: the system's name
# service knows them from elsewhere, as it would know those of a directory.


def test_those_of_a_directory_service_are_not_made_a_second_time() -> None:
    assert User("daemon").check() == IN_SYNC
    assert User("bob", uid=7002, groups=["ops"]).check() == IN_SYNC
    assert Group("daemon").check() == IN_SYNC
    for resource, what in (
        (User("daemon", comment="x"), "so comment cannot be changed here"),
        (User("daemon", state="absent"), "so it cannot be removed here"),
        (User("daemon", groups_exact=True, groups=["ops"]), "groups_exact=True cannot be had for it"),
        (User("bob", groups=["daemon"]), "so nobody can be put into it here"),
        (Group("daemon", members=["ann"]), "so its members cannot be changed here"),
        (Group("daemon", state="absent"), "so it cannot be removed here"),
    ):
        with pytest.raises(ResourceError, match=f"comes from a directory service .*{what}|{what}"):
            resource.check()
    with pytest.raises(ResourceError, match="uid 1 is in use by daemon"):
        User("bob", uid=1).check()


def test_one_of_a_directory_service_can_be_in_a_group_of_this_machine(
    told: list[tuple[list[str], str | None]],
) -> None:
    user = User("daemon", groups=["ops", "devs"])
    user.apply(user.check())
    assert [argv for argv, _ in told] == [["gpasswd", "-a", "daemon", "ops"], ["gpasswd", "-a", "daemon", "devs"]]


def test_many_are_judged_by_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def noted(path: str, *args: Any, **options: Any) -> Any:  # Any: whatever open takes and gives
        opened.append(path)
        return open(path, *args, **options)

    monkeypatch.setattr("converge.resources.accounts.linux.database.open", noted, raising=False)
    users = [User("ann", groups=["ops"], password_hash=HASH, comment=f"Ann {n}") for n in range(50)]
    assert [len(state) for state in User.check_many(users)] == [1] * 50  # type: ignore[arg-type]  # none failed
    assert sorted(map(os.path.basename, opened)) == ["group", "passwd", "shadow"]


def test_one_that_cannot_be_judged_takes_no_other_with_it() -> None:
    results = list(User.check_many([User("bob", uid=7001), User("ann"), User("ann", comment="x")]))
    assert isinstance(results[0], ResourceError)
    assert results[1:] == [IN_SYNC, (Change("comment", "Ann Example,,,", "x"),)]


# --- while somebody else is at it -----------------------------------------------------------------------------

HOLDER = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_drift_is_not_acted_on_while_another_program_holds_the_lock(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_is_ours", lambda holder: False)  # but a test's
    drifted, right = User("ann", comment="x"), User("ann")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(etc / ".pwd.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        results = list(User.check_many([drifted, right, User("ann", group="converge-new")]))
        assert isinstance(results[0], Busy)
        assert f"(process {holder.pid})" in str(results[0])
        assert 0.01 <= results[0].again < 1.0, "one that has just begun will soon be done"
        assert isinstance(results[1], Busy), "a tool that has just begun may not have written all of its files"
        assert isinstance(results[2], Busy), "the group may be on its way"
        monkeypatch.setattr(lock, "_patience", lambda holder: 0.5)
        assert right.check() == IN_SYNC, "an editor may be open for hours"
        with pytest.raises(Busy):
            drifted.check()
        monkeypatch.undo()
        monkeypatch.setattr(account, "ETC", str(etc))
        assert drifted.check(), "it is a tool of ours, for another resource"
    finally:
        holder.communicate(b"")
    assert drifted.check()


def test_a_tool_that_is_removing_a_home_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "userdel").symlink_to(shutil.which("sleep") or "/bin/sleep")
    remover = subprocess.Popen([tmp_path / "userdel", "60"])
    try:
        with pytest.raises(Busy, match="userdel"):
            User("converge-new").check()
        assert User("ann", comment="x").check()
    finally:
        remover.kill()
        remover.wait()
    assert User("converge-new").check()


def test_a_file_that_was_replaced_while_it_was_read_is_read_again(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from converge.resources.accounts.linux.database import Database

    database = Database(str(etc))
    found = User("ann", comment="x").compare(database)
    assert lock.settled(found, database) == found
    (etc / "passwd+").write_text(PASSWD)
    (etc / "passwd+").rename(etc / "passwd")
    assert isinstance(lock.settled(found, database), Busy)
    (etc / "passwd").unlink()
    assert isinstance(lock.settled(found, database), Busy)


def test_the_lock_of_this_very_process_is_not_somebody_elses(tmp_path: Path) -> None:
    with open(tmp_path / "lock", "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert lock.lock_holder(str(tmp_path / "lock")) is None
    assert lock.lock_holder(str(tmp_path / "none")) is None


@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        ("echo 'fake: cannot lock /etc/passwd; try again later.' >&2; exit 1", Busy, "try again later"),
        ("echo 'fake: user ann is currently used by process 7' >&2; exit 8", ResourceError, "^fake: user ann is c"),
        ("printf 'one\\n\\ntwo\\n'; exit 1", ResourceError, "^fake: one; two$"),
        ("exit 4", ResourceError, "fake ended with exit status 4, without a word"),
        ("sleep 60", ResourceError, "fake did not end within 0.2 s and was ended"),
    ],
)
def test_the_words_of_a_tool(
    script: str, error: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fake").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "fake").chmod(0o755)
    monkeypatch.setattr(shadow_tools, "_ENVIRONMENT", {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    with pytest.raises(error, match=said) as raised:
        shadow_tools.run(["fake"], seconds=0.2 if "sleep" in script else 10)
    assert isinstance(raised.value, Busy) == (error is Busy)


# --- changing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "commands"),
    [
        (User("ann", uid=7009, shell="/bin/false", comment="", groups=["ops"], home="/h"),
         [["usermod", "-u", "7009", "-c", "", "-d", "/h", "-s", "/bin/false", "ann"]]),
        (User("bob", groups=["ops", "devs", "devs"]), [["usermod", "-a", "-G", "ops,devs", "bob"]]),
        (User("ann", groups=["ops"], groups_exact=True), [["usermod", "-G", "ops", "ann"]]),
        (User("ann", groups_exact=True), [["usermod", "-G", "", "ann"]]),
        (User("ann", locked=True), [["usermod", "-L", "ann"]]),
        (User("bob", locked=False, expires="1970-01-02"), [["usermod", "-e", "1", "-U", "bob"]]),
        (User("ann", expires="never"), [["usermod", "-e", "", "ann"]]),
        (User("bob", password_hash=HASH), [["chpasswd", "-e"]]),
        (User("ann", create_home=True), [["mkhomedir_helper", "ann"]]),
        (User("ann", state="absent"), [["userdel", "ann"]]),
        (User("ann", state="absent", remove_home=True), [["userdel", "ann"]]),
        (User("converge-new"), [["useradd", "-m", "converge-new"]]),
        (User("converge-new", system=True, uid=999999), [["useradd", "-r", "-M", "-u", "999999", "converge-new"]]),
        (User("converge-new", system=True, create_home=True), [["useradd", "-r", "-m", "converge-new"]]),
        (User("converge-new", create_home=False, groups=["devs", "ops"], group="ops", password_hash=HASH),
         [["useradd", "-M", "-G", "devs,ops", "-g", "ops", "converge-new"], ["chpasswd", "-e"]]),
        (Group("devs", gid=7101), [["groupmod", "-g", "7101", "devs"]]),
        (Group("devs", members=["bob", "ann", "bob"]), [["gpasswd", "-M", "bob,ann", "devs"]]),
        (Group("devs", members=[]), [["gpasswd", "-M", "", "devs"]]),
        (Group("devs", state="absent"), [["groupdel", "devs"]]),
        (Group("converge-new", system=True, gid=999998, members=["ann"]),
         [["groupadd", "-r", "-g", "999998", "converge-new"], ["gpasswd", "-M", "ann", "converge-new"]]),
    ],
)  # fmt: skip
def test_only_what_differs_is_changed(
    resource: Resource, commands: list[list[str]], told: list[tuple[list[str], str | None]]
) -> None:
    resource.apply(resource.check())
    assert [argv for argv, _ in told] == commands


def test_a_new_user_gets_the_group_of_the_same_name_if_there_is_one(
    etc: Path, told: list[tuple[list[str], str | None]]
) -> None:
    with (etc / "group").open("a") as file:
        file.write("converge-new:x:7600:\n")
    user = User("converge-new")
    user.apply(user.check())
    assert told == [(["useradd", "-m", "-g", "converge-new", "converge-new"], None)]


@pytest.mark.parametrize(("locked", "field"), [(None, HASH), (False, HASH), (True, f"!{HASH}")])
def test_the_password_goes_in_by_standard_input(
    locked: bool | None, field: str, told: list[tuple[list[str], str | None]]
) -> None:
    User("root", password_hash=HASH, locked=locked).apply((Change("password", "(hidden)", "(hidden)"),))
    assert told == [(["chpasswd", "-e"], f"root:{field}\n")]


def test_what_could_not_be_read_is_not_changed(told: list[tuple[list[str], str | None]]) -> None:
    with pytest.raises(ResourceError, match="expires is unknown"):
        User("ann", expires="never").apply((Change("expires", "unknown (…)", "never", "unknown"),))
    assert not told


# --- declarations ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (User(""), "'' is no name for a user"),
        (User("-rf"), "'-rf' is no name for a user"),
        (User("a:b"), "is no name for a user"),
        (User("a b"), "is no name for a user"),
        (User("1000"), "is no name for a user"),
        (User("../etc"), "is no name for a user"),
        (User("a\n"), "is no name for a user"),
        (User("a" * 33), "is too long for a user's name"),
        (User("ann", uid=-1), "uid=-1 is out of range"),
        (User("ann", uid=2**32 - 1), "is out of range; it lies between 0 and 4294967294"),
        (User("ann", group="a,b"), "'a,b' is no name for a group"),
        (User("ann", group=-5), "group=-5 is out of range"),
        (User("ann", groups=["ok", "-x"]), "'-x' is no name for a group"),
        (User("ann", comment="a:b"), "has a colon or a control character"),
        (User("ann", comment="a\nroot2:x:0:0"), "has a colon or a control character"),
        (User("ann", shell="zsh"), "shell takes a full path without '..', not 'zsh'"),
        (User("ann", shell="/bin/a:b"), "has a colon"),
        (User("ann", home="/home/../etc"), "home takes a full path"),
        (User("ann", password_hash="hunter2"), "password_hash is no crypt string"),
        (User("ann", password_hash=""), "password_hash is no crypt string"),
        (User("ann", password_hash=f"{HASH}:0"), "password_hash is no crypt string"),
        (User("ann", password_hash=f"{HASH}\nroot:"), "password_hash is no crypt string"),
        (User("ann", expires="2027-02-30"), "expires='2027-02-30' is no day; write it as 2027-01-31, or never"),
        (User("ann", expires="tomorrow"), "is no day"),
        (User("ann", expires="1970-01-01"), "is no day"),
        (User("ann", remove_home=True), 'remove_home=True only has a meaning with state="absent"'),
        (User("ann", state="absent", uid=1, shell="/bin/sh"), "the user goes away; leave out uid, shell"),
        (Group("a b"), "is no name for a group"),
        (Group("g", members=["a b"]), "'a b' is no name for a user"),
        (Group("g", gid=2**32), "gid=4294967296 is out of range"),
        (Group("g", gid=1, state="absent"), "the group goes away; leave out gid"),
    ],
)
def test_mistakes(resource: Resource, said: str) -> None:
    found = list(resource.mistakes())
    assert any(said in mistake for mistake in found), found
    assert not any("hunter2" in mistake for mistake in found)


@pytest.mark.parametrize(
    "resource",
    [
        User("ann", password_hash=HASH, expires="2027-01-31", groups=["docker"]),
        User("www-data", password_hash="!"),
        User("svc_1.x$", group="users@corp.example"),
        User("ann", state="absent", remove_home=True, group="devs", groups=["ops"]),
        Group("devs", members=["ann@corp.example"]),
    ],
)
def test_no_mistakes(resource: Resource) -> None:
    assert list(resource.mistakes()) == []


def test_edges_and_news(etc: Path) -> None:
    user = User("ann", group="devs", groups=["ops", "devs"], shell="/usr/bin/zsh", home="/srv/ann")
    ids = [need.id for need in user.needs() if isinstance(need, Uses)]
    assert ids == ["group:ops", "group:devs", "file:/usr/bin/zsh", "package:zsh"]
    assert [need.id for need in User("ann").needs() if isinstance(need, Uses)] == ["group:ann"]
    news = [trigger.path for trigger in user.triggers() if isinstance(trigger, PathChanged)]
    assert news == [f"{etc}/passwd", f"{etc}/group", "/usr/bin/zsh"]
    assert PathChanged(f"{etc}/shadow") in User("ann", locked=True).triggers()
    assert PathChanged("/srv/ann") in User("ann", home="/srv/ann", create_home=True).triggers()


def test_what_goes_away_goes_in_the_reverse_order() -> None:
    group, user = Group("devs", state="absent"), User("ann", state="absent", group="devs")
    assert [resource.id for resource in build_graph([group, user]).order()] == ["user:ann", "group:devs"]


def test_two_with_one_number_are_a_mistake_that_names_both() -> None:
    with pytest.raises(Mistakes) as raised:
        build_graph([User("ann", uid=1500), User("bob", uid=1500), Group("a", gid=1500), Group("b", gid=1500)])
    said = [f"{mistake.id}: {mistake.text}" for mistake in raised.value.mistakes]
    assert len(said) == 2
    assert "user:bob: uid 1500 is declared by user:ann" in said[0]
    assert "group:b: gid 1500 is declared by group:a" in said[1]
    build_graph([User("ann", uid=1500), Group("ann", gid=1500)])


def test_a_password_of_a_wrong_type_is_not_shown(tmp_path: Path) -> None:
    from converge.blueprints.load import load

    path = tmp_path / "site.py"
    path.write_text(
        "from converge import Run, blueprint\n@blueprint('a')\ndef a(r: Run) -> None:\n"
        "    r.user('ann', password_hash=b'hunter2')\n"
    )
    with pytest.raises(Mistakes) as raised:
        load(str(path))
    assert "password_hash must be str or None" in str(raised.value)
    assert "hunter2" not in str(raised.value)


# --- a home that goes with its user ---------------------------------------------------------------------------

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives files to other users, and mounts")


@pytest.fixture
def goer(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who is to go."""
    home = tmp_path / "homes" / "zoe"
    (home / "work").mkdir(parents=True)
    (home / "work" / "file").write_text("x")
    (home / ".profile").write_text("x")
    for path in (home, home / "work", home / "work" / "file", home / ".profile"):
        os.chown(path, 7300, 7300)
    with (etc / "passwd").open("a") as file:
        file.write(f"zoe:x:7300:7300::{home}:/bin/sh\n")
    mail = tmp_path / "mail"
    mail.mkdir()
    (mail / "zoe").write_text("dear")
    os.chown(mail / "zoe", 7300, 8)
    (mail / "ann").write_text("dear")
    monkeypatch.setattr("converge.resources.accounts.home_removal.MAIL", str(mail))
    return home


LEAVING = User("zoe", state="absent", remove_home=True)


@as_root
def test_a_home_goes_with_its_user_and_the_plan_says_how_much(
    goer: Path, tmp_path: Path, told: list[tuple[list[str], str | None]]
) -> None:
    (_, home) = state = LEAVING.check()
    assert (home.property, home.from_, home.to, home.action) == ("home", f"{goer} with 3 entries", None, "remove")
    LEAVING.apply(state)
    assert [argv for argv, _ in told] == [["userdel", "zoe"]]
    assert not goer.exists()
    assert goer.parent.exists()
    assert os.listdir(tmp_path / "mail") == ["ann"]


@as_root
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("shared", "is the home of yan"),
        ("inside", "is the home of yan"),
        ("through a link", "is the home of yan"),
        ("inside through a link", "is the home of yan"),
        ("slashes", "is the home of yan"),
        ("bound elsewhere", "is the home of yan"),
        ("foreign file", "the file work/file in it belongs to root"),
        ("foreign directory", "the directory work in it belongs to uid 7999"),
        ("foreign home", "it belongs to root"),
        ("link", "it is no directory"),
        ("mount", "a file system is mounted at .*/zoe/work"),
    ],
)
def test_a_home_that_is_not_the_users_alone_stays_and_so_does_the_user(
    goer: Path, etc: Path, tmp_path: Path, told: list[tuple[list[str], str | None]], spoil: str, said: str
) -> None:
    state = LEAVING.check()
    aliases = tmp_path / "aliases"
    aliases.symlink_to(goer.parent)
    bound = tmp_path / "bound"
    bound.mkdir()
    homes = {
        "shared": goer,
        "inside": goer / "work" / "yan",
        "through a link": aliases / "zoe",
        "inside through a link": aliases / "zoe" / "work",
        "slashes": f"{goer.parent}//zoe/",
        "bound elsewhere": bound,
    }
    mounts = {"mount": ["-t", "tmpfs", "none", goer / "work"], "bound elsewhere": ["--bind", goer, bound]}
    if spoil in homes:
        with (etc / "passwd").open("a") as file:
            file.write(f"yan:x:7301:7301::{homes[spoil]}:/bin/sh\n")
    elif spoil == "foreign file":
        os.chown(goer / "work" / "file", 0, 0)
    elif spoil == "foreign directory":
        os.chown(goer / "work", 7999, 7999)
    elif spoil == "foreign home":
        os.chown(goer, 0, 0)
    elif spoil == "link":
        goer.rename(tmp_path / "elsewhere")
        goer.symlink_to(tmp_path / "elsewhere")
    if spoil in mounts and subprocess.run(["mount", *mounts[spoil]], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with pytest.raises(ResourceError, match=rf"^the home {goer} of zoe is not removed: .*{said}; move that away"):
            LEAVING.check()
        with pytest.raises(ResourceError, match=said):
            LEAVING.apply(state)
    finally:
        if spoil in mounts:
            subprocess.run(["umount", mounts[spoil][-1]], check=True)
    assert told == []
    assert goer.exists()
    assert (tmp_path / "mail" / "zoe").exists()


@as_root
def test_a_home_that_is_written_with_needless_slashes_goes_too(
    goer: Path, etc: Path, told: list[tuple[list[str], str | None]]
) -> None:
    passwd = etc / "passwd"
    passwd.write_text(passwd.read_text().replace(f":{goer}:", f":{goer.parent}//zoe/:"))
    LEAVING.apply(LEAVING.check())
    assert not goer.exists()
    assert told


@as_root
def test_a_user_without_a_home_goes_alone(etc: Path, told: list[tuple[list[str], str | None]]) -> None:
    for home in ("/nonexistent", "/", "//", "/nonexistent/..", "", "relative"):
        (etc / "passwd").write_text(f"zoe:x:7300:7300::{home}:/bin/sh\n")
        (change,) = state = LEAVING.check()
        assert change.property == "state"
        LEAVING.apply(state)
    assert [argv for argv, _ in told] == [["userdel", "zoe"]] * 6


@as_root
def test_a_home_that_holds_what_another_resource_owns_stays(
    goer: Path, told: list[tuple[list[str], str | None]]
) -> None:
    kept = File(str(goer / "work" / "file"), content="x")
    leaving = LEAVING.with_ownership(Ownership([LEAVING, kept]))
    with pytest.raises(ResourceError, match=rf"is not removed: it holds what {kept.id} owns"):
        leaving.check()
    gone = File(str(goer / "work" / "file"), state="absent")
    assert LEAVING.with_ownership(Ownership([LEAVING, gone])).check()


@pytest.mark.parametrize("field", ["!", "!!", "*", "!*"])
def test_an_account_without_a_password_is_locked_and_has_nothing_to_unlock(etc: Path, field: str) -> None:
    shadow = etc / "shadow"
    lines = [line for line in shadow.read_text().splitlines() if not line.startswith("ann:")]
    shadow.write_text("\n".join([*lines, f"ann:{field}:19000:0:99999:7:::", ""]))
    assert User("ann", locked=True).check() == ()
    with pytest.raises(ResourceError, match="ann has no password that could be unlocked; give password_hash="):
        User("ann", locked=False).check()
