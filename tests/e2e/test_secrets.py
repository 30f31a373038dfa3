"""Secrets through the real program: what it shows, stores and hands to others has none of their values."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

PASSWORD = 'it\'s "hunter2" & more'
TOKEN = "tok_7f9b2c8d1e"
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END KEY-----\n"
PARTS = (
    "hunter2",
    TOKEN,
    TOKEN[:8],
    "MIIEvQIBADANBgkqhkiG",
    "9w0BAQEFAASCBKcwggSj",
    "aHVudGVyMi",
    TOKEN.encode().hex(),
)
"""What is in no output. The one in base64 is ``hunter2`` at the beginning of some text."""

CONFIG = {"db.password": PASSWORD, "api.token": TOKEN, "tls.key": PEM}

SITE = """
    import base64, json, logging, sys
    r.config("../secrets.toml")
    password, token, key = map(r.secret, ("db.password", "api.token", "tls.key"))
    print("loading with", password, token, [key])
    print("on stderr", password, file=sys.stderr)
    logging.warning("logged: %s", token)
    r.file(HERE / "plain", content=f"password={password}\\n", mode=0o600)
    r.file(HERE / "json", content=json.dumps({"p": password, "t": token, "k": key}), mode=0o600)
    r.file(HERE / "base64", content=base64.b64encode(b"hunter2" + token.encode()), mode=0o600)
    r.file(HERE / "key.pem", content=key, mode=0o600, backup=True)
    r.file(HERE / "template", template="t.j2", vars={"p": password}, mode=0o600)
    r.file(HERE / "broken", template="broken.j2", vars={"p": password}, mode=0o600)
    r.file(HERE / "invalid", content=password, mode=0o600, validate="cat %s /nosuch")
    r.file(HERE / "line", line=f"token {token}", block=password, mode=0o600)
    r.exec("env", "env; exit 1", shell=True, env={"TOKEN": token}, retries=0)
    r.exec("stdin", "cat; exit 1", shell=True, stdin=key, retries=0)
    # These have no secret, and meet one: in what they say, and in what is there already.
    r.exec("says", f"cat {HERE}/existing; exit 1", shell=True, retries=0)
    r.file(HERE / "existing", content="something\\nelse\\n", mode=0o600)
    r.exec("guard", "true", unless=f"cat {HERE}/json {HERE}/key.pem {HERE}/base64; kill -9 $$", shell=True, retries=0)
