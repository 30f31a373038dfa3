"""Order around mounts: the directory, what is mounted on it, and what lies in that."""

from __future__ import annotations

from converge.core.resource import Resource
from converge.graph.graph import Graph, build_graph
from converge.resources.archive import Archive
from converge.resources.exec import Exec
from converge.resources.file import Directory, File
from converge.resources.git import Git
from converge.resources.mount import Mount


def edges(*resources: Resource) -> set[tuple[str, str]]:
    graph: Graph = build_graph(resources)
    assert graph.warnings == ()
    return {(resources[edge.before].id, resources[edge.after].id) for edge in graph.edges}


def test_a_directory_comes_before_its_mount_and_what_is_below_after_it() -> None:
    found = edges(
        File("/srv/data/deep/file", content=""),
        Directory("/srv/data"),
        Exec("setup", "true", creates="/srv/data/done"),
        Exec("inside", "true", dir="/srv/data"),
        Mount("/srv/data", fstype="tmpfs"),
        Directory("/srv"),
        File("/srvx", content=""),
    )
    assert found == {
        ("file:/srv", "file:/srv/data"),
        ("file:/srv", "mount:/srv/data"),
        ("file:/srv/data", "mount:/srv/data"),
        ("file:/srv/data", "file:/srv/data/deep/file"),
        ("file:/srv/data", "exec:setup"),
        ("file:/srv", "exec:inside"),
        ("file:/srv/data", "exec:inside"),
        ("mount:/srv/data", "file:/srv/data/deep/file"),
        ("mount:/srv/data", "exec:setup"),
        ("mount:/srv/data", "exec:inside"),
    }


def test_only_the_nearest_mount_counts_and_mounts_stand_on_each_other() -> None:
    found = edges(
        Mount("/a/b", fstype="tmpfs"),
        Mount("/a", fstype="tmpfs"),
        File("/a/b/c", content=""),
        File("/a/x", content=""),
        Mount("/image", "/a/disk.img"),
    )
    assert found == {
        ("mount:/a", "mount:/a/b"),
        ("mount:/a/b", "file:/a/b/c"),
        ("mount:/a", "file:/a/x"),
        ("mount:/a", "mount:/image"),
    }


def test_a_mount_that_goes_away() -> None:
    assert edges(Mount("/a", state="absent"), Directory("/a", state="absent"), File("/a/f", state="absent")) == {
        ("mount:/a", "file:/a"), ("file:/a/f", "file:/a"), ("file:/a/f", "mount:/a")
    }  # fmt: skip
    # What stays is below the mount, in the directory itself.
    assert edges(Mount("/a", state="unmounted"), File("/a/f", content="")) == {("mount:/a", "file:/a/f")}


def test_auto_edge_false_takes_a_mount_out_at_either_end() -> None:
    for one, other in ((True, False), (False, True)):
        assert edges(Mount("/a", fstype="tmpfs", auto_edge=one), File("/a/f", content="", auto_edge=other)) == set()


def test_what_lies_in_a_checkout_or_in_what_was_unpacked_comes_after_it() -> None:
    found = edges(
        File("/srv/code/local.conf", content=""),
        Git("/srv/code", "/srv/upstream"),
        Directory("/srv/code"),
        Archive("/opt/tool", "/srv/code/tool.tar"),
        Exec("tool", ["/opt/tool/bin/tool"]),
        Mount("/opt", fstype="tmpfs"),
    )
    assert found == {
        ("file:/srv/code", "file:/srv/code/local.conf"),
        ("file:/srv/code", "git:/srv/code"),
        ("git:/srv/code", "file:/srv/code/local.conf"),
        ("git:/srv/code", "archive:/opt/tool"),
        ("file:/srv/code", "archive:/opt/tool"),
        ("mount:/opt", "archive:/opt/tool"),
        ("archive:/opt/tool", "exec:tool"),
    }
