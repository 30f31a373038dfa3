"""What the documents show is true: examples load and can be planned, commands parse, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import cast

import jinja2
import pytest
from pages import ROOT, Block, Sandbox, as_blueprint, blocks, commands, converge_commands, pages

from converge.blueprints.kinds import KINDS
from converge.blueprints.load import NOTHING_GIVEN, Given, load
from converge.blueprints.run import Declares, Run
from converge.cli import main, parser
from converge.core.errors import Mistakes
from converge.core.platform import Os, pretended_platform
from converge.secrets.cipher import Key, seal

PAGES = {str(page.relative_to(ROOT)): page.read_text() for page in pages()}
EXAMPLES = [
    pytest.param(name, block, id=f"{name}:{block.line}")
    for name, text in PAGES.items()
    for block in blocks(text)
    if block.language == "python" and not {"mistaken", "runs", "package", "pytest"} & set(block.words)
]
OTHERS = [
    pytest.param(name, block, id=f"{name}:{block.line}")
    for name, text in PAGES.items()
    for block in blocks(text)
    if block.language != "python" or {"mistaken", "runs"} & set(block.words)
]
COMMANDS = [
    pytest.param(words, id=f"{name}: {line}") for name, text in PAGES.items() for line, words in converge_commands(text)
]


def test_there_is_something_to_test() -> None:
    assert len(EXAMPLES) > 15
    assert len(COMMANDS) > 15


def test_no_block_is_left_out() -> None:
    """Each is known by its language and words, so that one of the tests here has it."""
    known = {"load-only", "mistaken", "runs", "package", "pytest", "until", "fails", "root"}
    for name, text in PAGES.items():
        fences = re.findall(r"^\s*```.", text, flags=re.MULTILINE)
        assert len(fences) == len(list(blocks(text))), f"{name}: indented, or of no language"
        for block in blocks(text):
            assert block.language in ("python", "sh", "console", "systemd", "toml", "jinja", "text"), (
                f"{name}:{block.line}"
            )
            strange = {word for word in block.words if "=" not in word} - known
            assert not strange, f"{name}:{block.line}: {strange}"
            assert "package" not in block.words or name == "docs/adding-a-kind.md"


@pytest.mark.parametrize(("page", "block"), OTHERS)
def test_a_block_that_is_no_blueprint(page: str, block: Block, sandbox: Sandbox) -> None:
    match block.language:
        case "sh" | "console":
            text = block.text if block.language == "sh" else "\n".join(commands(block.text))
            assert text.strip()
            done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            typed = [line for line in text.splitlines() if re.search(r"(?:^|[\s=/(])converge (?:[a-z]|--)", line)]
            assert len(typed) == len(list(converge_commands(f"```sh\n{text}\n```\n"))), "not all are parsed"
        case "toml":
            assert tomllib.loads(block.text)
        case "jinja":
            jinja2.Environment(autoescape=True).parse(block.text)
        case "systemd":
            assert block.file == "converge.service", "test_the_unit_that_is_shown_is_valid has it"
        case "python" if "runs" in block.words:
            sealed, key = seal("a value", Key("the key of it", "here")), "the key of it"
            names: dict[str, object] = {"sealed": sealed, "key": key, "__name__": "shown"}
            exec(block.text, names)
            assert names.get("value", "a value") == "a value"
        case "python":
            with pytest.raises(Mistakes):
                load(str(sandbox.put("mistaken.py", block.text)))


@pytest.mark.parametrize(("page", "block"), EXAMPLES)
def test_an_example_of_a_blueprint_can_be_planned(
    page: str,
    block: Block,
    sandbox: Sandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "with=json-setting" in block.words:
        monkeypatch.syspath_prepend(str(ROOT / "examples" / "json-setting" / "src"))
        monkeypatch.setitem(KINDS, "json_setting", "json_setting:JsonSetting")
        monkeypatch.setattr(Run, "json_setting", Declares("json_setting"), raising=False)
    sandbox.put_files(PAGES[page])
    path = str(sandbox.put("example.py", as_blueprint(block.text)))
    names = re.findall(r'@blueprint\("([^"]+)"', block.text) or ["example"]
    for name in names:
        if "load-only" in block.words:
            system = next((word.removeprefix("platform=") for word in block.words if word.startswith("platform=")), "")
            given = Given(platform=pretended_platform(cast("Os", system))) if system else NOTHING_GIVEN
            assert load(f"{path}:{name}", given=given).graph.resources
            continue
        code = main(["plan", "--out", "serial", f"{path}:{name}"])
        said = capsys.readouterr()
        assert code == 0, said.out + said.err
        assert re.search(r"\d (pending|skipped)", said.out.splitlines()[-1])


@pytest.mark.parametrize(
    "name", [name for name, text in PAGES.items() if any("pytest" in b.words for b in blocks(text))]
)
def test_the_tests_that_a_page_shows_pass(name: str, sandbox: Sandbox) -> None:
    sandbox.put_files(PAGES[name])
    shown = "".join(block.text for block in blocks(PAGES[name]) if "pytest" in block.words)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(sandbox.work), "."]
    done = subprocess.run(command, cwd=sandbox.work, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= shown.count("def test_")


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_line_that_is_shown_parses(words: list[str]) -> None:
    try:
        parser.parse(words)
    except SystemExit as ended:
        assert ended.code == 0, words  # --help ends by itself


def test_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_docs.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def headings(text: str) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", outside, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_links_within_the_documents_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[name]):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        page = (ROOT / name).parent / path if path else ROOT / name
        assert page.exists(), target
        if anchor:
            assert anchor in headings(page.read_text()), target


@pytest.mark.parametrize("name", PAGES)
def test_tests_that_are_named_exist(name: str) -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for word in re.findall(r"PYTEST='-k (\w+)'", PAGES[name]):
        if word != "symlink":
            assert re.search(rf"def test_\w*{word}", tests), word


def test_make_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for text in PAGES.values():
        for target in re.findall(r"`make ([a-z][a-z-]*)|^make ([a-z][a-z-]*)", text, flags=re.MULTILINE):
            assert re.search(rf"^{''.join(target)}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("unit", [b for text in PAGES.values() for b in blocks(text) if b.language == "systemd"])
def test_the_unit_that_is_shown_is_valid(unit: Block, sandbox: Sandbox) -> None:
    # The program that it names is nowhere on this machine, but in the sandbox.
    program = sandbox.put("../opt/converge/bin/converge", "#!/bin/sh\n")
    program.chmod(0o755)
    path = sandbox.put("converge.service", unit.text)
    try:
        done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("systemd-analyze is not installed")
    complaints = [line for line in done.stderr.splitlines() if path.name in line]
    assert not complaints


def test_nothing_in_the_documents_is_left_to_do() -> None:
    for name, text in PAGES.items():
        assert "TODO" not in text, name


def test_the_screenshot_loads_nothing_from_elsewhere() -> None:
    picture = Path(ROOT / "docs" / "screenshot.svg").read_text()
    assert "url(http" not in picture
    assert "/tmp/" not in picture


def test_what_is_said_of_security_names_tests_that_there_are() -> None:
    named = re.findall(r"`((?:tests/[\w/]+|test_\w+)(?:\.py)?)(?:::(\w+))?`", PAGES["docs/security.md"])
    assert len(named) > 15
    for path, test in named:
        found = [ROOT / path] if "/" in path else list((ROOT / "tests").rglob(path))
        assert found and found[0].exists(), path
        assert not test or test in found[0].read_text(), test


def test_the_first_service_is_the_one_that_the_demonstration_leads_to() -> None:
    shown = next(block for block in blocks(PAGES["README.md"]) if block.file == "service.py")
    assert (ROOT / "demo" / "service.py").read_text() == shown.text
