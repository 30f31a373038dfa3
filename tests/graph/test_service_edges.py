"""Services come after what they are made of and configured by, and before that is taken away."""

from __future__ import annotations

import pytest

from converge.core.resource import Named, Need, Resource, Uses
from converge.graph.graph import Graph, build_graph
from converge.resources.file import Directory, File, Symlink
from converge.resources.package import Package
from converge.resources.service.systemd import SystemdService


def edges(graph: Graph) -> set[tuple[str, str]]:
    names = [resource.id for resource in graph.resources]
    return {(names[edge.before], names[edge.after]) for edge in graph.edges}


def web(**options: object) -> SystemdService:
    return SystemdService("nginx", **{"state": "running", **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/nginx/conf.d/site.conf", "/etc/nginx", "/srv/nginx.conf", "/etc/nginx.cfg", "/opt/nginx.yaml",
        "/opt/app/nginx.yml", "/etc/systemd/system/nginx.service", "/etc/systemd/system/nginx.service.d/more.conf",
        "/usr/lib/systemd/system/nginx.service",
    ],
)  # fmt: skip
def test_a_service_comes_after_files_that_go_by_its_name(path: str) -> None:
    graph = build_graph([web(), File(path, content="")])
    assert edges(graph) == {(f"file:{path}", "service:nginx")}


@pytest.mark.parametrize("path", ["/etc/nginx2/a", "/etc/nginx.conf.bak", "/etc/my-nginx.conf", "/srv/nginx.txt"])
def test_other_files_are_none_of_its_business(path: str) -> None:
    assert edges(build_graph([web(), File(path, content="")])) == set()


def test_a_short_name_says_nothing() -> None:
    graph = build_graph(
        [SystemdService("ab", state="running"), File("/etc/ab/x", content=""), File("/etc/systemd/system/ab.service")]
    )
    assert edges(graph) == {("file:/etc/systemd/system/ab.service", "service:ab")}


def test_an_instance_comes_after_its_template_and_a_timer_after_its_service_file() -> None:
    template, service = "/etc/systemd/system/job@.service", "/etc/systemd/system/beat.service"
    graph = build_graph(
        [
            SystemdService("job@one", state="running"),
            SystemdService("beat.timer", enable=True),
            File(template, content=""),
            File(service, content=""),
        ]
    )
    assert edges(graph) == {(f"file:{template}", "service:job@one"), (f"file:{service}", "service:beat.timer")}


def test_one_edge_for_a_file_that_goes_by_the_name_twice() -> None:
    graph = build_graph([web(), File("/etc/nginx/nginx.conf", content="")])
    assert [edge.rule for edge in graph.edges] == ["file of its name"]


def test_auto_edge_false_takes_either_out() -> None:
    assert edges(build_graph([web(auto_edge=False), File("/etc/nginx/x", content="")])) == set()
    assert edges(build_graph([web(), File("/etc/nginx/x", content="", auto_edge=False)])) == set()


def test_what_is_stopped_is_stopped_before_it_is_taken_away() -> None:
    gone = [File("/etc/systemd/system/nginx.service", state="absent"), File("/etc/nginx", state="absent")]
    for service in (web(state="stopped"), SystemdService("nginx", enable=False)):
        assert edges(build_graph([*gone, service])) == {("service:nginx", file.id) for file in gone}
    # What is to run comes after: the file may be one that must not be there when it starts.
    assert edges(build_graph([gone[1], web()])) == {("file:/etc/nginx", "service:nginx")}


def test_it_is_stopped_before_its_package_goes_and_after_that_came() -> None:
    stopped = web(state="stopped")
    assert edges(build_graph([Package("nginx", state="absent"), stopped])) == {("service:nginx", "package:nginx")}
    assert edges(build_graph([Package("nginx"), stopped])) == {("package:nginx", "service:nginx")}
    assert edges(build_graph([Package("nginx"), web()])) == {("package:nginx", "service:nginx")}


def test_what_is_stopped_and_stays_is_stopped_after_its_files_came() -> None:
    graph = build_graph([web(state="stopped"), File("/etc/nginx/x", content="")])
    assert edges(graph) == {("file:/etc/nginx/x", "service:nginx")}


def test_it_needs_the_package_of_its_name() -> None:
    def of(name: str) -> set[Need]:
        return {need for need in SystemdService(name, enable=True).needs() if not isinstance(need, Named)}

    assert of("nginx") == of("nginx.service") == {Uses("package:nginx")}
    assert of("getty@tty1") == {Uses("package:getty")}
    assert of("docker.socket") == {Uses("package:docker")}


def test_links_that_enable_it_count_as_files_of_its_name() -> None:
    link = Symlink("/etc/systemd/system/multi-user.target.wants/nginx.service", target="/x")
    assert edges(build_graph([web(), link])) == {(link.id, "service:nginx")}


def test_ten_thousand_files_are_found_by_a_hundred_services() -> None:
    files: list[Resource] = [Directory("/etc")]
    files += [File(f"/etc/srv{number % 100}/part/{number}.conf", content="") for number in range(10_000)]
    services = [SystemdService(f"srv{number}", state="running") for number in range(100)]
    graph = build_graph([*files, *services])
    assert sum(edge.rule == "file of its name" for edge in graph.edges) == 10_000
