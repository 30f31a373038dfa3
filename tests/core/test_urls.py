"""Credentials in URLs: no part of one is shown, however it is written."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.cli import main
from converge.core.urls import hide_credentials
from converge.resources.archive import Archive
from converge.secrets.redaction import Redactor

TEXT = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs", "Zs"])
KEYS = st.sampled_from(
    ["private_token", "access_token", "token", "sig", "X-Amz-Signature", "X-Amz-Security-Token", "password", "api_key",
     "apikey", "api-key", "APIKEY", "key", "client_secret", "X-Goog-Credential", "pass%77ord", "auth", "job-token"]
)  # fmt: skip
Written = Callable[[str], str]
WRITTEN: st.SearchStrategy[Written] = st.sampled_from(
    [
        str,
        repr,
        json.dumps,
        shlex.quote,
        lambda text: f"fatal: '{text}': 404",
        quote,
        lambda text: quote(text, safe=""),
        lambda text: quote(quote(text, safe=""), safe=""),
    ]
)


def secrets(without: str) -> st.SearchStrategy[str]:
    """Beginning and end are marked, so that a rest of it is found wherever it stands."""
    return st.text(TEXT.filter(lambda char: char not in without), max_size=12).map(lambda text: f"Zq7{text}7qZ")


def holds_none(shown: str, secret: str) -> None:
    assert "Zq7" not in shown and "7qZ" not in shown, shown
    assert secret not in shown


@given(secrets('/?#"<>\\'), st.sampled_from(["https", "http", "git+https", "ftp", "postgres"]), WRITTEN)
def test_a_token_before_the_host(secret: str, scheme: str, written: Written) -> None:
    shown = hide_credentials(written(f"{scheme}://{secret}@host.example:8443/a/b?c=d"))
    holds_none(shown, secret)
    assert "host.example" in shown


@given(secrets(""), st.sampled_from(["https", "ssh", "git+ssh", "ftp", "smb"]), WRITTEN)
def test_a_password_before_the_host(secret: str, scheme: str, written: Written) -> None:
    """Written raw; with both a ``/`` and an ``@`` in it, no reader would agree on what it is."""
    if "@" in secret and not set(secret).isdisjoint('/?#"<>\\'):
        secret = secret.replace("@", "")
    holds_none(hide_credentials(written(f"{scheme}://user:{secret}@host.example/a")), secret)


@given(secrets(""), st.sampled_from(["https", "ssh", "ftp"]), WRITTEN)
def test_a_password_that_is_percent_encoded(secret: str, scheme: str, written: Written) -> None:
    encoded = quote(secret, safe="")
    shown = hide_credentials(written(f"{scheme}://user:{encoded}@host.example/a"))
    holds_none(shown, encoded)
    assert "host.example" in shown


@given(secrets(""), KEYS, st.sampled_from("?&#"), st.booleans(), WRITTEN)
def test_a_value_in_the_query(secret: str, key: str, before: str, raw: bool, written: Written) -> None:
    value = "".join(char for char in secret if char not in "&\"<>'\\") if raw else quote(secret, safe="")
    shown = hide_credentials(written(f"https://host.example/a?b=c{before}{key}={value}&page=2"))
    holds_none(shown, value)
    assert "host.example" in shown and "page" in shown


@given(st.text())
def test_hiding_again_changes_nothing(text: str) -> None:
    once = hide_credentials(text)
    assert hide_credentials(once) == once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:p@ss-w0rd@host/x", "https://***@host/x"),
        ("https://token@host", "https://***@host"),
        ("ssh://git@host/x ssh://me:pw@host/y git@host:z", "ssh://git@host/x ssh://me:***@host/y git@host:z"),
        ("https://user:p%40ss@host", "https://***@host"),
        ("https://user:a/b@host", "https://***@host"),
        ("https://host/api?private_token=abc&x=1", "https://host/api?private_token=***&x=1"),
        ("(see https://host/api?token=abc).", "(see https://host/api?token=***)."),
        ("https://host/r?to=https%3A%2F%2Fme%3Apw%40two%2Fx", "https://host/r?to=https%3A%2F%2F***%40two%2Fx"),
        ("https://host:8080/@scope/pkg@1.2", None),
        ("http://[::1]:80/a@b", None),
        ('["https://host:8080","a@b"]', None),
        ("https://registry/x?page=2&sort=name#top", None),
        ("user@host and a=b, key=value, # password=x", None),
        ("file:///srv/a@b", None),
    ],
)
def test_what_is_hidden_and_what_is_not(text: str, shown: str | None) -> None:
    assert hide_credentials(text) == (text if shown is None else shown)


def test_it_is_linear() -> None:
    """A line of a megabyte takes no longer than its length says."""
    for part in ("https://u:x", "a", "?token", "%3A%2F%2F", "://@", "&password="):
        hide_credentials(part * (1_000_000 // len(part)))


def test_what_another_program_takes_for_the_host() -> None:
    it = Redactor()
    it.learn_credentials(Archive("/a", "https://user:p@ss-w0rd@host/x?token=abc%2Fdefgh"))
    assert it.redact("Could not resolve host: ss-w0rd@host") == "Could not resolve host: ***@host"
    assert it.redact("got 'abc/defgh'") == "got '***'"
    assert not it.finds("p@ss-w0rd"), "it is no secret of r.secret, and refuses no option"


def test_a_users_name_is_not_hidden_everywhere() -> None:
    it = Redactor()
    it.learn_credentials(Archive("/a", "https://deploy:deploy@one/ https://grafana@two/ ssh://backup@three/"))
    assert it.redact("user:deploy grafana backup") == "user:deploy grafana backup"


BLUEPRINT = """
from converge import Run, blueprint

@blueprint("site")
def site(r: Run) -> None:
    r.git("{tmp}/app", repo="https://user:p@ss-w0rd@127.0.0.1:1/app.git")
    r.exec("curl https://user:p@ss-w0rd@host", ["/bin/sh", "-c", "echo could not resolve ss-w0rd@host; exit 1"])
    r.file("{tmp}/repo.list", content="deb https://user:p@ss-w0rd@host/ x\\nkey\\n")
    r.archive("{tmp}/dest", "https://host/a.tgz?private_token=ss-w0rd", checksum="sha256:" + "0" * 64)
    r.exec("fetch", ["/bin/sh", "-c", "exit 3", "{long}https://user:p@ss-w0rd@host"])
"""


@pytest.mark.parametrize(
    "command",
    ["plan", "check", "graph", "graph --format dot", "serve --timeout 1s --max-retries 0"],
)
@pytest.mark.parametrize("out", ["serial", "json"])
@pytest.mark.parametrize("mistaken", [False, True])
def test_no_command_shows_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str, out: str, mistaken: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CONVERGE_STATE_DIR", str(tmp_path / "state"))
    blueprint = tmp_path / "site.py"
    more = '    r.git("/a", repo=["https://user:p@ss-w0rd@host"])\n' * mistaken
    blueprint.write_text(BLUEPRINT.replace("{tmp}", str(tmp_path)).replace("{long}", "x" * 30) + more)
    main([*command.split(), "--out", out, "-v", str(blueprint)])
    said = "".join(capfd.readouterr())
    assert "ss-w0rd" not in said
    assert "***" in said or (command == "check" and not mistaken)


def test_adopt_shows_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text("deb https://user:p@ss-w0rd@host/ x\n")
    assert main(["adopt", "file", str(tmp_path / "a")]) != 0
    said = "".join(capfd.readouterr())
    assert "ss-w0rd" not in said
    assert "with a password or token" in said
