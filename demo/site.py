"""A small web site: a folder, a page, a configuration made from a template, a script, and a link to the release."""

from pathlib import Path

from converge import Run, blueprint

WWW = Path(__file__).with_name("www")


@blueprint("site", "a small web site")
def site(r: Run) -> None:
    """Declares what must be there; how to get there is converge's business."""
    r.directory(WWW, mode=0o755)
    r.file(WWW / "index.html", source="templates/index.html", mode=0o644)
    conf = r.file(WWW / "server.conf", template="templates/server.conf.j2", vars={"port": 8080, "workers": 4})
    r.file(WWW / "health.sh", content="#!/bin/sh\ntest -s index.html\n", mode=0o755)
    r.symlink(WWW / "current", target="releases/1.0")

    # Runs whenever the configuration was changed, and only then; a real site would reload its server here.
    r.exec("reload", "touch reloaded", dir=str(WWW.parent), only_on=conf)