"""


def no_value_in(text: str | bytes, what: str) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    for part in PARTS:
        assert part.encode() not in data, f"{part} is in {what}:\n{text!r}"


def secret(place: Place, *arguments: str, typed: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*place.python, "secret", *arguments], input=typed, capture_output=True, text=True, env=place.env | env,
        cwd=place.root, timeout=60, check=False,
    )  # fmt: skip


def toml(values: dict[str, str]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


@pytest.fixture
def vault(place: Place) -> Place:
    """A place with a key, and a config whose values are encrypted with it."""
    for name in [name for name in place.env if name.startswith("CONVERGE_KEY")]:
        del place.env[name]
    place.env["CONVERGE_KEY_FILE"] = str(place.root / "key")
    assert secret(place, "keygen", "key").returncode == 0
    sealed = {name: secret(place, "encrypt", typed=value + "\n").stdout.strip() for name, value in CONFIG.items()}
    place.write(place.root / "secrets.toml", toml(sealed))
    return place


def prepare(place: Place) -> None:
    (place.blueprints / "t.j2").write_text("{{ p }}")
    (place.blueprints / "broken.j2").write_text("{{ p.hunter.hunter }}")
    (place.managed / "existing").write_text(f"{PASSWORD}\n{PEM}{json.dumps(CONFIG)}\n{TOKEN!r}\n")
    (place.managed / "key.pem").write_text(PEM.replace("kqhkiG", "KQHKIG"))
    place.declare(SITE)


def test_no_value_is_in_anything_that_is_shown_or_kept(vault: Place) -> None:
    prepare(vault)
    no_value_in((vault.root / "secrets.toml").read_text(), "the config")
    said = [vault.plan("--out", out, "-v") for out in ("serial", "json")]
    said += [vault.once("--out", out, "-v", "--max-retries", "0") for out in ("serial", "json")]
    said += [vault.run("check", vault.site), vault.run("graph", vault.site, "--format", "dot")]
    for each in said:
        no_value_in(each.out, "stdout")
        no_value_in(each.err, "stderr")
        assert each.code in (0, 1)
    ended = {id.rpartition("/")[2].rpartition(":")[2]: status for id, status in said[3].statuses().items()}
    failing = {"broken", "invalid", "env", "stdin", "says", "guard"}
    assert ended == {name: "failed" if name in failing else "ok" for name in ended}
    assert len(ended) == 13
    # What a file of no secret says is shown, but for the secrets in it.
    assert "-***" in said[0].out
    assert "+something" in said[0].out
    for line in ("loading with *** *** [***]", "on stderr ***", "WARNING:root:logged: ***"):
        assert line in said[0].err.splitlines()
    # The true values are where they belong, and there only.
    assert (vault.managed / "plain").read_text() == f"password={PASSWORD}\n"
    assert json.loads((vault.managed / "json").read_text()) == {"p": PASSWORD, "t": TOKEN, "k": PEM}
    assert (vault.managed / "template").read_text() == PASSWORD
    kept = [path for name in ("state", "run") for path in (vault.root / name).rglob("*") if path.is_file()]
    backups = [path for path in kept if path.parent.name == "backups"]
    assert len(backups) == 1
    for path in kept:
        no_value_in(str(path), "the name of a file")
        if path not in backups:
            no_value_in(path.read_bytes(), str(path))
    # A backup is of the former content; it is its owner's alone.
    assert stat.S_IMODE(backups[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(backups[0].parent.stat().st_mode) == 0o700
    assert [path.name for path in vault.managed.iterdir() if ".converge-" in path.name] == []


@pytest.mark.parametrize("command", ["plan", "serve"])
def test_no_value_is_shown_at_a_terminal(vault: Place, command: str) -> None:
    prepare(vault)
    ended = "--timeout 200ms --max-retries 0" if command == "serve" else ""
    code, text = at_a_terminal(vault, [command, str(vault.site), "-v", *ended.split()])
    assert "file" in text
    assert code == 1  # some templates are broken on purpose
    no_value_in(text, "the terminal")


def at_a_terminal(place: Place, arguments: list[str], typed: str = "") -> tuple[int, str]:
    """Run it there, type a line for each prompt, and return the exit code and all that was to be seen."""
    lines = typed.splitlines()
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(place.blueprints)
        os.execve(
            place.python[0], [*place.python, *arguments], place.env | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        )
    seen, answered = b"", 0
    try:
        while True:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # it has ended
                break
            if lines[answered:] and seen.decode(errors="replace").count(": ") > answered:
                os.write(terminal, f"{lines[answered]}\n".encode())
                answered += 1
    finally:
        _, status = os.waitpid(child, 0)
        os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen.decode(errors="replace")


def test_a_value_is_typed_without_being_seen(vault: Place) -> None:
    code, text = at_a_terminal(vault, ["secret", "encrypt"], f"{TOKEN}\n{TOKEN}\n")
    assert code == 0, text
    assert TOKEN not in text
    sealed = text.split()[-1]
    assert secret(vault, "decrypt", typed=sealed).stdout == f"{TOKEN}\n"
    code, text = at_a_terminal(vault, ["secret", "encrypt"], f"{TOKEN}\nsomething else\n")
    assert code == 1
    assert "not the same" in text


def command_lines() -> Iterator[bytes]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def test_no_value_is_in_the_list_of_processes_and_the_key_is_not_handed_on(vault: Place) -> None:
    key = (vault.root / "key").read_text().strip()
    del vault.env["CONVERGE_KEY_FILE"]
    vault.declare(
        """
        r.config("../secrets.toml")
        token = r.secret("api.token")
        r.exec("slow", ["sh", "-c", 'env > "$OUT"; cat >> "$OUT"; sleep 60'], stdin=r.secret("tls.key"),
               env={"TOKEN": token, "OUT": str(HERE / "out")}, timeout=60)
        """
    )
    daemon = vault.start("--out", "json", CONVERGE_KEY=key)
    out = vault.managed / "out"
    daemon.until(lambda: out.exists() and "END KEY" in out.read_text(), "the command runs")
    assert f"TOKEN={TOKEN}" in out.read_text()
    assert key not in out.read_text()
    assert "CONVERGE_KEY" not in out.read_text()
    daemon.until(lambda: any(b"sleep\x0060" in line for line in command_lines()), "its last program runs")
    lines = list(command_lines())
    for line in lines:
        for value in (TOKEN.encode(), b"MIIEvQIBADANBgkqhkiG", key.encode()):
            assert value not in line
    daemon.kill()


def test_a_fault_of_a_kind_shows_no_value_in_its_traceback(vault: Place) -> None:
    vault.declare(
        """
        r.config("../secrets.toml")
        r.declare(Bad, "a", r.secret("api.token"))
        """,
        before="""
        from dataclasses import dataclass
        from converge.core.resource import Resource

        @dataclass(frozen=True, slots=True)
        class Bad(Resource):
            kind = "bad"
            keeps_secret = frozenset({"value"})
            name: str
            value: str
            def identity(self):
                return self.name
            def triggers(self):
                raise RuntimeError(f"no idea what {self.value} is")
            def retry_delay_seconds(self):
                raise RuntimeError(f"no idea when {self.value} is")
            def check(self):
                raise RuntimeError(f"cannot use {self.value}")
        """,
    )
    planned = vault.plan("-v")
    assert "unexpected RuntimeError: cannot use ***" in planned.out
    served = vault.once()
    assert served.code == 1
    assert "Traceback" in served.err
    assert "RuntimeError: no idea when *** is" in served.err
    assert "unexpected RuntimeError: no idea what *** is; it is polled" in served.out
    for said in (planned, served):
        no_value_in(said.out + said.err, "the traceback")


def test_a_changed_secret_is_put_in_place_while_the_daemon_runs(vault: Place) -> None:
    vault.declare('r.config("../secrets.toml"); r.file(HERE / "token", content=r.secret("api.token"), mode=0o600)')
    daemon = vault.serve("-v")
    token, config = vault.managed / "token", vault.root / "secrets.toml"
    daemon.until_reads(token, TOKEN)
    new = "tok_of_tomorrow"
    sealed = secret(vault, "encrypt", typed=new).stdout.strip()
    began = time.monotonic()
    vault.write(config, toml({"api.token": sealed}))
    daemon.until_reads(token, new)
    print(f"a changed secret is in place after {(time.monotonic() - began) * 1000:.0f} ms")
    token.write_text("tampered")
    daemon.until_reads(token, new)
    # What is broken now is said, and what was in force stays.
    vault.write(config, toml({"api.token": sealed[:-20] + "]"}))
    daemon.notice("the secret api.token (secrets.toml)")
    token.write_text("tampered")
    daemon.until_reads(token, new)
    # With another key it cannot be read; once that key is in its place, it can.
    third = "tok_of_the_third_day"
    side = vault.write(
        vault.root / "side.toml", toml({"api.token": secret(vault, "encrypt", typed=third).stdout.strip()})
    )
    assert secret(vault, "keygen", "key2").returncode == 0
    assert secret(vault, "rotate", "side.toml", "--new-key-file", "key2").returncode == 0
    side.rename(config)
    daemon.notice("it was made with another key, or is damaged")
    (vault.root / "key2").rename(vault.root / "key")
    daemon.until_reads(token, third)
    # A config that is missing is waited for.
    body = 'r.config("../later.toml"); r.file(HERE / "token", content=r.secret("api.token"), mode=0o600)'
    vault.declare(body)
    daemon.notice("later.toml cannot be read")
    fourth = "tok_that_came_later"
    vault.write(vault.root / "later.toml", toml({"api.token": fourth}))
    daemon.until_reads(token, fourth)
    assert daemon.stop() == 0
    for value in (TOKEN, new, third, fourth):
        assert value not in daemon.said()


def test_the_command_line_goes_before_the_blueprint_and_is_read_again(vault: Place) -> None:
    vault.declare('r.config("../secrets.toml"); r.file(HERE / "token", content=r.secret("api.token"), mode=0o600)')
    own = vault.write(vault.root / "own.toml", 'api.token = "of the command line"\n')
    daemon = vault.serve("--config", "../own.toml")
    daemon.until_reads(vault.managed / "token", "of the command line")
    vault.write(own, 'api.token = "changed since"\n')
    daemon.until_reads(vault.managed / "token", "changed since")
    assert daemon.stop() == 0
    missing = vault.plan("--config", "nosuch.toml")
    assert missing.code == 1
    assert "nosuch.toml cannot be read: no such file or directory" in missing.err


def test_check_needs_no_key(vault: Place) -> None:
    del vault.env["CONVERGE_KEY_FILE"]
    vault.declare('r.config("../secrets.toml"); r.user("app", password_hash=r.secret("db.password"))')
    checked = vault.run("check", vault.site, "--platform", "linux", XDG_CONFIG_HOME=str(vault.root))
    assert checked.code == 0, checked.err
    vault.declare('r.config("../secrets.toml"); r.exec("x", ["curl", r.secret("db.password")])')
    checked = vault.run("check", vault.site)
    assert checked.code == 1
    assert "exec:x: command has a secret in it" in checked.err


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        ("chmod 644 key", "is mode 0644, so others can use it"),
        ("rm key", "key cannot be read: no such file"),
        ("echo short > key", "only 5 characters"),
        ("echo another key of some length > key", "made with another key, or is damaged"),
        ("sed -i 's/AES256:..../AES256:/' secrets.toml", "made with another key, or is damaged"),
        ("sed -i 's/AES256:.*]/AES256:QUJD]/' secrets.toml", "too short to be an encrypted value"),
        ("sed -i 's/AES256:/AES512:/' secrets.toml", "is not of the form ENC"),
    ],
)
def test_what_cannot_be_decrypted_stops_everything_before_anything_is_touched(
    vault: Place, break_it: str, said: str
) -> None:
    subprocess.run(["sh", "-c", break_it], cwd=vault.root, check=True)
    vault.declare(
        """
        r.config("../secrets.toml")
        r.file(HERE / "plain", content="x")
        r.file(HERE / "token", content=r.secret("api.token"), mode=0o600)
        """
    )
    for ran in (vault.plan(), vault.once()):
        assert ran.code == 1
        assert "1 mistake in the blueprint; nothing was touched" in ran.err
        assert "the secret api.token (secrets.toml)" in ran.err
        assert said in ran.err
        assert "site.py:" in ran.err
        no_value_in(ran.err, "stderr")
    assert list(vault.managed.iterdir()) == []


def test_keys_are_made_private_and_never_over_another(vault: Place) -> None:
    assert stat.S_IMODE((vault.root / "key").stat().st_mode) == 0o600
    before = (vault.root / "key").read_text()
    again = secret(vault, "keygen", "key")
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert (vault.root / "key").read_text() == before
    assert secret(vault, "keygen", "folder/of/keys/key").returncode == 0
    assert stat.S_IMODE((vault.root / "folder/of/keys").stat().st_mode) == 0o700
    printed = {secret(vault, "keygen").stdout for _ in range(3)}
    assert len(printed) == 3
    assert all(len(each.strip()) == 43 for each in printed)


def test_rotating_is_all_or_nothing(vault: Place) -> None:
    config = vault.root / "secrets.toml"
    config.chmod(0o640)
    inode, before = config.stat().st_ino, config.read_text()
    assert secret(vault, "keygen", "key2").returncode == 0
    config.write_text(before + 'damaged = "ENC[AES256:QUJD]"\n')
    failed = secret(vault, "rotate", "secrets.toml", "--new-key-file", "key2")
    assert failed.returncode == 1
    assert "secrets.toml: line 4: the value is damaged: it is too short" in failed.stderr
    assert config.read_text() == before + 'damaged = "ENC[AES256:QUJD]"\n'
    config.write_text("# a note\n" + before)
    done = secret(vault, "rotate", "secrets.toml", "--new-key-file", "key2")
    assert done.returncode == 0
    assert "3 values encrypted" in done.stderr
    assert config.stat().st_ino != inode
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    after = config.read_text()
    assert after.startswith("# a note\n")
    for line, (name, value) in zip(after.splitlines()[1:], CONFIG.items(), strict=True):
        sealed = line.partition('"')[2].rstrip('"')
        assert line.startswith(f"{name} = ")
        assert secret(vault, "decrypt", typed=sealed).returncode == 1
        assert secret(vault, "decrypt", typed=sealed, CONVERGE_KEY_FILE="key2").stdout == value + "\n"


def test_an_edit_that_is_killed_leaves_nothing_behind(vault: Place) -> None:
    seen, program = vault.root / "seen", vault.root / "editor"
    program.write_text(f'#!/bin/sh\necho "$1" > {seen}.new; mv {seen}.new {seen}; sleep 60\n')
    program.chmod(0o755)
    before = (vault.root / "secrets.toml").read_text()
    process = subprocess.Popen(
        [*vault.python, "secret", "edit", "secrets.toml"], cwd=vault.root, stdin=subprocess.DEVNULL,
        env=vault.env | {"EDITOR": str(program), "VISUAL": ""}, start_new_session=True,
    )  # fmt: skip
    try:
        vault.until(seen.exists, "the editor runs")
        copy = Path(seen.read_text().strip())
        assert PEM.splitlines()[1] in copy.read_text()
        assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
        assert not copy.parent.exists()
        assert (vault.root / "secrets.toml").read_text() == before
    finally:
        with contextlib.suppress(ProcessLookupError):  # the editor's own command may have ended with it
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (["encrypt"], "pin", "fewer than 4 characters"),
        (["decrypt"], "hunter2", "is not of the form ENC"),
        (["decrypt"], "", "is not of the form ENC"),
        (["rotate", "secrets.toml", "--new-key-file", "nosuch"], "", "nosuch cannot be read"),
        (["rotate", "nosuch.toml", "--new-key-file", "key"], "", "nosuch.toml: No such file or directory"),
        (["edit", "nosuch.toml"], "", "nosuch.toml: No such file or directory"),
        ([], "", "the following arguments are required: COMMAND"),
        (["encrypt", "hunter2"], "", "one name too many"),
    ],
)
def test_bad_input_is_answered_in_a_sentence(vault: Place, arguments: list[str], typed: str, said: str) -> None:
    done = secret(vault, *arguments, typed=typed)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
