"""``converge graph``: what waits for what, and why, as text, DOT and a picture."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from .conftest import Place

BODY = r"""
r.directory("/etc/nginx")
nginx = r.package("nginx")
r.package("curl")
conf = r.file("/etc/nginx/site.conf", content="x", depends_on=nginx)
r.exec('say "hi" \\n <b>{x}</b> ß', ["true"], only_on=conf)
r.file("/etc/nginx/old", state="absent")
"""


def test_text_shows_layers_groups_and_each_edge_with_its_rule(place: Place) -> None:
    place.declare(BODY)
    said = place.run("graph", place.site, "--distro", "debian")
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        "site: 6 resources, 3 layers, 5 edges (2 declared, 3 automatic)",
        "",
        "layer 1",
        "  file:/etc/nginx",
        "  package:nginx  [group 1]",
        "  package:curl  [group 1]",
        "",
        "layer 2",
        "  file:/etc/nginx/site.conf",
        "    after package:nginx    depends_on",
        "    after file:/etc/nginx  parent directory",
        "  file:/etc/nginx/old  (absent)",
        "    after file:/etc/nginx  parent directory",
        "    after package:nginx    directory of its package",
        "",
        "layer 3",
        r'  exec:say "hi" \\n <b>{x}</b> ß'.replace(r"\\", "\\"),
        "    after file:/etc/nginx/site.conf  refresh",
        "",
        "groups, each of which is applied in one go where its members are ready together",
        "  group 1: package:nginx, package:curl",
    ]


def test_fifty_resources_are_fifty_lines_and_their_reasons(place: Place) -> None:
    place.declare('r.directory("/srv/s")\nfor n in range(49):\n    r.file(f"/srv/s/{n}", content="")')
    lines = place.run("graph", place.site).out.splitlines()
    assert len(lines) < 110
    assert max(map(len, lines)) < 120
    assert sum(line.startswith("  file:") for line in lines) == 50


def test_dot_is_the_graph_whatever_is_in_its_names(place: Place) -> None:
    place.declare(BODY)
    said = place.run("graph", place.site, "--distro", "debian", "--format", "dot")
    assert said.code == 0, said.err
    nodes = dict(
        re.findall(
            r'^ {4}(n\d+) \[label="((?:[^"\\]|\\.)*)", tooltip="[^"]*"(?:, fillcolor="lightgrey")?\];$', said.out, re.M
        )
    )
    ids = {
        name: label.partition(r"\ngroup")[0].replace("\\\\", "\\").replace('\\"', '"') for name, label in nodes.items()
    }
    assert len(ids) == 6
    assert r'exec:say "hi" \n <b>{x}</b> ß' in ids.values()
    edges = re.findall(r'^  (n\d+) -> (n\d+) \[label="([^"]*)", style="(\w+)"\];$', said.out, re.M)
    assert {(ids[a], ids[b], rule, style) for a, b, rule, style in edges} == {
        ("package:nginx", "file:/etc/nginx/site.conf", "depends_on", "solid"),
        ("file:/etc/nginx/site.conf", r'exec:say "hi" \n <b>{x}</b> ß', "refresh", "bold"),
        ("file:/etc/nginx", "file:/etc/nginx/site.conf", "parent directory", "dashed"),
        ("file:/etc/nginx", "file:/etc/nginx/old  (absent)", "parent directory", "dashed"),
        ("package:nginx", "file:/etc/nginx/old  (absent)", "directory of its package", "dashed"),
    }


def test_graphviz_draws_it(place: Place) -> None:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    place.declare(BODY)
    picture = place.run("graph", place.site, "--distro", "debian", "--format", "svg")
    assert picture.code == 0, picture.err
    root = ET.fromstring(picture.out)
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"file:/etc/nginx", "parent directory", r'exec:say "hi" \n <b>{x}</b> ß', "group 1"} <= set(texts)
    edges = [e for e in root.iter("{http://www.w3.org/2000/svg}g") if e.get("class") == "edge"]
    assert len(edges) == 5


def test_without_graphviz_a_picture_says_what_to_install(place: Place) -> None:
    place.declare(BODY)
    empty = place.root / "bin"
    empty.mkdir()
    said = place.run("graph", place.site, "--distro", "debian", "--format", "svg", PATH=str(empty))
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("converge: a picture needs Graphviz, which is not installed here: install its package")


def test_json_has_the_same_for_programs(place: Place) -> None:
    place.declare(BODY)
    found = place.run("graph", place.site, "--distro", "debian", "--out", "json").json()
    assert [(each["id"], each["layer"], each.get("group")) for each in found["resources"]][:3] == [
        ("file:/etc/nginx", 1, None),
        ("package:nginx", 1, 1),
        ("package:curl", 1, 1),
    ]
    assert {"before": "package:nginx", "after": "file:/etc/nginx/site.conf", "rule": "depends_on"} in found["edges"]
    assert len(found["edges"]) == 5
    assert "warnings" not in found


def test_left_out_edges_and_mistakes_are_told(place: Place) -> None:
    place.declare('r.directory("/srv/d", depends_on="file:/srv/d/f")\nr.file("/srv/d/f", content="")')
    assert (
        "left out: file:/srv/d/f would come after file:/srv/d (parent directory)" in place.run("graph", place.site).out
    )
    place.declare('r.file("x")')
    said = place.run("graph", place.site)
    assert (said.code, said.out) == (1, "")
    assert "is not absolute" in said.err


def test_its_parameters_and_platform_are_given_as_to_check(place: Place) -> None:
    text = (
        "from converge import Run, blueprint\n@blueprint('web')\ndef web(r: Run, port: int) -> None:\n"
        "    r.file(f'/srv/{port}', content=r.platform.distro)\n    if r.in_shard(50):\n        r.package('new')\n"
    )
    site: Path = place.write(place.site, text)
    out = place.run("graph", site, "--set", "port=80", "--platform", "linux").out
    assert "  file:/srv/80" in out.splitlines()
    assert "  package:new" in out.splitlines()
