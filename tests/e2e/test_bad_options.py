"""Every option of every kind, given wrongly: one report names each with its line and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from converge.blueprints.kinds import own_kind
from converge.blueprints.typecheck import describe

if TYPE_CHECKING:
    from .conftest import Place

# For each kind: its arguments, and what the report must say of them. The path and the name are put in by the test.
EVERY_KIND = {
    "depends_on=5": "depends_on must be Resource or str or a list of Resource or str, not 5",
    "depends_on=[5]": "depends_on must be Resource or str or a list of Resource or str, not [5]",
    "depends_on='file:/etc/mtod'": "names file:/etc/mtod, which is not declared (did you mean file:/etc/motd?)",
    "critical='yes'": "critical must be bool, not 'yes'",
    "noop=1": "noop must be bool, not 1",
    "retry='3'": "retry must be int or None, not '3'",
    "retry=-1": "retry must be 0 or more, not -1",
    "limit='fast'": "limit must be float or None, not 'fast'",
    "limit=0": "limit must be a number of repairs per second above 0, not 0",
    "limit=float('nan')": "limit must be a number of repairs per second above 0, not nan",
    "timeout='5 minutes'": "timeout: '5 minutes' is not a duration; write it as 500ms, 30s, 5m or 1h",
    "timeout=-1": "timeout: -1 is not a duration; it must be zero or more",
    "timeout=[]": "timeout must be float or str or None, not []",
    "auto_edge=None": "auto_edge must be bool, not None",
    "auto_group='no'": "auto_group must be bool, not 'no'",
    "why=3": "why must be str or None, not 3",
    "condition=True": "condition must be Condition or None, not True",
    "condition=lambda: True": "condition must be Condition or None, not <function ",
    "dependson='x'": "has no option dependson (did you mean depends_on?)",
}
EVERY_ENTRY = {
    "owner=1.5": "owner must be str or int or None, not 1.5",
    "owner=''": "owner='' is no owner; give a name or a number",
    "owner=-1": "owner=-1 is no owner; give a name or a number",
    "group=['wheel']": "group must be str or int or None, not ['wheel']",
    "group=2**40": "group=1099511627776 is no group; give a name or a number",
    "state='abesnt'": "state must be one of present, absent, not 'abesnt' (did you mean absent",
    "state=None": "state must be one of present, absent, not None",
    "parents='yes'": "parents must be bool, not 'yes'",
    "parents=True, state='absent'": 'parents=True has no meaning with state="absent"',
    "owner='root', state='absent'": 'with state="absent" there is nothing to own; leave out owner and group',
}
MODES = {
    "mode='0644'": "mode must be int or None, not '0644'; write it as mode=0o644",
    "mode='0o600'": "mode must be int or None, not '0o600'; write it as mode=0o600",
    "mode='u=rw'": "mode must be int or None, not 'u=rw'; write it as mode=0o644",
    "mode=644": "mode=644 looks like octal digits without their 0o; write 0o644",
    "mode=0o10000": "mode=4096 is out of range; a mode lies between 0 and 0o7777",
    "mode=-1": "mode=-1 is out of range; a mode lies between 0 and 0o7777",
    "mode=True": "mode must be int or None, not True; write it as mode=0o644",
}
LISTS = {
    "acl=5": "acl must be a list of str, not 5",
    "acl='user:x:r'": "acl must be a list of str, not 'user:x:r'",
    "mode=0o600, acl=['x:r']": '\'x:r\' is no entry of an access list; write "user:www-data:rx" or "group:adm:r"',
    "acl=['user:x:r']": "acl needs mode=, which says what owner, group and others may",
}
FILE = {
    "content=5": "content must be str or bytes or None, not 5",
    "content='\\ud800'": "content holds characters that cannot be written as UTF-8; give it as bytes",
    "content='x', source='y'": "content and source exclude one another; give one of them",
    "source=5": "source must be str or None, not 5",
    "source=''": "source is empty; give the path of a file",
    "template=b'x'": "template must be str or None, not b'x'",
    "template=''": "template is empty; give the path of a file",
    "template='t', vars=['x']": "vars must be a dict of str to object, not ['x']",
    "template='t', vars={1: 2}": "vars must be a dict of str to object, not {1: 2}",
    "vars={'x': 1}": "vars= has no meaning without template=",
    "append='x'": "append must be bool, not 'x'",
    "append=True": "append=True needs content=, the text that is to be in the file",
    "line=5": "line must be str or Line or a list of str or Line, not 5",
    "line='a\\nb'": "a line cannot hold a line break; use block= for several lines",
    "line=Line('x', match='(')": "match='(' is not a regular expression: ",
    "line=Line('x', after='a', before='b')": "a line goes either after= or before= another line, not both",
    "line=[Line('a', match='^'), Line('b', match='^')]": "the lines 'a' and 'b' cannot both hold: the second",
    "line='x', content='y'": "line and block edit a file whose content is not declared; leave out content",
    "block=5": "block must be str or Block or a list of str or Block, not 5",
    "block=['a', 'b']": "two blocks are both named 'converge'; give each its own name=",
    "backup='yes'": "backup must be bool, not 'yes'",
    "validate=True": "validate must be str or a list of str or None, not True",
    "validate=''": "validate='' names no program",
    "validate='sshd \"'": "validate='sshd \"' cannot be taken apart into words: ",
    "sensitive=0": "sensitive must be bool, not 0",
    "content='x', state='absent'": 'with state="absent" the file goes away; leave out content',
    "contents='x'": "has no option contents (did you mean content?)",
}
DIRECTORY = {
    "recurse='yes'": "recurse must be bool, not 'yes'",
    "recurse=True": "recurse=True is about owner and group; give one of them",
    "purge=1": "purge must be bool, not 1",
    "force=1": "force must be bool, not 1",
    "force=True": 'force=True only has a meaning with state="absent"',
    "default_acl=5": "default_acl must be a list of str, not 5",
    "default_acl=['user:x:r']": "default_acl needs mode=, which says what owner, group and others may",
    "purge=True, state='absent'": 'with state="absent" the directory goes away; leave out mode, recurse and purge',
    "content='x'": "has no option content",
}
SYMLINK = {
    "target=5": "target must be str or bytes or a path, not 5",
    "target=''": "the target of a symbolic link cannot be empty",
    "target='a\\0b'": "the target of a symbolic link cannot hold a zero byte",
    "": "target is missing",
    "target='x', force='yes'": "force must be bool, not 'yes'",
    "target='x', mode=0o777": "has no option mode",
}
EXEC = {
    "": "command is missing",
    "command=5": "command must be str or a list of str, not 5",
    "command=''": "command is empty",
    "command=[]": "command is empty",
    "command='a | b'": "command has an unquoted '|', which only a shell understands; set shell=True, or give a list",
    "command='A=1 b'": "command begins with A=, which only a shell understands; use env=, or set shell=True",
    "command='\"'": "command cannot be split into words: no closing quotation",
    "command='bin/x'": "command runs bin/x, a relative path; give dir=, or the full path",
    "command=['x', '\\0']": "command has text that no program can be given (a NUL character, or broken text)",
    "command='x', args='y'": "args must be a list of str, not 'y'",
    "command=['x'], args=['y']": "arguments are given both in the command's list and in args; put all of them in one",
    "command='x', shell='bash'": "shell must be bool, not 'bash'",
    "command=['x'], shell=True": "shell=True takes one line of text, neither a list nor args",
    "command='x', only_if=5": "only_if must be str or a list of str or None, not 5",
    "command='x', only_if=''": "only_if is empty",
    "command='x', unless=5": "unless must be str or a list of str or None, not 5",
    "command='x', unless='a && b'": "unless has an unquoted '&', which only a shell understands",
    "command='x', creates=5": "creates must be str or None, not 5",
    "command='x', creates='y'": "creates takes a full path such as /srv/app, not 'y'",
    "command='x', only_on=5": "only_on must be Resource or str or a list of Resource or str, not 5",
    "command='x', only_on='file:/etc/mtod'": "names file:/etc/mtod, which is not declared (did you mean",
    "command='x', dir=5": "dir must be str or None, not 5",
    "command='x', dir='y'": "dir takes a full path such as /srv/app, not 'y'",
    "command='x', env=['A=1']": "env must be a dict of str to str, not ['A=1']",
    "command='x', env={'A': 1}": "env must be a dict of str to str, not {'A': 1}",
    "command='x', env={'A=B': '1'}": "env has 'A=B', which is no name for a variable",
    "command='x', user=0": "user must be str or None, not 0",
    "command='x', user=''": "'' is no name for a user",
    "command='x', stdin=5": "stdin must be str or bytes or None, not 5",
    "command='x', retries='3'": "retries must be int or None, not '3'",
    "command='x', retries=-1": "retries takes zero or more, not -1",
    "command='x', retries=1, retry=2": "retry=2 and retries=1 are the same option; give one",
    "command='x', retry_delay='soon'": "retry_delay: 'soon' is not a duration; write it as 500ms, 30s, 5m or 1h",
    "command='x', retry_delay=()": "retry_delay must be float or str or None, not ()",
    "command='x', watch='/x'": "watch must be a list of str, not '/x'",
    "command='x', unless='y', watch=['z']": "watch takes a full path such as /srv/app, not 'z'",
    "command='x', watch=['/z']": "watch says when to look at a guard, and there is none; add unless= or creates=",
    "command='x', sensitive=None": "sensitive must be bool, not None",
    "command='x', cretes='/y'": "has no option cretes (did you mean creates",
}
CASES = [
    *[("file", given, said) for given, said in (EVERY_KIND | EVERY_ENTRY | MODES | LISTS | FILE).items()],
    *[("directory", given, said) for given, said in (EVERY_KIND | EVERY_ENTRY | MODES | LISTS | DIRECTORY).items()],
    *[("symlink", f"target='x', {given}", said) for given, said in (EVERY_KIND | EVERY_ENTRY).items()],
    *[("symlink", given, said) for given, said in SYMLINK.items()],
    *[("exec", f"command='x', {given}", said) for given, said in EVERY_KIND.items()],
    *[("exec", given, said) for given, said in EXEC.items()],
]
BAD_NAMES = {
    "r.file('relative')": "file:relative: the path 'relative' is not absolute; begin it with /",
    "r.file('/a/../b')": "file:/a/../b: the path /a/../b holds ..; write out where it leads",
    "r.file('/a\\0b')": r"file:/a\x00b: the path /a\x00b holds a zero byte",
    "r.file('/')": "file:/: the path / is a directory",
    "r.file(5)": "file: path must be str or bytes or a path, not 5",
    "r.file()": "file: path is missing",
    "r.file('/twice-given', path='/x')": "file:/twice-given: path is given twice",
    "r.file('/two', 'content')": "file:/two: takes only path without a name; write the others as option=value",
    "r.directory('/', state='absent')": "file:/: the root directory is neither removed nor purged",
    "r.exec('', 'x')": "exec: the name is empty",
    "r.exec(5, 'x')": "exec: name must be str, not 5",
}


@pytest.fixture(scope="module")
def report(module_place: Place) -> dict[int, list[str]]:
    """What one run says of a blueprint with all of these mistakes, by line."""
    place = module_place
    calls = [f"r.{kind}('/etc/case{number}', {given})" for number, (kind, given, _) in enumerate(CASES)]
    place.declare("\n".join(["r.file('/etc/motd')", *calls, *BAD_NAMES]))
    said = place.run("serve", place.site, "--timeout", "1s")
    assert (said.code, said.out) == (1, "")
    first, *mistakes = said.err.splitlines()
    assert first == f"converge: {len(mistakes)} mistakes in the blueprint; nothing was touched"
    start = next(n for n, line in enumerate(place.site.read_text().splitlines(), 1) if "'/etc/motd')" in line)
    by_line: dict[int, list[str]] = {}
    for mistake in mistakes:
        found = re.match(re.escape(str(place.site)) + r":(\d+): (.*)", mistake)
        assert found, mistake
        by_line.setdefault(int(found[1]) - start - 1, []).append(found[2])
    assert not Path("/etc/case0").exists()
    return by_line


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{kind}({given})" for kind, given, _ in CASES])
def test_a_wrong_option_is_told_with_its_line_and_what_to_write(report: dict[int, list[str]], number: int) -> None:
    kind, _, said = CASES[number]
    name = f"exec:/etc/case{number}" if kind == "exec" else f"file:/etc/case{number}"
    assert report[number][0].startswith(f"{name}: "), report[number]
    assert any(said in mistake for mistake in report[number]), report[number]


@pytest.mark.parametrize("number", range(len(BAD_NAMES)), ids=list(BAD_NAMES))
def test_a_wrong_path_or_name_is_told_with_its_line(report: dict[int, list[str]], number: int) -> None:
    assert list(BAD_NAMES.values())[number] in report[len(CASES) + number]


@pytest.mark.parametrize("kind", ["file", "directory", "symlink", "exec"])
def test_no_option_was_forgotten_here(kind: str) -> None:
    given = " ".join(given for each, given, _ in CASES if each == kind)
    options = {name for name in describe(own_kind(kind)).options if not re.search(rf"\b{name}=", given)}
    assert options <= {"path", "name"}
