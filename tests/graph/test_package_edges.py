"""What lies in a directory that a package brings comes after that package."""

from __future__ import annotations

import pytest

from converge.core.resource import Resource
from converge.graph.graph import Graph, build_graph
from converge.resources.file import Directory, File, Symlink
from converge.resources.package import Package


def edges(graph: Graph) -> set[tuple[str, str]]:
    names = [resource.id for resource in graph.resources]
    return {(names[edge.before], names[edge.after]) for edge in graph.edges}


@pytest.mark.parametrize(
    ("package", "resource"),
    [
        ("nginx", File("/etc/nginx/conf.d/x.conf", content="")),
        ("nginx", File("/etc/nginx/sites-enabled/default", state="absent")),
        ("nginx-full", Symlink("/etc/nginx/sites-enabled/x", "../sites-available/x")),
        ("nginx:amd64", Directory("/var/lib/nginx/cache")),
        ("php8.2-fpm", File("/etc/php/8.2/fpm/pool.d/www.conf", content="")),
        ("postgresql-16", File("/etc/postgresql/16/main/conf.d/x.conf", content="")),
    ],
)
def test_it_comes_after_the_package_that_the_directory_is_called_after(package: str, resource: Resource) -> None:
    assert edges(build_graph([resource, Package(package)])) == {(f"package:{package}", resource.id)}


@pytest.mark.parametrize(
    "path", ["/etc/nginx", "/etc/nginx.conf", "/etc/nginxx/a", "/srv/nginx/a", "/etc/default/nginx", "/etc/my/nginx/a"]
)
def test_other_places_are_none_of_its_business(path: str) -> None:
    assert edges(build_graph([File(path, content=""), Package("nginx")])) == set()


@pytest.mark.parametrize(
    ("package", "path"),
    [
        ("systemd-resolved", "/etc/systemd/system/x.service"), ("apt-file", "/etc/apt/sources.list.d/x.list"),
        ("nginx-dev", "/etc/nginx/x.conf"), ("ssh-askpass", "/etc/ssh/x.conf"),
        ("python3-nginx", "/etc/nginx/x.conf"),
    ],
)  # fmt: skip
def test_what_is_called_alike_is_another_package(package: str, path: str) -> None:
    assert edges(build_graph([File(path, content=""), Package(package)])) == set()


def test_what_goes_is_taken_away_before_its_package() -> None:
    gone = File("/etc/nginx/conf.d/x.conf", state="absent")
    stays = File("/etc/nginx/conf.d/y.conf", content="")
    graph = build_graph([Package("nginx", state="absent"), gone, stays])
    assert edges(graph) == {(gone.id, "package:nginx")}


def test_an_order_that_the_owner_wrote_goes_before() -> None:
    seed = File("/etc/nginx/seed", content="", parents=True)
    graph = build_graph([seed, Package("nginx", depends_on=seed.id)])
    assert edges(graph) == {(seed.id, "package:nginx")}
    assert "closes a cycle" in graph.warnings[0]


def test_no_automatic_edges_where_they_are_not_wanted() -> None:
    file = File("/etc/nginx/x", content="", auto_edge=False)
    assert edges(build_graph([Package("nginx"), file])) == set()
    assert edges(build_graph([Package("nginx", auto_edge=False), File("/etc/nginx/x", content="")])) == set()
