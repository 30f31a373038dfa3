"""What all machines of ours have in common."""

from __future__ import annotations

from typing import Literal

from converge import Run, blueprint


@blueprint("corp", "what every machine of ours has")
def corp(r: Run, stage: Literal["test", "production"] = "test", folder: str = "/etc/corp") -> None:
    """Its parameters come from ``--set stage=production``, or from ``r.include("corp", stage="production")``."""
    r.directory(folder, mode=0o755)
    r.file(f"{folder}/stage", content=f"{stage}\n", mode=0o644)


@blueprint("corp-web", "a web server of ours")
def web(r: Run, sites: list[str], folder: str = "/etc/corp") -> None:
    """A parameter without a default must be given: ``--set sites=shop,blog``."""
    r.include(corp, stage="production", folder=folder)
    for site in sites:
        r.file(f"{folder}/{site}.conf", content=f"site {site}\n", mode=0o644)
