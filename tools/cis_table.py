"""The recommendations of the ``cis`` blueprint as Markdown, from the very catalogue that it is made of."""

from __future__ import annotations

from collections.abc import Iterator

from converge.blueprints import cis
from converge.blueprints.cis.catalogue import SECTIONS, Options, Rule
from converge.declaration import Run
from converge.platform import pretended_platform

_ALL = Options(banner="-", cron_users=("root",), static_ipv6=True, time_servers=("ntp.example.com",))
"""So that everything is declared."""
_ASIDE = ("exec:ssh reads", "exec:systemd-", "file:/run/sshd", "file:/etc/ssh/sshd_config")
"""What only serves other resources, unless a recommendation is about nothing else."""


def tables() -> str:
    """A table for each section."""
    everything = cis.rules()
    return "\n".join("".join(_table(name, [rule for rule in everything if rule.section == name])) for name in SECTIONS)


def _table(section: str, rules: list[Rule]) -> Iterator[str]:
    yield f"### {section}\n\n"
    yield "| Debian 12 | Ubuntu 22.04 | what holds | why | resources |\n|---|---|---|---|---|\n"
    for rule in rules:
        numbers = [", ".join(each) or "–" for each in (rule.debian, rule.ubuntu)]
        resources = ", ".join(f"`{id}`" for id in _ids(rule))
        yield f"| {' | '.join(numbers)} | {rule.title} | {rule.why} | {resources} |\n"


def _ids(rule: Rule) -> list[str]:
    run = Run(platform=pretended_platform("linux", "debian"))
    cis.declare(run, [rule], _ALL)
    ids = list(run._declared)
    return [id for id in ids if not id.startswith(_ASIDE) or "sshd_config.d" in id] or ids[-1:]
